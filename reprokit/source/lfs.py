"""Git LFS: a file on disk -> the pointer that git keeps in its place."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH123

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from reprokit.source import git
from reprokit.source.model import Entry, Found
from reprokit.values import replace

_POINTER_MAX = 1024


def blob_sizes(repository: git.Repository, oids: Iterable[str]) -> dict[str, int]:
    """The size in bytes of each object that the repository has."""
    asked = "".join(f"{oid}\n" for oid in oids)
    form = "--batch-check=%(objectname) %(objectsize)"
    done = git.tell(repository.top, "cat-file", form, stdin=asked.encode("ascii"))
    rows = (line.split(" ") for line in done.text.splitlines())
    return {oid: int(size) for oid, size in rows if size.isdigit()}


def unsmudged(
    repository: git.Repository, found: Sequence[Found], entries: Sequence[Entry]
) -> list[Entry]:
    """The entries, with git's own id for each file that is what its LFS pointer promises.

    LFS itself is never started: the digest in the pointer is compared with the file.

    Args:
        repository: whose index names the pointers.
        found: files of that repository, in the order of `entries`.
        entries: the same files, read.
    """
    different = [
        file
        for file, entry in zip(found, entries, strict=True)
        if file.index_oid is not None and entry.git_oid != file.index_oid
    ]
    if not different:
        return list(entries)
    promised = _promised(repository, [file.index_oid for file in different if file.index_oid])
    return [
        replace(entry, git_oid=file.index_oid)
        if file.index_oid in promised and _holds(repository.top, file, promised[file.index_oid])
        else entry
        for file, entry in zip(found, entries, strict=True)
    ]


def _promised(repository: git.Repository, oids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of the file behind each object that is a pointer."""
    small = [oid for oid, size in blob_sizes(repository, oids).items() if size <= _POINTER_MAX]
    asked = "".join(f"{oid}\n" for oid in small).encode("ascii")
    rest = git.tell(repository.top, "cat-file", "--batch", stdin=asked).stdout
    result = {}
    while rest:
        head, _, rest = rest.partition(b"\n")
        oid, _, size = head.decode("ascii").split(" ")
        body, rest = rest[: int(size)], rest[int(size) + 1 :]
        fields = dict(line.split(b" ", 1) for line in body.splitlines() if b" " in line)
        digest, length = fields.get(b"oid", b""), fields.get(b"size", b"")
        if digest.startswith(b"sha256:") and length.isdigit():
            result[oid] = (digest.decode("ascii", "replace").removeprefix("sha256:"), int(length))
    return result


def _holds(top: Path, file: Found, promise: tuple[str, int]) -> bool:
    digest, size = promise
    if file.stat.st_size != size:
        return False
    with open(top / os.fsdecode(file.path), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == digest
