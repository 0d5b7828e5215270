"""What a training writes: its kept folders lead into the run folder, and strays beside them are kept too."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from reprokit.layout import RunPaths


def connect(paths: RunPaths, project: Path, keep: Iterable[str], *, link: bool) -> None:
    """Make `keep` folders of the project's copy be folders of the run.

    What the source already holds there moves along, so that the training still finds it.

    Args:
        paths: the run.
        project: the project's folder in the materialised copy.
        keep: relative folder names.
        link: put a link in the copy (venv); else leave a folder to mount over (containers).
    """
    for name in keep:
        kept, seen = paths.root / name, project / name
        seen.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if seen.is_dir() and not seen.is_symlink():
            _merge(seen, kept)
        kept.mkdir(exist_ok=True)
        if link:
            # Relative, so that the run folder can still move before it starts.
            seen.symlink_to(os.path.relpath(kept, seen.parent.resolve()))
        else:
            seen.mkdir(exist_ok=True)


def connect_data(project: Path, places: Mapping[str, Path]) -> None:
    """Put datasets where the project's own paths look for them (venv); they are excluded from the source."""
    for name, real in places.items():
        seen = project / name
        if not seen.exists() and not seen.is_symlink():
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.symlink_to(real)


def collect(paths: RunPaths, strays: Iterable[Path]) -> list[str]:
    """Move files that a training left outside its kept folders into `outputs/`, then drop the copy.

    Args:
        paths: the run.
        strays: files of the copy that are new or changed, relative to it.

    Returns:
        Their names, relative to the run folder.
    """
    kept = []
    for stray in strays:
        target = paths.root / "outputs" / "stray" / stray
        target.parent.mkdir(parents=True, exist_ok=True)
        (paths.work / stray).rename(target)
        kept.append(str(target.relative_to(paths.root)))
    shutil.rmtree(paths.work, ignore_errors=True)
    return kept


def _merge(source: Path, target: Path) -> None:
    if not target.exists():
        source.rename(target)
        return
    for child in source.iterdir():
        child.rename(target / child.name)
    source.rmdir()
