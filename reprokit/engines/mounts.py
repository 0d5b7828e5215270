"""What a container sees, and where: the run's copy of the source, the kit, the data and the run folder.

Mounts are plain objects of the engine's API.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from reprokit.engines.base import Launch

RUN_DIR = "/reprokit/run"
KIT = "/reprokit/kit"
WORKSPACE = "/workspace"
DATA = "/data"


def of_run(launch: Launch) -> list[dict[str, Any]]:
    """The mounts of a run: source, kit and data read-only, the run folder and its kept folders not."""
    paths = launch.paths
    kept = [(place, paths.root / name) for name, place in _kept(launch).items()]
    return [
        _bind(WORKSPACE, paths.work),
        _bind(RUN_DIR, paths.root, writable=True),
        # What was meant is not the training's to change or delete.
        *(_bind(f"{RUN_DIR}/{path.name}", path) for path in paths.given if path.exists()),
        *_given(launch),
        *(_bind(place, path, writable=True) for place, path in kept),
    ]


def by_hand(launch: Launch) -> list[dict[str, Any]]:
    """The mounts for the same command without a run: a dry run leaves nothing behind that could be mounted.

    The user's own files, read-only, stand in for the copy, and memory for what is written. A folder to write into
    cannot be mounted inside a read-only one that lacks it, so the project's folder itself is memory too, and
    holds the user's files one by one.
    """
    project = PurePosixPath(WORKSPACE, launch.plan.cwd)
    around = [] if project == PurePosixPath(WORKSPACE) else [_bind(WORKSPACE, launch.origin)]
    return [
        *around,
        _memory(project),
        _memory(RUN_DIR),
        *(_bind(project / path.name, path) for path in _sources(launch)),
        *_given(launch),
        *(_memory(place) for place in _kept(launch).values()),
    ]


def _given(launch: Launch) -> list[dict[str, Any]]:
    """The kit and the data: what a run reads and neither owns nor copies."""
    plan = launch.plan
    return [
        _bind(KIT, launch.kit),
        *(_bind(f"{DATA}/{name}", path) for name, path in plan.data.items()),
        *(_bind(f"{WORKSPACE}/{place}", path) for place, path in plan.places.items()),
    ]


def _kept(launch: Launch) -> dict[str, PurePosixPath]:
    """Kept folder -> where the training has it."""
    return {name: PurePosixPath(WORKSPACE, launch.plan.cwd, name) for name in launch.plan.keep}


def _sources(launch: Launch) -> Iterator[Path]:
    """What the user's project folder holds of the source; kept folders are not of it."""
    written = {PurePosixPath(name).parts[0] for name in launch.plan.keep}
    for path in sorted((launch.paths.work / launch.plan.cwd).iterdir()):
        own = launch.origin / launch.plan.cwd / path.name
        if path.name not in written and own.exists():
            yield own


def _bind(place: str | PurePosixPath, source: Path, *, writable: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": str(place), "ReadOnly": not writable}


def _memory(place: str | PurePosixPath) -> dict[str, Any]:
    return {"Type": "tmpfs", "Target": str(place), "TmpfsOptions": {"Mode": 0o1777}}
