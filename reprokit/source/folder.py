"""The files of a workspace that is in no repository, or that its repository ignores."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH118

import os
from pathlib import Path

from reprokit.source.blobs import unreadable
from reprokit.source.listing import Survey, excluder, file_mode
from reprokit.source.model import Found, LeftOut, note


def walk(root: Path, left_out: LeftOut) -> tuple[list[Found], tuple[str, ...]]:
    """Every file and link below `root`, sorted, and notes on what was left out.

    Left out are `left_out`, `.git`, `__pycache__`, virtual environments (they hold `pyvenv.cfg`) and
    folders that say of themselves that they are caches (`CACHEDIR.TAG`).

    Raises:
        MachineError: a folder cannot be read.
    """
    top = os.fsencode(root)
    survey = Survey()
    made: list[bytes] = []
    outside, outputs = excluder(left_out.always), excluder(left_out.untracked)
    written: list[bytes] = []
    todo = [b""]
    while todo:
        folder = todo.pop()
        for item in _listed(os.path.join(top, folder)):
            path = os.path.join(folder, item.name)
            if outside(path) or item.name in (b".git", b"__pycache__"):
                continue
            if outputs(path):
                written.append(path)
                continue
            if not item.is_dir(follow_symlinks=False):
                _add(survey, path, item.stat(follow_symlinks=False))
            elif _is_made(item.path):
                made.append(path)
            else:
                todo.append(path)
    left = note("left out, a virtual environment or a cache", made)
    # Without git nobody can say what of it is code.
    left += note("left out, a folder that runs write into", written)
    return sorted(survey.found, key=lambda file: file.path), left + survey.notes()


def _listed(folder: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except OSError as error:
        raise unreadable(folder, error) from error


def _add(survey: Survey, path: bytes, facts: os.stat_result) -> None:
    mode = file_mode(facts)
    if mode is None:
        survey.special.add(path)
    else:
        survey.found.append(Found(path, mode, facts))


def _is_made(folder: bytes) -> bool:
    return any(
        os.path.lexists(os.path.join(folder, name)) for name in (b"pyvenv.cfg", b"CACHEDIR.TAG")
    )
