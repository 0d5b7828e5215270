"""A stack, a project and their locks -> an image in the engine, built once and found by its name.

The image is named by its content (`env_id`): whether it is there is one question to the engine, and
only its absence leads to a build.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reprokit import files
from reprokit.environments.engine_api import inspect_image, need_engine
from reprokit.errors import MachineError, ReproKitError

if TYPE_CHECKING:
    from reprokit.environments.base_image import Base
    from reprokit.environments.buildx import Build, OnStep
    from reprokit.environments.sources import Sources
    from reprokit.stacks.locks import LockedRequirements
    from reprokit.stacks.model import Stack
    from reprokit.stacks.pipconfig import PackageSettings
    from reprokit.stacks.requirements import Lock

Target = Literal["environment", "prod", "dev"]

LABEL_ENVIRONMENT = "org.reprokit.env"
LABEL_BASE = "org.reprokit.base"
_SHOWN_ID = 16


@dataclass(frozen=True)
class ImageEnvironment:
    """An image that is ready to run in.

    Attributes:
        env_id: the environment that it holds.
        reference: its name in the engine.
        digest: its own digest, as the engine says it.
        base_digest: digest of the image that it was built from.
        dockerfile: the text that it was built from.
    """

    env_id: str
    reference: str
    digest: str
    base_digest: str
    dockerfile: str


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
    """

    env_id: str
    stack: "Stack"
    project: str
    locks: "LockedRequirements"
    target: Target = "environment"
    code: Path | None = None
    tools: "Lock | None" = None

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
    return ImageEnvironment(env_id, reference, found["Id"], labels[LABEL_BASE], text)


def ensure(
    order: ImageOrder,
    *,
    home: Path,
    base_images: Mapping[str, str] | None = None,
    settings: "PackageSettings | None" = None,
    on_step: "OnStep | None" = None,
) -> ImageEnvironment:
    """The image, built if the engine has none of its name; two that want it at once build it once.

    Args:
        order: what it holds.
        home: the user's store; the build's log is kept in `images/ID/`.
        base_images: the workspace's `base-images`.
        settings: where packages come from; pip's own settings by default, read only for a build.
        on_step: is told of the build's steps: name, how many are done, how many are known.

    Raises:
        MachineError: no engine, no buildx, no base image, no index, no space, or a step failed.
        IntegrityError: the base image's tag has moved, or a package has none of the locked hashes.
    """
    need_engine()
    with files.exclusive(_folder(home, order.env_id) / ".lock"):
        done = _find(order, home)
        if done is None:
            done = build_image(
                order, home=home, base_images=base_images, settings=settings, on_step=on_step
            )
    return done


def build_image(
    order: ImageOrder,
    *,
    home: Path,
    base_images: Mapping[str, str] | None = None,
    settings: "PackageSettings | None" = None,
    on_step: "OnStep | None" = None,
    fresh: bool = False,
) -> ImageEnvironment:
    """Build the image, whether or not the engine has it.

    Arguments and errors are those of `ensure`; `fresh` takes nothing from an earlier build, and gives the same
    bytes all the same.
    """
    import tempfile

    from reprokit.environments.base_image import resolve_base
    from reprokit.environments.buildx import run_build
    from reprokit.stacks.dockerfiles import dockerfile
    from reprokit.stacks.pipconfig import read_settings

    told = on_step or _silent
    settings = settings or read_settings()
    text = dockerfile(order.stack, "dev" if order.target == "dev" else "prod")
    base = resolve_base(
        order.stack.image,
        platform=order.stack.platform,
        other_names=base_images or {},
        on_line=lambda line: told(f"base image: {line}", 0, 1),
    )
    folder = _folder(home, order.env_id)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as stage:
        build = _stage(order, text, base, settings, Path(stage), folder / f"{order.target}.log")
        build = replace(build, fresh=fresh)
        run_build(build, on_step=told, explain=_explain(settings))
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


def _stage(
    order: ImageOrder,
    text: str,
    base: "Base",
    settings: "PackageSettings",
    stage: Path,
    log: Path,
) -> "Build":
    """Lay out all that the build sees, in the shape of a workspace, and say how to build it."""
    from reprokit.environments.buildx import Build
    from reprokit.stacks.dockerfiles import SOURCE_DATE_EPOCH, dockerignore

    kind: Literal["dev", "prod"] = "dev" if order.target == "dev" else "prod"
    (stage / "Dockerfile").write_text(text, "utf-8")
    (stage / "Dockerfile.dockerignore").write_text(dockerignore(order.stack, kind), "utf-8")
    _stage_workspace(order, stage / "workspace")
    contexts, sources = _stage_packages(order, settings, stage)
    secret_files = {"ca": sources.certificates, "client": sources.client}
    return Build(
        dockerfile=stage / "Dockerfile",
        context=stage / "workspace",
        target=order.target,
        tag=order.reference,
        platform=order.stack.platform,
        log=log,
        arguments={
            "BASE_IMAGE": base.reference,
            "PROJECT": order.project,
            "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        },
        labels={LABEL_ENVIRONMENT: order.env_id, LABEL_BASE: base.digest},
        contexts=contexts,
        secret_files={name: path for name, path in secret_files.items() if path},
        secrets={"index": sources.script()},
    )


def _stage_workspace(order: ImageOrder, folder: Path) -> None:
    import shutil

    from reprokit.stacks.requirements import render_pins

    stack = folder / "envs" / order.stack.name
    project = folder / "projects" / order.project
    stack.mkdir(parents=True)
    if order.code is not None:
        shutil.copytree(order.code, project, symlinks=True)
    else:
        project.mkdir(parents=True)
    # The pins alone: what a lock says about its own making is no reason to build again.
    lock = project / f"requirements.{order.stack.name}.lock"
    lock.unlink(missing_ok=True)
    if order.locks.project is not None:
        lock.write_text(render_pins(order.locks.project.pins), "utf-8")
    (stack / "requirements.lock").write_text(render_pins(order.locks.stack.pins), "utf-8")
    if order.tools is not None:
        (stack / "dev.lock").write_text(render_pins(order.tools.pins), "utf-8")


def _stage_packages(
    order: ImageOrder, settings: "PackageSettings", stage: Path
) -> tuple[dict[str, Path], "Sources"]:
    """Folders with uv and with the local packages, and the sources of all others."""
    from reprokit.environments.sources import link_or_copy, split_sources, stage_packages
    from reprokit.stacks.uvtool import torch_backend, uv_program

    uv = stage / "uv"
    uv.mkdir()
    link_or_copy(Path(uv_program()), uv / "uv")
    contexts = {"uv": uv}
    sources = split_sources(settings.uv_environment(), settings.uv_options())
    found: set[str] = set()
    locks = {"stack": order.locks.stack, "project": order.locks.project, "dev": order.tools}
    for name, lock in locks.items():
        if lock is not None:
            contexts[f"{name}-wheels"] = stage / f"{name}-wheels"
            found |= stage_packages(lock.pins, sources, contexts[f"{name}-wheels"])
    if "torch" not in found:
        version = order.stack.torch_pin.partition("==")[2]
        backend = torch_backend(version, settings, cwd=stage)
        if backend is not None:
            told = {**sources.variables, "UV_TORCH_BACKEND": backend}
            sources = replace(sources, variables=told)
    return contexts, sources


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
