"""Where a repository is: in a workspace, or about to become one; and what it gets in that case."""

import os
from dataclasses import dataclass
from pathlib import Path

from reprokit.adopt.model import Note, Where
from reprokit.adopt.tree import MAX_TEXT
from reprokit.adopt.writing import Draft
from reprokit.errors import ConfigError, NotFoundError
from reprokit.workspace import SETTINGS, find

# Where runs are kept if the repository has a folder `runs` of its own.
OTHER_STORE = "reprokit-runs"


@dataclass(frozen=True)
class Place:
    """Where the project is, and the workspace around it: an existing one, or itself."""

    folder: Path
    root: Path
    new: bool


@dataclass(frozen=True)
class Store:
    """What a repository that becomes a workspace gets, so that runs have a place that git leaves alone.

    Attributes:
        drafts: new files: settings, a .gitignore.
        ignore: the line that a .gitignore gets that is there already.
        notes: what is done, and why.
    """

    drafts: tuple[Draft, ...] = ()
    ignore: str | None = None
    notes: tuple[Note, ...] = ()


def find_place(folder: Path, workspace: Path | None) -> Place:
    """Where a repository is, and which workspace it belongs to.

    Raises:
        ConfigError: it lies outside the workspace that was named, or is one with projects already.
        NotFoundError: there is no such folder.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise NotFoundError("no-folder", "there is no such folder", where=str(folder))
    try:
        root = find(workspace or folder).root
    except NotFoundError:
        root, new = (workspace or folder).resolve(), True
    else:
        new = False
    if not folder.is_relative_to(root):
        raise ConfigError(
            "outside-workspace",
            "the repository lies outside the workspace",
            where=str(folder),
            hint=f"move it under {root / 'projects'}, or leave `--workspace` out",
        )
    if folder == root and (root / "projects").is_dir() and not new:
        raise ConfigError(
            "is-workspace",
            "this is a workspace with projects of its own",
            where=str(folder),
            hint="name the folder of one project: `reprokit init projects/NAME`",
        )
    return Place(folder, root, new)


def make_store(place: Place) -> Store:
    """The store of a new workspace; nothing where there is a workspace already."""
    if not place.new:
        return Store()
    taken = os.path.lexists(place.root / "runs")
    name = OTHER_STORE if taken else "runs"
    ignoring = _ignoring(place.root, f"/{name}/")
    if not taken:
        return ignoring
    text = f"store: {name}  # the repository has a folder `runs` of its own\n"
    note = Note("guessed", f"runs are kept in `{name}`: `runs` is there already", Where("runs"))
    draft = Draft(place.root / SETTINGS, text)
    return Store((draft, *ignoring.drafts), ignoring.ignore, (note, *ignoring.notes))


def _ignoring(root: Path, line: str) -> Store:
    """How git is told to leave the store alone: by a new .gitignore, or the end of the one there is."""
    path, where = root / ".gitignore", Where(".gitignore")
    if not os.path.lexists(root / ".git"):
        return Store()
    if not os.path.lexists(path):
        note = Note(
            "found", f"there is none yet: a new one has `{line}`, where runs are kept", where
        )
        return Store((Draft(path, f"{line}\n"),), None, (note,))
    lines = _lines_of(path)
    if lines is None:
        return Store(notes=(Note("unknown", f"cannot be read: add `{line}` to it", where),))
    if not {line, line.strip("/"), line[1:], line[:-1]}.isdisjoint(lines):
        return Store(notes=(Note("found", f"`{line}` is ignored already", where),))
    return Store(
        (), line, (Note("found", f"`{line}`, where runs are kept, goes to its end", where),)
    )


def _lines_of(path: Path) -> frozenset[str] | None:
    """The lines of a .gitignore that is a plain, small text file; None for anything else."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_TEXT:
        return None
    try:
        return frozenset(map(str.strip, path.read_text("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError):
        return None


def with_line(data: bytes, line: str) -> bytes:
    """The bytes of a text file with one more line, in the file's own line ends."""
    end = b"\r\n" if b"\r\n" in data else b"\n"
    between = b"" if not data or data.endswith(b"\n") else end
    return data + between + line.encode() + end
