"""What a training reads and writes: its kept folders are the run's, and strays are kept too.

A script may delete and make anew the folders that it writes into (`shutil.rmtree("outputs")`), so they are real folders
of its copy of the source; the run folder only links to them until the run has ended, and then gets them.
In a container they are mounted from the run folder.
"""

import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from reprokit import files
from reprokit.inside.removal import remove_tree
from reprokit.layout import RunPaths


def connect(paths: RunPaths, project: Path, keep: Iterable[str], *, link: bool) -> None:
    """Make `keep` folders of the project's copy be folders of the run, with what the source has in them.

    Args:
        paths: the run.
        project: the project's folder in the materialised copy.
        keep: relative folder names.
        link: leave the folders in the copy and link to them (venv); else leave folders to mount over.
    """
    for name in outermost(keep):
        kept, seen = paths.root / name, project / name
        seen.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if link:
            _empty(kept, seen)
            # Relative, so that the run folder can still move before it starts.
            kept.symlink_to(_way(kept, seen))
        else:
            import shutil

            shutil.copytree(seen, kept, symlinks=True, dirs_exist_ok=True)


def _way(kept: Path, seen: Path) -> str:
    return os.path.relpath(seen, kept.parent)


def _empty(kept: Path, seen: Path) -> None:
    """Move what we already wrote into a folder of the run (`logs`) to where its link will lead."""
    if kept.is_dir():
        for path in kept.iterdir():
            path.rename(seen / path.name)
        kept.rmdir()


def outermost(keep: Iterable[str]) -> list[str]:
    """The names that do not lie in one another."""
    names: list[str] = []
    for name in sorted(keep, key=lambda name: Path(name).parts):
        if not any(Path(name).is_relative_to(other) for other in names):
            names.append(name)
    return names


def connect_data(work: Path, places: Mapping[str, Path], *, link: bool) -> None:
    """Put datasets where the project's own paths look for them; the source leaves them out.

    Args:
        work: the materialised copy.
        places: path in the copy -> the data.
        link: put a link there (venv); else leave something to mount over (containers).
    """
    for name, real in places.items():
        seen = work / name
        seen.parent.mkdir(parents=True, exist_ok=True)
        if link:
            seen.symlink_to(real)
        elif real.is_dir():
            seen.mkdir(exist_ok=True)
        else:
            seen.touch()


def tidy(paths: RunPaths) -> None:
    """After a run: keep what it left outside its kept folders, then drop the copy of the source.

    Strays move to `outputs/stray/`, under their own paths. The source itself is not needed any more: it is a
    commit in the user's repository.
    """
    if paths.work.exists():
        _keep_folders(paths)
        _keep_strays(paths)
        # First out of the way, then gone: a death half-way leaves no copy that looks whole.
        paths.work.rename(_old(paths))
        from reprokit.source import stamps_path

        stamps_path(paths.work).unlink(missing_ok=True)
    remove_tree(str(_old(paths)))


def is_tidy(paths: RunPaths) -> bool:
    """Whether nothing of the copy of the source is left."""
    return not (paths.work.exists() or _old(paths).exists())


def _old(paths: RunPaths) -> Path:
    return paths.root / ".work.old"


def _keep_folders(paths: RunPaths) -> None:
    """Move the kept folders from the copy to where the run folder links to them; one that is gone leaves an empty one.

    A link that the training put in the place of one is not followed: it is kept as the link that it is.
    """
    plan = files.read_json(paths.plan)
    for name in outermost(plan["keep"]):
        kept, seen = paths.root / name, paths.work / plan["cwd"] / name
        ours = kept.is_symlink() and str(kept.readlink()) == _way(kept, seen)
        if os.path.lexists(kept) and not ours:
            continue
        kept.unlink(missing_ok=True)
        if seen.is_dir() and not seen.is_symlink():
            seen.rename(kept)
        else:
            kept.mkdir()


def _keep_strays(paths: RunPaths) -> None:
    from reprokit.source import Source, leftovers

    places = {paths.work / name for name in files.read_json(paths.plan).get("places", {})}
    source = files.read_json(paths.source)
    source.pop("schema")
    for stray in leftovers(Source.from_json(source), paths.work):
        if stray not in places:
            _keep(stray, paths)


def _keep(stray: Path, paths: RunPaths) -> None:
    """Move a stray into the run; not through a link, nor over a file, that the training left in the way."""
    name = stray.relative_to(paths.work)
    others = (paths.root / f"stray-{number}" for number in itertools.count(1))
    for base in itertools.chain((paths.root / "outputs" / "stray",), others):
        target = base / name
        if _is_free(target, paths.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            stray.rename(target)
            return


def _is_free(target: Path, root: Path) -> bool:
    """Whether nothing has this name, and all above it, up to `root`, are real folders or nothing yet."""
    above = target.parents[: len(target.relative_to(root).parts) - 1]
    real = all(not path.is_symlink() and (path.is_dir() or not path.exists()) for path in above)
    return real and not os.path.lexists(target)
