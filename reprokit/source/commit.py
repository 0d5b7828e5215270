"""Entries -> a commit under a reference of its own, in one run of git.

`git fast-import` takes bytes, trees, commit and reference in one stream. It knows no index, no
working tree, no attribute and no filter, so what goes in is what is stored.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reprokit import process
from reprokit.errors import MachineError
from reprokit.source import git
from reprokit.source.model import Entry
from reprokit.values import dataclass

_WHO = b"reprokit <reprokit@localhost>"
_QUOTES = {ord("\\"): b"\\\\", ord('"'): b'\\"', ord("\n"): b"\\n"}
_CRASH = "dumping crash report to "


@dataclass(frozen=True)
class Stored:
    """The ids of a stored source."""

    commit: str
    tree: str


def store(
    repository: git.Repository, entries: Sequence[Entry], *, ref: str, message: str, when: int
) -> Stored | None:
    """Store the entries as a commit and let `ref` name it.

    Args:
        repository: where.
        entries: the files; objects of entries without data must be there.
        ref: a reference that does not exist yet.
        message: the commit's message.
        when: the commit's time, in seconds since 1970.

    Returns:
        The ids; None where an object that should have been there is not.

    Raises:
        MachineError: the repository cannot be written to.
    """
    text = b"".join(_stream(entries, repository.head, ref=ref, message=message, when=when))
    words = ["fast-import", "--quiet", "--done", "--date-format=raw"]
    done = git.ask(repository.top, *words, stdin=text)
    if done.code == 0:
        commit, tree = done.text.splitlines()
        return Stored(commit, tree.split()[2])
    _remove_crash_report(repository, done)
    if any(word in done.error_text for word in ("not found", "missing", "Not a valid object")):
        return None
    raise _refused(repository, done, ref)


def _stream(
    entries: Sequence[Entry], head: str | None, *, ref: str, message: str, when: int
) -> Iterator[bytes]:
    text = message.encode("utf-8")
    # Each object is sent once: two files with the same bytes are one object.
    data = {entry.oid: entry.data for entry in entries if entry.data is not None}
    marks = {oid: mark for mark, oid in enumerate(data, start=2)}
    for oid, mark in marks.items():
        yield b"blob\nmark :%d\ndata %d\n%b\n" % (mark, len(data[oid]), data[oid])
    yield b"commit %b\nmark :1\n" % ref.encode("ascii")
    yield b"committer %b %d +0000\ndata %d\n%b\n" % (_WHO, when, len(text), text)
    if head:
        yield b"from %b\ndeleteall\n" % head.encode("ascii")
    for entry in entries:
        name = b":%d" % marks[entry.oid] if entry.oid in marks else entry.oid.encode("ascii")
        yield b'M %b %b "%b"\n' % (entry.mode.encode("ascii"), name, _quoted(entry.path))
    yield b'get-mark :1\nls :1 ""\ndone\n'


def _quoted(path: bytes) -> bytes:
    if b'"' not in path and b"\\" not in path and b"\n" not in path:
        return path
    return b"".join(_QUOTES.get(byte, bytes([byte])) for byte in path)


def _remove_crash_report(repository: git.Repository, done: process.Completed) -> None:
    """Leave no litter in the user's git folder."""
    name = next(
        (line.partition(_CRASH)[2] for line in done.error_text.splitlines() if _CRASH in line), ""
    )
    if name:
        (repository.git_dir / Path(name).name).unlink(missing_ok=True)


def _refused(repository: git.Repository, done: process.Completed, ref: str) -> MachineError:
    lines = [line for line in done.error_text.splitlines() if _CRASH not in line]
    return MachineError(
        "source-not-stored",
        f"git could not store the source as {ref}: {'; '.join(lines) or f'exit {done.code}'}",
        where=str(repository.common_dir),
        hint="the exact code of each run is kept in your repository: make its git folder writable",
    )
