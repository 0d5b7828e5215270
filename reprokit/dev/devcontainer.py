"""A project -> `.devcontainer/devcontainer.json`, by which editors open the same dev container.

Keys and their types are those of the published schema (github.com/devcontainers/spec,
schemas/devContainer.base.schema.json); tests/dev holds the file to it.
"""

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from reprokit import files
from reprokit.engines.docker import DEFAULT_SHM, PIDS
from reprokit.engines.mounts import DATA, WORKSPACE
from reprokit.values import dataclass

if TYPE_CHECKING:
    from reprokit.plan import Plan
    from reprokit.stacks.model import Stack

PLACE = PurePosixPath(".devcontainer/devcontainer.json")
# `customizations` is where the schema lets a tool say what it likes; by this word we know a file of ours.
MARK = "reprokit"

State = Literal["written", "unchanged", "foreign", "elsewhere"]


@dataclass(frozen=True)
class Written:
    """What became of the file: `foreign` is somebody else's, and `elsewhere` a project outside of `projects/`."""

    path: Path
    state: State


def devcontainer(stack: "Stack", plan: "Plan", folder: PurePosixPath, root: Path) -> dict[str, Any]:
    """The file as a JSON object.

    Args:
        stack: the project's stack.
        plan: its plan.
        folder: the project's folder, relative to the workspace: `projects/NAME`.
        root: the workspace; what lies in it is named relative to it, so that the file can be shared.
    """
    document: dict[str, Any] = {
        "name": f"{plan.project} ({stack.name})",
        "build": {
            "dockerfile": f"../dockerfiles/{stack.name}/dev.Dockerfile",
            "context": "..",
            "target": "dev",
            "args": {"PROJECT": folder.name},
        },
        "workspaceMount": f"type=bind,source=${{localWorkspaceFolder}},target={WORKSPACE}",
        "workspaceFolder": str(PurePosixPath(WORKSPACE, folder)),
        "mounts": [_mount(name, path, root) for name, path in plan.data.items()],
        "init": True,
        "securityOpt": ["no-new-privileges"],
        "runArgs": [
            "--cap-drop=ALL",
            f"--pids-limit={PIDS}",
            f"--shm-size={plan.resources.shm or DEFAULT_SHM}",
            *([f"--memory={plan.resources.memory}"] if plan.resources.memory else []),
        ],
        "containerUser": f"{os.getuid()}:{os.getgid()}",
        "remoteUser": f"{os.getuid()}:{os.getgid()}",
        "updateRemoteUserUID": False,
        "containerEnv": {"HOME": "/tmp", "USER": "reprokit", "LOGNAME": "reprokit"},  # noqa: S108
        "customizations": {
            MARK: {"project": str(folder), "stack": stack.name, "by": "reprokit dev"},
            "vscode": {
                "extensions": ["ms-python.python", "ms-toolsai.jupyter"],
                "settings": {"python.defaultInterpreterPath": "/opt/venv/bin/python"},
            },
        },
    }
    if plan.resources.gpus:
        # Editors turn this into the engine's own request for GPUs.
        document["hostRequirements"] = {"gpu": True}
    return document


def write_devcontainer(root: Path, document: dict[str, Any]) -> Written:
    """Write the file, unless there is one that is not ours.

    Raises:
        MachineError: the file system refused; the file of before is intact.
    """
    path = root / PLACE
    if path.parent.is_symlink() or path.is_symlink():
        return Written(path, "foreign")
    if path.exists():
        before = _read(path)
        if before == document:
            return Written(path, "unchanged")
        if before is None:
            return Written(path, "foreign")
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, document)
    return Written(path, "written")


def _read(path: Path) -> dict[str, Any] | None:
    """The file, if it is one of ours: with comments in it, it is not plain JSON any more, and somebody's own."""
    try:
        said = json.loads(path.read_text("utf-8"))
        return said if isinstance(said["customizations"][MARK], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _mount(name: str, path: Path, root: Path) -> str:
    within = path.is_relative_to(root)
    source = f"${{localWorkspaceFolder}}/{path.relative_to(root)}" if within else str(path)
    return f"type=bind,source={source},target={DATA}/{name},readonly"
