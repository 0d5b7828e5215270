"""An order for an image -> all that its build may see, laid out in the shape of a workspace."""

from collections.abc import Mapping
from pathlib import Path

from reprokit.environments.base_image import Base
from reprokit.environments.buildx import Build
from reprokit.environments.image import LABEL_BASE, LABEL_ENVIRONMENT, ImageOrder
from reprokit.environments.sources import Sources, link_or_copy, split_sources, stage_packages
from reprokit.stacks.dockerfiles import SOURCE_DATE_EPOCH, dockerignore
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.requirements import Lock, render_pins
from reprokit.stacks.uvtool import torch_backend, uv_program
from reprokit.values import replace


def stage(
    order: ImageOrder,
    text: str,
    base: Base,
    settings: PackageSettings,
    folder: Path,
    log: Path,
) -> Build:
    """Lay out all that the build sees, and say how to build it.

    Args:
        order: what the image is to hold.
        text: the Dockerfile.
        base: what it is built from.
        settings: where packages come from.
        folder: an empty folder.
        log: where the build's own words go.

    Raises:
        MachineError: a certificate is missing or too large, or there is no uv.
        OSError: a local package cannot be read, or the disk is full.
    """
    (folder / "Dockerfile").write_text(text, "utf-8")
    ignored = dockerignore(order.stack, order.kind)
    (folder / "Dockerfile.dockerignore").write_text(ignored, "utf-8")
    _stage_workspace(order, folder / "workspace")
    contexts, sources = _stage_packages(order, settings, folder)
    secret_files = {"ca": sources.certificates, "client": sources.client}
    return Build(
        dockerfile=folder / "Dockerfile",
        context=folder / "workspace",
        target=order.target,
        tag=order.reference,
        platform=order.stack.platform,
        log=log,
        arguments=arguments(order, base),
        labels=labels(order, base),
        contexts=contexts,
        secret_files={name: path for name, path in secret_files.items() if path},
        secrets={"index": sources.script()},
    )


def arguments(order: ImageOrder, base: Base) -> dict[str, str]:
    """The build arguments."""
    return {
        "BASE_IMAGE": base.reference,
        "PROJECT": order.project,
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
    }


def labels(order: ImageOrder, base: Base) -> dict[str, str]:
    """The image's labels: nothing in them depends on where or when it is built."""
    return {**order.labels, LABEL_ENVIRONMENT: order.env_id, LABEL_BASE: base.digest}


def locks_of(order: ImageOrder) -> Mapping[str, Lock | None]:
    """The locks by the name that the Dockerfile has for them."""
    return {"stack": order.locks.stack, "project": order.locks.project, "dev": order.tools}


def _stage_workspace(order: ImageOrder, folder: Path) -> None:
    import shutil

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
    order: ImageOrder, settings: PackageSettings, stage: Path
) -> tuple[dict[str, Path], Sources]:
    """Folders with uv and with the local packages, and the sources of all others."""
    uv = stage / "uv"
    uv.mkdir()
    link_or_copy(Path(uv_program()), uv / "uv")
    contexts = {"uv": uv}
    sources = split_sources(settings.uv_environment(), settings.uv_options())
    found: set[str] = set()
    for name, lock in locks_of(order).items():
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
