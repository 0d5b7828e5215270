"""A stack, a project and their locks -> an image in the engine, built once and found by its name.

The image is named by its content (`env_id`): whether it is there is one question to the engine, and
only its absence leads to a build.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reprokit import files
from reprokit.environments.engine_api import inspect_image, need_engine
from reprokit.errors import MachineError, ReproKitError
from reprokit.values import dataclass, field, replace

if TYPE_CHECKING:
    from reprokit.environments.base_image import Base
    from reprokit.environments.buildx import OnBytes, OnStep
    from reprokit.stacks.locks import LockedRequirements
    from reprokit.stacks.model import Stack
    from reprokit.stacks.pipconfig import PackageSettings
    from reprokit.stacks.requirements import Lock

Target = Literal["environment", "prod", "dev"]

LABEL_ENVIRONMENT = "org.reprokit.env"
LABEL_BASE = "org.reprokit.base"
_SHOWN_ID = 16
NO_BUILDX = "no buildx: using the classic builder; images are larger and not bit-for-bit"


@dataclass(frozen=True)
class ImageEnvironment:
    """An image that is ready to run in.

    Attributes:
        env_id: the environment that it holds.
        reference: its name in the engine.
        digest: its own digest, as the engine says it.
        base_digest: digest of the image that it was built from.
        dockerfile: the text that it was built from.
        mirror: the name under which the base image was found, where `base-images` names one for it.
        builder: what built it: `buildx`, or `classic` where there is none.
        log: all that its build said.
    """

    env_id: str
    reference: str
    digest: str
    base_digest: str
    dockerfile: str
    mirror: str | None = None
    builder: str = "buildx"
    log: Path | None = None


@dataclass(frozen=True)
class ImageOrder:
    """What an image is to hold.

    Attributes:
        env_id: names the environment by its content (`identity.env_id`).
        stack: the stack.
        project: the project's name, a folder of `projects/`.
        locks: what is installed.
        target: `environment`, or with the code (`prod`), or with the tools (`dev`).
        code: the project's code; for `prod`.
        tools: the lock of the stack's tools; for `dev`.
        labels: more labels: what is the same whenever the image is built.
    """

    env_id: str
    stack: "Stack"
    project: str
    locks: "LockedRequirements"
    target: Target = "environment"
    code: Path | None = None
    tools: "Lock | None" = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["dev", "prod"]:
        """Which of the stack's Dockerfiles has the target."""
        return "dev" if self.target == "dev" else "prod"

    @property
    def reference(self) -> str:
        """The image's name."""
        return image_reference(self.env_id, self.stack.name, self.project, self.target)


