"""Docker's classic builder, through the SDK, for machines whose docker program has no buildx.

It has no mounts and no secrets: what a layer is made with is copied into it. So that no password can end up in an
image, the packages are fetched here, outside, and the build itself asks no index.
"""

import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from reprokit import process
from reprokit.environments.base_image import Base
from reprokit.environments.buildx import Build, OnStep, shown
from reprokit.environments.image import ImageOrder
from reprokit.environments.sources import link_or_copy
from reprokit.environments.staging import arguments, labels, locks_of
from reprokit.errors import IntegrityError, MachineError
from reprokit.redact import cut
from reprokit.stacks.dockerfiles import classic_dockerfile, recipe_files
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.requirements import Lock, render_pins
from reprokit.stacks.uvtool import torch_backend, uv_program

LABEL_BUILDER = "org.reprokit.builder"
_SHOWN_LINES = 12
# A layer may be silent for many minutes.
_SILENCE_S = 6 * 3600
# manylinux_2_N for every N up to the 28 that locks are resolved for; older names of three of them.
_MANYLINUX = (*(f"manylinux_2_{minor}" for minor in range(28, 4, -1)), "manylinux2014")
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
# What a step prints to standard error comes in red.
_COLOUR = re.compile(r"\x1b\[\d*m")
_IGNORED = (".git", "__pycache__", "*.pyc", ".venv", ".env", ".env.*", ".ipynb_checkpoints")


def stage(
    order: ImageOrder, base: Base, settings: PackageSettings, folder: Path, log: Path
) -> Build:
    """Lay out all that the build copies, packages included, and say how to build it.

    Args:
        order: what the image is to hold.
        base: what it is built from.
        settings: where packages come from.
        folder: an empty folder.
        log: where the build's own words go.

    Raises:
        IntegrityError: a package has none of the locked hashes.
        MachineError: a package cannot be fetched, or has no wheel.
        OSError: the disk is full.
    """
    (folder / "Dockerfile").write_text(classic_dockerfile(order.stack, order.kind), "utf-8")
    _stage_tools(order, settings, folder)
    for name, lock in locks_of(order).items():
        _stage_lock(order, name, lock, settings, folder / name)
    if order.code is not None:
        shutil.copytree(
            order.code, folder / "code", symlinks=True, ignore=shutil.ignore_patterns(*_IGNORED)
        )
        _open_up(folder / "code")
    return Build(
        dockerfile=folder / "Dockerfile",
        context=folder,
        target=order.target,
        tag=order.reference,
        platform=order.stack.platform,
        log=log,
        arguments=arguments(order, base),
        labels={**labels(order, base), LABEL_BUILDER: "classic"},
    )


def run_build(build: Build, *, on_step: OnStep) -> None:
    """Build the image, or say why not.

    Args:
        build: what `stage` laid out.
        on_step: is told of each step.

    Raises:
        MachineError: the engine refused, a step failed, or the disk is full.
    """
    import docker
    import docker.errors
    import requests

    build.log.parent.mkdir(parents=True, exist_ok=True)
    with build.log.open("w", encoding="utf-8") as log:
        try:
            api = docker.from_env(timeout=_SILENCE_S).api
            events = api.build(
                path=str(build.context),
                tag=build.tag,
                target=build.target,
                platform=build.platform,
                buildargs=dict(build.arguments),
                labels=dict(build.labels),
                nocache=build.fresh,
                use_config_proxy=True,
                rm=True,
                forcerm=True,
                decode=True,
            )
            failed = read_events(events, log, on_step)
        except (docker.errors.DockerException, requests.RequestException) as error:
            failed = [cut(str(error))]
    if failed:
        raise _failure(failed, build.log)


def read_events(
    events: Iterable[Mapping[str, Any]], log: TextIO, on_step: OnStep
) -> list[str] | None:
    """Write what the builder says into the log, tell its steps; the last lines where it failed, else None."""
    lines: deque[str] = deque(maxlen=_SHOWN_LINES)
    for event in events:
        text = cut(_COLOUR.sub("", str(event.get("stream") or event.get("error") or "")))
        for line in filter(str.strip, text.splitlines()):
            lines.append(line)
            log.write(line + "\n")
            # Step 3/14 : RUN ...
            head, colon, name = line.partition(" : ")
            done, slash, known = head.removeprefix("Step ").partition("/")
            if colon and slash and done.isdigit() and known.isdigit():
                on_step(shown(name), int(done) - 1, int(known))
        if "error" in event:
            return list(lines)
    return None


