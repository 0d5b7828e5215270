"""A project -> a session in its dev container: ready to be started, or only to be shown."""

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reprokit import layout, process
from reprokit.config import ProjectConfig
from reprokit.dev import devcontainer
from reprokit.dev.container import SHELL, Desk, container, desk, jupyter, secrets_of
from reprokit.engines.docker import DockerEngine, devices
from reprokit.engines.docker_line import command_line
from reprokit.engines.kit import ensure_kit
from reprokit.environments.base_image import engine_environment
from reprokit.environments.build import build_target
from reprokit.environments.order import drafted
from reprokit.errors import MachineError
from reprokit.values import dataclass, field
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.environments.buildx import OnBytes, OnStep
    from reprokit.environments.image import ImageOrder

# What docker exits with where the container was never started.
_NOT_STARTED = 125


@dataclass(frozen=True)
class Wish:
    """What a person wants to do: a command, or Jupyter on a port (0: any that is free), or a shell."""

    command: tuple[str, ...] = ()
    jupyter: bool = False
    port: int = 8888
    terminal: bool = False


@dataclass(frozen=True)
class Session:
    """A dev container that only needs to be started.

    Attributes:
        argv: the `docker run` line; nothing secret is in it.
        image: the dev image.
        built: whether it was built just now.
        port: where Jupyter will answer, on this machine's own address.
        token: what Jupyter asks for.
        file: what became of `.devcontainer/devcontainer.json`; None in a dry run.
        secrets: variables for the container, handed over in docker's environment.
    """

    argv: tuple[str, ...]
    image: str
    built: bool
    port: int | None
    file: devcontainer.Written | None
    token: str | None = field(default=None, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str | None:
        """Where a browser finds Jupyter, with the token."""
        if self.port is None:
            return None
        return f"http://127.0.0.1:{self.port}/lab?token={self.token}"


def prepare(
    workspace: Workspace,
    config: ProjectConfig,
    project: Path,
    wish: Wish,
    *,
    dry_run: bool = False,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
) -> Session:
    """Build the dev image if need be, write the editors' file, and say how the container is started.

    Args:
        workspace: where.
        config: the project's config.
        project: its folder.
        wish: what to do there.
        dry_run: build and write nothing.
        on_step: is told of a build's steps.
        on_bytes: is told of bytes on their way.

    Raises:
        ConfigError: a lock is missing or stale, or a variable that the config lets through is not set.
        MachineError: no engine, no such GPU, the port is taken, or the image cannot be built.
    """
    port = _free_port(wish.port) if wish.jupyter else None
    token = secrets.token_urlsafe(24) if wish.jupyter else None
    with drafted(workspace, config, project, "dev") as draft:
        order = draft.order
    engine = DockerEngine()
    gpus = devices(engine.client, config.resources.gpus) if config.resources.gpus else []
    place = desk(workspace, config, project, order, ensure_kit(layout.home()))
    built, written = False, None
    if not dry_run:
        made = build_target(workspace, config, project, "dev", on_step=on_step, on_bytes=on_bytes)
        built, written = made.built, _write_file(workspace, order, place, workspace.inside(project))
    command = wish.command or (jupyter(os.getuid()) if wish.jupyter else SHELL)
    hidden = secrets_of(place, token, os.environ)
    box = container(place, command, devices=gpus, terminal=wish.terminal, port=port)
    argv = tuple(command_line(box, secrets=hidden))
    return Session(argv, order.reference, built, port, written, token, hidden)


def start(session: Session, *, stdout: int | None = None) -> int:
    """Run the session to its end in our own terminal; the exit code of what ran inside.

    Raises:
        MachineError: the engine did not start the container; it has said why.
    """
    code = process.attach(
        session.argv, env={**engine_environment(), **session.secrets}, stdout=stdout
    )
    if code == _NOT_STARTED:
        raise MachineError(
            "engine-refused",
            "the engine did not start the dev container; its words stand above",
            where=session.image,
        )
    return code


def _write_file(
    workspace: Workspace, order: "ImageOrder", place: Desk, folder: PurePosixPath
) -> devcontainer.Written:
    """The editors' file; the Dockerfile that it names finds the lock of a project in `projects/` only."""
    if folder.parent != PurePosixPath("projects"):
        return devcontainer.Written(workspace.root / devcontainer.PLACE, "elsewhere")
    document = devcontainer.devcontainer(order.stack, place.plan, folder, workspace.root)
    return devcontainer.write_devcontainer(workspace.root, document)


def _free_port(wanted: int) -> int:
    """The port, if nobody has it; any free one for 0."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise MachineError(
                "port-taken",
                f"port {wanted} of this machine is in use",
                where=str(error),
                hint="`--port 0` takes one that is free",
            ) from error
        port: int = listener.getsockname()[1]
        return port
