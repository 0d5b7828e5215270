"""A project and its dev image -> the container that a person works in, as the engine's API takes it.

It is hardened as runs are, but for what work needs: the source may be written to, there is a network, and a terminal.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from reprokit.config import ProjectConfig
from reprokit.engines.docker import DEFAULT_SHM, PATH, PIDS, TMPFS
from reprokit.engines.mounts import DATA, KIT, WORKSPACE
from reprokit.plan import make_plan
from reprokit.values import dataclass
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.environments.image import ImageOrder
    from reprokit.plan import Plan

LABEL = "org.reprokit.dev"
JUPYTER_PORT = 8888
JUPYTER_TOKEN = "JUPYTER_TOKEN"  # noqa: S105 - the name of a variable
SHELL = ("bash",)


@dataclass(frozen=True)
class Desk:
    """Where a person works, and on what.

    Attributes:
        plan: the project's plan: its variables are those of a run.
        top: the folder that is mounted at /workspace: the repository, else the workspace.
        folder: the project's folder, relative to it.
        image: the name of the dev image.
        kit: the folder with `reprokit.core`.
    """

    plan: "Plan"
    top: Path
    folder: PurePosixPath
    image: str
    kit: Path

    @property
    def place(self) -> str:
        """The project's folder, as seen inside."""
        return str(PurePosixPath(WORKSPACE, self.folder))


def desk(
    workspace: Workspace, config: ProjectConfig, project: Path, order: "ImageOrder", kit: Path
) -> Desk:
    """Where a person works on a project.

    Raises:
        ConfigError: the project or its data lies outside of the workspace, or a variable that the config lets
            through is not set.
    """
    from reprokit.source import git

    repository = git.discover(workspace.root)
    top = workspace.root if repository is None else repository.top.resolve()
    folder = workspace.inside(project)
    plan = make_plan(
        config,
        run_id="dev",
        engine="docker",
        cwd=folder,
        data={name: item.locate(project, workspace.root) for name, item in config.data.items()},
        environment=order.env_id,
        locks=order.locks.digests,
        host=os.environ,
    )
    within = PurePosixPath(workspace.root.relative_to(top)) / folder
    return Desk(plan, top, within, order.reference, kit)


def container(
    desk: Desk,
    argv: tuple[str, ...],
    *,
    devices: list[Any],
    terminal: bool,
    port: int | None = None,
) -> dict[str, Any]:
    """The container of a dev session.

    Args:
        desk: where and on what.
        argv: what runs in it.
        devices: the request for GPUs, as runs make it.
        terminal: whether a person sits before it.
        port: the port of this machine on which Jupyter answers.
    """
    resources = desk.plan.resources
    memory = resources.memory
    host: dict[str, Any] = {
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Tmpfs": {"/tmp": TMPFS},  # noqa: S108 - the container's own
        "PidsLimit": PIDS,
        "ShmSize": resources.shm or DEFAULT_SHM,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": int(resources.cpus * 1e9) if resources.cpus else None,
        "NetworkMode": "bridge",
        "Mounts": _mounts(desk),
        "DeviceRequests": devices,
    }
    if port is not None:
        place = {"HostIp": "127.0.0.1", "HostPort": str(port)}
        host["PortBindings"] = {f"{JUPYTER_PORT}/tcp": [place]}
    return {
        "Image": desk.image,
        "Cmd": list(argv),
        "Env": [f"{name}={value}" for name, value in sorted(_variables(desk, port).items())],
        "User": f"{os.getuid()}:{os.getgid()}",
        "WorkingDir": desk.place,
        "Labels": {LABEL: desk.plan.project},
        "OpenStdin": True,
        "Tty": terminal,
        "HostConfig": host,
    }


def jupyter(uid: int) -> tuple[str, ...]:
    """The command for Jupyter, which refuses the user 0 unless told.

    It listens to all of the container's addresses; only one port of this machine's own address leads there.
    """
    words = ("jupyter", "lab", "--no-browser", "--ip=0.0.0.0", f"--port={JUPYTER_PORT}")
    return (*words, "--allow-root") if uid == 0 else words


def secrets_of(desk: Desk, token: str | None, host: Mapping[str, str]) -> dict[str, str]:
    """The variables whose values stand in no command line: what the config lets through, and Jupyter's token."""
    passed = {name: host[name] for name in desk.plan.passed}
    return passed | ({JUPYTER_TOKEN: token} if token else {})


def _variables(desk: Desk, port: int | None) -> dict[str, str]:
    home = "/tmp"  # noqa: S108 - the container's own tmpfs
    return {
        **desk.plan.variables,
        "PATH": PATH,
        "HOME": home,
        "USER": "reprokit",
        "LOGNAME": "reprokit",
        "VIRTUAL_ENV": "/opt/venv",
        "PYTHONPATH": KIT,
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "xterm-256color",
        "REPROKIT_DATA": json.dumps({name: f"{DATA}/{name}" for name in desk.plan.data}),
        **dict.fromkeys(desk.plan.passed, ""),
        **({JUPYTER_TOKEN: ""} if port is not None else {}),
    }


def _mounts(desk: Desk) -> list[dict[str, Any]]:
    """The source to write in; kit and data only to read. Data that is not there yet can be fetched from within."""
    data = {f"{DATA}/{name}": path for name, path in desk.plan.data.items() if path.exists()}
    return [
        _bind(WORKSPACE, desk.top, writable=True),
        _bind(KIT, desk.kit),
        *(_bind(place, path) for place, path in data.items()),
    ]


def _bind(place: str, source: Path, *, writable: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": place, "ReadOnly": not writable}