def image_reference(env_id: str, stack: str, project: str, target: Target = "environment") -> str:
    """The name of an image; what tells two environments apart is the id, the rest is for people."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{project}".lower()).strip("-")[:100].strip("-")
    ending = "" if target == "environment" else f"-{target}"
    return f"reprokit/{words or 'image'}:{_short(env_id)}{ending}"


def ready(
    env_id: str, stack: str, project: str, *, home: Path, target: Target = "environment"
) -> ImageEnvironment | None:
    """The image of an environment, if the engine has it: one question to the engine, 10 ms.

    Args:
        env_id: the environment's id.
        stack: the stack's name.
        project: the project's name.
        home: the user's store.
        target: which image of it.

    Raises:
        MachineError: the engine does not answer.
    """
    reference = image_reference(env_id, stack, project, target)
    found = inspect_image(reference)
    if found is None:
        return None
    labels = (found.get("Config") or {}).get("Labels") or {}
    try:
        text = _dockerfile(home, env_id, target).read_text("utf-8")
    except FileNotFoundError:
        # By another user, or the store was emptied: a build from the engine's cache writes it.
        return None
    if labels.get(LABEL_ENVIRONMENT) != env_id or LABEL_BASE not in labels:
        return None
    log = log_path(home, env_id, target)
    how = _how(home, env_id, target)
    return ImageEnvironment(
        env_id, reference, found["Id"], labels[LABEL_BASE], text, how[0], how[1], log
    )


def ensure(
    order: ImageOrder,
    *,
    home: Path,
    base_images: Mapping[str, str] | None = None,
    settings: "PackageSettings | None" = None,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
) -> ImageEnvironment:
    """The image, built if the engine has none of its name; two that want it at once build it once.

    Args:
        order: what it holds.
        home: the user's store; the build's log is kept in `images/ID/`.
        base_images: a base image's name -> the one to use in its place (`base-images`).
        settings: where packages come from; pip's own settings by default, read only for a build.
        on_step: is told of the build's steps: name, how many are done, how many are known.
        on_bytes: is told of what a step fetches or writes: name, bytes so far, bytes in all.

    Raises:
        MachineError: no engine, no base image, no index, no space, or a step failed.
        IntegrityError: the base image's tag has moved, or a package has none of the locked hashes.
    """
    need_engine()
    with files.exclusive(_folder(home, order.env_id) / ".lock"):
        done = _find(order, home)
        if done is None:
            done = build_image(
                order,
                home=home,
                base_images=base_images,
                settings=settings,
                on_step=on_step,
                on_bytes=on_bytes,
            )
    return done


def build_image(
    order: ImageOrder,
    *,
    home: Path,
    base_images: Mapping[str, str] | None = None,
    settings: "PackageSettings | None" = None,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
    fresh: bool = False,
) -> ImageEnvironment:
    """Build the image, whether or not the engine has it.

    Arguments and errors are those of `ensure`; `fresh` takes nothing from an earlier build, and gives the same
    bytes all the same (but for the classic builder).
    """
    from reprokit.environments.base_image import resolve_base
    from reprokit.stacks.pipconfig import read_settings

    told = on_step or _silent
    base = resolve_base(
        order.stack.image,
        platform=order.stack.platform,
        other_names=base_images or {},
        on_line=lambda line: told(f"base image: {line}", 0, 1),
    )
    folder = _folder(home, order.env_id)
    _sweep(folder)
    job = _Job(order, base, settings or read_settings(), home, told, on_bytes or _silent, fresh)
    text, builder = job.build()
    files.write_json(
        _made(home, order.env_id, order.target), {"mirror": base.mirror, "builder": builder}
    )
    files.write_text(_dockerfile(home, order.env_id, order.target), text)
    done = _find(order, home)
    if done is None:
        raise MachineError(
            "image-lost",
            "the image was built and the engine does not have it",
            where=order.reference,
            hint="was it removed just now? run the command again",
        )
    return done


@dataclass(frozen=True)
class _Job:
    """One build, once its base image is known."""

    order: ImageOrder
    base: "Base"
    settings: "PackageSettings"
    home: Path
    on_step: "OnStep"
    on_bytes: "OnBytes"
    fresh: bool

    def build(self) -> tuple[str, str]:
        """The Dockerfile that was built, and by what."""
        try:
            return self._buildx(), "buildx"
        except MachineError as error:
            if error.code != "no-buildx":
                raise
        self.on_step(NO_BUILDX, 0, 1)
        return self._classic(), "classic"

    def _buildx(self) -> str:
        import tempfile

        from reprokit.environments.buildx import run_build
        from reprokit.environments.staging import stage
        from reprokit.stacks.dockerfiles import dockerfile

        text = dockerfile(self.order.stack, self.order.kind)
        with tempfile.TemporaryDirectory(prefix="build-", dir=self._log.parent) as folder:
            build = stage(self.order, text, self.base, self.settings, Path(folder), self._log)
            run_build(
                replace(build, fresh=self.fresh),
                on_step=self.on_step,
                on_bytes=self.on_bytes,
                explain=_explain(self.settings),
            )
        return text

    def _classic(self) -> str:
        import tempfile

        from reprokit.environments import classic

        with tempfile.TemporaryDirectory(prefix="build-", dir=self._log.parent) as folder:
            build = classic.stage(self.order, self.base, self.settings, Path(folder), self._log)
            classic.run_build(replace(build, fresh=self.fresh), on_step=self.on_step)
            return build.dockerfile.read_text("utf-8")

    @property
    def _log(self) -> Path:
        return log_path(self.home, self.order.env_id, self.order.target)


def _explain(settings: "PackageSettings") -> Callable[[str], ReproKitError | None]:
    def explained(said: str) -> ReproKitError | None:
        from reprokit.stacks.uvtool import explain

        error = explain(1, said, settings)
        return None if error.code == "uv-failed" else error

    return explained


def _find(order: ImageOrder, home: Path) -> ImageEnvironment | None:
    return ready(order.env_id, order.stack.name, order.project, home=home, target=order.target)


def _folder(home: Path, env_id: str) -> Path:
    return home / "images" / _short(env_id)


def log_path(home: Path, env_id: str, target: Target) -> Path:
    """Where all that the latest build of an image said is kept."""
    return _folder(home, env_id) / f"{target}.log"


def _made(home: Path, env_id: str, target: Target) -> Path:
    return _folder(home, env_id) / f"{target}.json"


def _how(home: Path, env_id: str, target: Target) -> tuple[str | None, str]:
    """Mirror and builder of an image, as noted when it was made; an image of before has no such note."""
    try:
        noted = files.read_json(_made(home, env_id, target))
    except (OSError, ValueError):
        return None, "buildx"
    return noted.get("mirror"), noted.get("builder", "buildx")


def _dockerfile(home: Path, env_id: str, target: Target) -> Path:
    return _folder(home, env_id) / ("dev.Dockerfile" if target == "dev" else "prod.Dockerfile")


def _sweep(folder: Path) -> None:
    """Remove what a killed build left behind; the caller holds the lock of this environment."""
    import shutil

    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("build-*"):
        shutil.rmtree(left, ignore_errors=True)


def _short(env_id: str) -> str:
    """The first digits of the hash that an id ends with, be it `cpu-HEX`, `sha256:HEX` or `HEX`."""
    found = re.search(r"[0-9a-f]{16,}$", env_id)
    if found is None:
        raise ValueError(f"no id of an environment: {env_id!r}")
    return found.group()[:_SHOWN_ID]


def _silent(_name: str, _done: int, _total: int) -> None:
    """Nobody watches."""
