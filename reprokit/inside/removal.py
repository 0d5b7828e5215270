"""Removing a folder, for every run, and so without `shutil`: that imports three compressors, 2 ms each time."""

from __future__ import annotations

import os


def remove_tree(folder: str) -> None:
    """Remove a folder with all that is in it; no link is followed, and what cannot be removed stays."""
    todo = [] if os.path.islink(folder) else [folder]
    folders: list[str] = []
    while todo:
        here = todo.pop()
        folders.append(here)
        todo += _emptied(here)
    # Those inside come after those that they are in.
    for here in reversed(folders):
        try:
            os.rmdir(here)
        except OSError:
            pass


def _emptied(folder: str) -> list[str]:
    """The folders inside of a folder, after everything else in it was removed."""
    inside: list[str] = []
    try:
        with os.scandir(folder) as items:
            listed = list(items)
    except OSError:
        return inside
    for item in listed:
        try:
            if item.is_dir(follow_symlinks=False):
                inside.append(item.path)
            else:
                os.unlink(item.path)
        except OSError:
            pass
    return inside
