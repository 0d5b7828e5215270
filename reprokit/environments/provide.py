"""An engine's name and a project's locks -> the finished environment that a run uses."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reprokit import layout
from reprokit.config import ProjectConfig
from reprokit.plan import stack_name
from reprokit.stacks.locks import LockedRequirements, load_locked
from reprokit.values import asdict, dataclass
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.environments.image import ImageEnvironment


@dataclass(frozen=True)
class Environment:
    """A finished environment, whatever it is made of.

    Attributes:
        id: its name, made from its content.
        kind: `venv` or `image`.
        location: the folder of the virtual environment, or the image's name.
        digest: the image's digest.
        base: the base image that it was really built from, by digest.
        mirror: the name under which that was found, where `base-images` names one for it.
        locks: lock name -> digest.
        requirements: the locks as one requirements file.
        dockerfile: the text that the image was built from.
    """

    id: str
    kind: str
    location: str
    locks: Mapping[str, str]
    requirements: str
    digest: str | None = None
    base: str | None = None
    dockerfile: str | None = None
    mirror: str | None = None

    def document(self) -> dict[str, object]:
        """The environment as JSON, without the texts."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in ("requirements", "dockerfile")
        }


def choose_engine(name: str) -> tuple[str, str]:
    """The engine to use and why: `auto` is docker where an engine answers, else venv."""
    if name != "auto":
        return name, "asked for"
    from reprokit.environments.engine_api import engine_trouble

    trouble = engine_trouble()
    if trouble is None:
        return "docker", "a Docker engine answers"
    return "venv", trouble.reason


def provide(
    workspace: Workspace,
    config: ProjectConfig,
    project: Path,
    engine: str,
    on_line: Callable[[str], None],
) -> Environment:
    """The environment of a project for an engine, made now if it is not there yet.

    Raises:
        ConfigError: a lock is missing or stale.
        IntegrityError: a lock is not safe, or a file does not match its hash.
        MachineError: this machine cannot make it.
    """
    locked = load_locked(workspace.root, stack_name(config), project)
    if engine == "venv":
        return _venv(locked, on_line)
    return _image(workspace, locked, config, on_line)


def _venv(locked: LockedRequirements, on_line: Callable[[str], None]) -> Environment:
    from reprokit.environments import venv

    made = venv.ensure(locked, on_line=on_line)
    return Environment(made.env_id, "venv", str(made.root), locked.digests, locked.text())


def _once(on_line: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Tell each step of a build when it is first heard of, but for the engine's own small talk."""
    told: set[str] = set()

    def on_step(step: str, _done: int, _known: int) -> None:
        if step not in told and "load" not in step.rpartition("]")[2]:
            told.add(step)
            on_line(step)

    return on_step


def _image(
    workspace: Workspace,
    locked: LockedRequirements,
    config: ProjectConfig,
    on_line: Callable[[str], None],
) -> Environment:
    from reprokit.environments import image
    from reprokit.environments.order import environment_order

    order = environment_order(workspace, config, locked)
    home = layout.home()
    found = image.ready(order.env_id, order.stack.name, config.project, home=home)
    if found is None:
        from reprokit.settings import base_images

        names = base_images(workspace.base_images)
        found = image.ensure(order, home=home, base_images=names, on_step=_once(on_line))
    return of_image(found, locked)


def of_image(made: "ImageEnvironment", locked: LockedRequirements) -> Environment:
    """The environment that an image is."""
    return Environment(
        made.env_id,
        "image",
        made.reference,
        locked.digests,
        locked.text(),
        digest=made.digest,
        base=made.base_digest,
        dockerfile=made.dockerfile,
        mirror=made.mirror,
    )
