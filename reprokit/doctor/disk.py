"""Check `disk`: is there room for environments, images and runs?"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reprokit import layout
from reprokit.doctor.model import Context, Finding, Status, combined

NAME = "disk"
TITLE = "Disk space"

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Need:
    """How much room a place should have, in bytes, and why so much."""

    least: int
    wanted: int
    reason: str


# Measured: the environment of the `cpu` stack takes 1.1 GB and 24,000 files, its image 1.5 to 1.9 GB;
# the wheels of torch 2.8.0 for CUDA 12.8 and all that it needs are 3.9 GB, before they are unpacked.
ENVIRONMENTS = Need(
    2 * GIB, 12 * GIB, "a CUDA environment takes 4 GB to download, and more unpacked"
)
# A record takes kilobytes; checkpoints are what fills a store, and how large they are is the training's.
RUNS = Need(100 * MIB, 2 * GIB, "checkpoints and logs of runs are written there")
LEAST_FILES = 50_000
LEAST_FILES_REASON = "an environment has 24,000"


@dataclass(frozen=True)
class Volume:
    """A file system that something of ours lies on.

    Attributes:
        label: what lies there.
        path: where, or the nearest folder above that exists.
        device: tells file systems apart.
        free: bytes that we may write.
        free_files: files that we may make; null where the file system sets no limit.
        need: what the place should have.
        fix: how to make room, or go elsewhere.
    """

    label: str
    path: Path
    device: int
    free: int
    free_files: int | None
    need: Need
    fix: str


def run(context: Context) -> Finding:
    """Look at the file system of every place that ReproKit writes to."""
    return decide([volume for place in _places(context) if (volume := observe(*place))])


def decide(volumes: Iterable[Volume]) -> Finding:
    """The findings of all places as one; those that share a file system are told together."""
    shared: dict[tuple[int, Need], list[Volume]] = {}
    for volume in volumes:
        shared.setdefault((volume.device, volume.need), []).append(volume)
    if not shared:
        return Finding("skip", "no place to look at")
    return combined([_finding(group) for group in shared.values()])


def observe(label: str, path: Path, need: Need, fix: str) -> Volume | None:
    """The file system that `path` is, or will be, on; None where that cannot be seen."""
    try:
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        numbers, device = os.statvfs(there), there.stat().st_dev
    except (OSError, StopIteration):
        return None
    return Volume(
        label,
        there,
        device,
        numbers.f_bavail * numbers.f_frsize,
        numbers.f_favail if numbers.f_files else None,
        need,
        fix,
    )


def _places(context: Context) -> Iterable[tuple[str, Path, Need, str]]:
    yield (
        "environments",
        layout.home(),
        ENVIRONMENTS,
        (
            "`uv cache prune` frees some, or set REPROKIT_HOME and UV_CACHE_DIR to folders on a larger disk"
        ),
    )
    if context.workspace is not None:
        yield (
            "runs",
            context.workspace.store,
            RUNS,
            ("delete runs that you do not need, or set `store:` in reprokit.yaml to a larger disk"),
        )
    engine = context.engine.engine
    # In Docker Desktop that folder is in a machine of its own, and is not there for us.
    if engine and engine.root and context.engine.local and engine.root.exists():
        yield (
            "images",
            engine.root,
            ENVIRONMENTS,
            ("`docker system prune` and `docker builder prune` free some"),
        )


def _finding(group: list[Volume]) -> Finding:
    first = group[0]
    labels = " and ".join(volume.label for volume in group)
    free = f"{first.free / GIB:.1f} GiB free for {labels}"
    fixes = "; ".join(dict.fromkeys(volume.fix for volume in group))
    details = tuple(f"{volume.label}: {volume.path}" for volume in group)
    if first.free < first.need.wanted:
        status: Status = "fail" if first.free < first.need.least else "warn"
        return Finding(status, f"{free} ({first.need.reason})", fixes, details)
    if first.free_files is not None and first.free_files < LEAST_FILES:
        text = f"{free}, but for {first.free_files:,} files only ({LEAST_FILES_REASON})"
        return Finding("warn", text, fixes, details)
    return Finding("ok", free, None, details)
