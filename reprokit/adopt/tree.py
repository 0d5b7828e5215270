"""A folder of a stranger -> its files, within limits. Nothing is executed, no link is followed."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.adopt.model import Note, Where

MAX_FILES = 20_000
MAX_DEPTH = 12
MAX_TEXT = 1 << 20
MAX_LOCK = 4 << 20
MAX_NOTEBOOK = 16 << 20
MAX_TOTAL = 64 << 20
MAX_SECONDS = 20.0
# Folders that hold no code of the repository's own.
NOT_OURS = frozenset(
    "node_modules site-packages __pycache__ venv env virtualenv build dist runs wandb mlruns".split()
)


@dataclass
class Tree:
    """A repository's files by their relative paths, read in bounded pieces.

    Attributes:
        root: the folder.
        files: relative paths with `/`, sorted.
        notes: what could not be read, and why.
    """

    root: Path
    files: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)
    _bytes: int = 0
    _deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def skip(self, file: str, why: str) -> None:
        """Say that a file was not read."""
        self.notes.append(Note("skipped", why, Where(file)))

    def text(self, file: str, limit: int = MAX_TEXT) -> str | None:
        """The text of a file; None (and a note) where it is too large, no text, or time is up."""
        try:
            return self._decoded(self._bounded(file, limit))
        except UnicodeDecodeError:
            self.skip(file, "not read: it is no UTF-8 text")
        except OSError as error:
            self.skip(file, f"not read: {(error.strerror or str(error)).lower()}")
        return None

    def _bounded(self, file: str, limit: int) -> bytes:
        if time.monotonic() > self._deadline:
            raise OSError(f"{MAX_SECONDS:.0f} seconds of reading are over")
        data = _read(self.root / file, limit + 1)
        self._bytes += len(data)
        if len(data) > limit or self._bytes > MAX_TOTAL:
            raise OSError(f"larger than {limit >> 20} MiB, or {MAX_TOTAL >> 20} MiB in all")
        return data

    def _decoded(self, data: bytes) -> str:
        text = data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig")
        if "\0" in text:
            raise OSError("it is binary")
        return text

    def named(self, *names: str) -> Iterator[str]:
        """The files of these paths that are there, in the order of `names`."""
        known = frozenset(self.files)
        yield from (name for name in names if name in known)


# `pip freeze > requirements.txt` in a Windows PowerShell writes UTF-16.
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def look(root: Path) -> Tree:
    """The files below `root`, without those of version control, virtual environments and other tools."""
    tree = Tree(root)
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(name for name in folders if _wanted(Path(folder, name), depth))
        for name in sorted(names):
            path = Path(folder, name)
            file = path.relative_to(root).as_posix()
            # A name that no terminal can show is no name of a file that people train with.
            if file.isprintable() and not path.is_symlink() and path.is_file():
                found.append(file)
        if len(found) > MAX_FILES:
            tree.skip(".", f"only the first {MAX_FILES:,} files were looked at")
            break
    tree.files = tuple(sorted(found[:MAX_FILES], key=lambda file: (file.count("/"), file)))
    return tree


def _wanted(folder: Path, depth: int) -> bool:
    hidden = folder.name.startswith(".") and folder.name != ".binder"
    if hidden or folder.name in NOT_OURS or depth >= MAX_DEPTH or folder.is_symlink():
        return False
    return not (folder / "pyvenv.cfg").exists()


def _read(path: Path, most: int) -> bytes:
    # O_NONBLOCK: opening a pipe that nobody writes to must not hang. O_NOFOLLOW: a link may lead out.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is no regular file")
        data = b""
        while len(data) < most and (piece := os.read(handle, most - len(data))):
            data += piece
        return data
    finally:
        os.close(handle)
