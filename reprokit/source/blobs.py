"""The bytes of a source: files on disk -> git's ids of exactly those bytes.

Git's own `add` would run the filters that a repository names, and would convert line ends. Here
each file is read as it is; the index only tells which bytes the repository has already.
"""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH115, PTH118

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from reprokit import files
from reprokit.errors import MachineError
from reprokit.source import git
from reprokit.source.model import FILE, LINK, Entry, Found, shown
from reprokit.values import dataclass, replace

LARGE = 8 << 20
"""From this size in bytes on, git itself reads a file, so that it is never held in memory here."""

_CACHE_FILES, _CACHE_BYTES = 1000, 64 << 20
"""What a capture must have read to be worth remembering: less is as quickly read again."""

_FRESH_NS = 2_000_000_000
"""A file this young can change again without a new time stamp (coarse clocks, NFS)."""

_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_ARGUMENTS = 500

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Cache:
    """What earlier captures read: path -> its stamp then, and what came of it."""

    known: Mapping[bytes, tuple[Stamp, Entry]]

    def get(self, file: Found) -> Entry | None:
        """What is known of the file, if it is the very file that was read then."""
        stamp, entry = self.known.get(file.path, (None, None))
        if entry is None or stamp != _stamp(file.stat):
            return None
        converted = entry.git_oid == file.index_oid
        return replace(entry, mode=file.mode, git_oid=entry.git_oid if converted else entry.oid)


def read_all(
    repository: git.Repository, found: Sequence[Found], cache: Cache, *, trust: bool = True
) -> list[Entry]:
    """Give each file the id of its bytes, and hold on to bytes that the repository lacks.

    Args:
        repository: where the source is stored; `found` is relative to its top.
        found: the files.
        cache: what need not be read again.
        trust: objects that index and cache name are there. False: hold on to all bytes.

    Raises:
        MachineError: a file cannot be read.
    """
    top = os.fsencode(repository.top)
    known = {file.path: entry for file in found if trust and (entry := cache.get(file))}
    known |= _store_large(repository, [f for f in found if f.path not in known and is_large(f)])
    form = repository.object_format
    return [known.get(file.path) or _read(top, file, form, trust=trust) for file in found]


def is_large(file: Found) -> bool:
    """Whether git is to read the file."""
    return file.mode != LINK and file.stat.st_size >= LARGE


def blob_id(data: bytes, object_format: str) -> str:
    """Git's id of a file with these bytes."""
    digest = hashlib.new(object_format, b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def load_cache(path: Path) -> Cache:
    """The cache in `path`; an empty one where it is missing or unreadable: it is only a cache."""
    try:
        stored = files.read_json(path)["files"]
        return Cache(
            dict(_remembered(name.encode("latin-1"), *row) for name, row in stored.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Cache({})


def save_cache(path: Path, cache: Cache, found: Sequence[Found], entries: Iterable[Entry]) -> None:
    """Keep what was read for the next capture, if it took long enough to be worth it."""
    fresh = [file for file in found if cache.get(file) is None]
    if len(fresh) < _CACHE_FILES and sum(file.stat.st_size for file in fresh) < _CACHE_BYTES:
        return
    youngest = time.time_ns() - _FRESH_NS
    stored = {
        file.path.decode("latin-1"): [_stamp(file.stat), entry.oid, entry.git_oid, entry.pointer]
        for file, entry in zip(found, entries, strict=True)
        if max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) < youngest
    }
    path.parent.mkdir(exist_ok=True)
    files.write_json(path, {"schema": "reprokit/blobs/1", "files": stored})


def read_bytes(path: bytes, facts: os.stat_result) -> bytes:
    """The bytes of the file, or the target of the link, that lstat saw; no link is followed.

    Raises:
        MachineError: it cannot be read, or has become something else.
    """
    try:
        if stat.S_ISLNK(facts.st_mode):
            return os.readlink(path)
        with open_regular(path) as stream:
            return stream.read()
    except OSError as error:
        raise unreadable(path, error) from error


def open_regular(path: bytes) -> BinaryIO:
    """Open a regular file for reading; OSError for a link or whatever else lies there now."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        stream.close()
        raise OSError("it is no longer a regular file")
    return stream


def unreadable(path: bytes, error: OSError) -> MachineError:
    """The error for a file of the source that could not be read."""
    return MachineError(
        "unreadable-source",
        f"a file of the source cannot be read: {error.strerror or error}",
        where=shown(path),
        hint="make it readable, or list it in .gitignore if it is no part of the code",
    )


def _read(top: bytes, file: Found, object_format: str, *, trust: bool) -> Entry:
    data = read_bytes(os.path.join(top, file.path), file.stat)
    oid = blob_id(data, object_format)
    same = oid == file.index_oid
    return Entry(
        path=file.path,
        mode=file.mode,
        oid=oid,
        git_oid=oid if same else _converted(data, file, object_format) or oid,
        data=None if same and file.stored and trust else data,
        pointer=file.mode != LINK and data.startswith(_LFS),
    )


def _converted(data: bytes, file: Found, object_format: str) -> str | None:
    """The index's id, if git would give it to this file after making its line ends LF."""
    if file.index_oid is None or file.mode == LINK or b"\r\n" not in data:
        return None
    unix = blob_id(data.replace(b"\r\n", b"\n"), object_format)
    return unix if unix == file.index_oid else None


def _remembered(
    path: bytes,
    stamp: list[int],
    oid: str,
    git_oid: str,
    pointer: bool,  # noqa: FBT001 - a row of the cache
) -> tuple[bytes, tuple[Stamp, Entry]]:
    modified, changed, size, inode = stamp
    entry = Entry(path, FILE, oid, git_oid, pointer=pointer)
    return path, ((modified, changed, size, inode), entry)


def _store_large(repository: git.Repository, large: Sequence[Found]) -> dict[bytes, Entry]:
    """Let git store the files as they are, in pieces; what came of it by path."""
    result: dict[bytes, Entry] = {}
    for start in range(0, len(large), _ARGUMENTS):
        some = large[start : start + _ARGUMENTS]
        words = [os.fsdecode(file.path) for file in some]
        done = git.tell(repository.top, "hash-object", "-w", "--no-filters", "--", *words)
        oids = done.text.split()
        pairs = zip(some, oids, strict=True)
        result |= {file.path: Entry(file.path, file.mode, oid, oid) for file, oid in pairs}
    return result


def _stamp(facts: os.stat_result) -> Stamp:
    return (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)