def _stage_tools(order: ImageOrder, settings: PackageSettings, folder: Path) -> None:
    """The recipe, uv, and the certificates that the package manager of the base image needs."""
    (folder / "recipe").mkdir()
    for name, text in recipe_files(order.stack).items():
        (folder / "recipe" / name).write_text(text, "utf-8")
        (folder / "recipe" / name).chmod(0o755)
    (folder / "uv").mkdir()
    link_or_copy(Path(uv_program()), folder / "uv" / "uv")
    (folder / "trust").mkdir()
    if settings.cert and Path(settings.cert).is_file():
        shutil.copy(settings.cert, folder / "trust" / "ca")
        (folder / "trust" / "ca").chmod(0o644)


def _stage_lock(
    order: ImageOrder, name: str, lock: Lock | None, settings: PackageSettings, folder: Path
) -> None:
    locks, wheels = folder / "locks", folder / "wheels" / name
    wheels.mkdir(parents=True)
    locks.mkdir()
    if lock is None:
        return
    path = locks / f"{name}.lock"
    if name == "project":
        path = locks / "project" / f"requirements.{order.stack.name}.lock"
        path.parent.mkdir()
    path.write_text(render_pins(lock.pins), "utf-8")
    _fetch(order, path, settings, wheels)


def _fetch(order: ImageOrder, lock: Path, settings: PackageSettings, folder: Path) -> None:
    """Every package of a lock as a wheel, its hash checked by pip."""
    machine = _MACHINES[order.stack.platform]
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    argv += ["--only-binary", ":all:", "--implementation", "cp", "--python-version"]
    argv += [order.stack.python, "--dest", str(folder), "--requirement", str(lock)]
    for platform in (*_MANYLINUX, "linux"):
        argv += ["--platform", f"{platform}_{machine}"]
    done = process.run(argv, env=_pip_environment(order, settings, folder))
    if done.code == 0:
        return
    said = cut(done.error_text)
    if "DO NOT MATCH THE HASHES" in said:
        raise IntegrityError(
            "hash-mismatch", "a package is not the one that is locked", where=said[-600:]
        )
    raise MachineError(
        "no-package",
        "a package of the lock cannot be fetched as a wheel, and the classic builder builds none",
        where=said[-600:],
        hint="install buildx (`sudo apt-get install docker-buildx-plugin`), which builds from source too",
    )


def _pip_environment(order: ImageOrder, settings: PackageSettings, folder: Path) -> dict[str, str]:
    version = order.stack.torch_pin.partition("==")[2]
    extra = list(settings.extra_index_urls)
    if torch_backend(version, settings, cwd=folder) is not None:
        extra.append(order.stack.torch_index)
    told = {
        "PIP_INDEX_URL": settings.index_url,
        "PIP_EXTRA_INDEX_URL": " ".join(extra),
        "PIP_FIND_LINKS": " ".join(settings.find_links),
        "PIP_NO_INDEX": "1" if settings.no_index else None,
        "PIP_CERT": settings.cert,
        "PIP_CLIENT_CERT": settings.client_cert,
        "PIP_PROXY": settings.proxy,
        "PIP_TRUSTED_HOST": " ".join(settings.trusted_hosts),
        "PIP_DEFAULT_TIMEOUT": settings.timeout,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, **{name: value for name, value in told.items() if value}}


def _open_up(folder: Path) -> None:
    """Let everybody read the code: COPY keeps the modes that it finds."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod((mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0)) & 0o777)


def _failure(lines: list[str], log: Path) -> MachineError:
    if any("no space left on device" in line for line in lines):
        return MachineError(
            "disk-full",
            "the engine has no space left to build the image",
            where=str(log),
            hint="`docker system prune` frees some",
        )
    return MachineError(
        "image-build",
        "\n".join(["the image build failed (classic builder):", *(f"  {line}" for line in lines)]),
        where=str(log),
        hint="the whole log is in the file above",
    )
