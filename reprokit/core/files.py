"""Files that `reprokit.inside.files` has no words for: large ones, and ones written often."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from reprokit.inside.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 20


class DigestingWriter:
    """A binary stream that knows the SHA-256 of what went through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Write `data` and return how many bytes it had."""
        count = memoryview(data).nbytes
        self._stream.write(data)
        self._digest.update(data)
        self.size += count
        return count

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._stream.flush()

    @property
    def sha256(self) -> str:
        """The digest so far, in hexadecimal."""
        return self._digest.hexdigest()


@contextmanager
def staged(path: Path) -> Iterator[tuple[Path, DigestingWriter]]:
    """Write a file beside `path`: on the disk when the block ends, gone if the block fails.

    The caller gives it its name with `commit`, when all that must come first has been done.
    """
    temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as stream:
            yield temporary, DigestingWriter(stream)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def commit(temporary: Path, path: Path) -> None:
    """Give a staged file its name, durably: a reader meets the old file or the new one."""
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(str(path.parent))


def replace_undurably(path: Path, data: bytes) -> None:
    """Atomically make `path` hold `data`, without fsync: it may be lost with the machine.

    For what is rewritten several times a second and means nothing after a power cut.
    """
    temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sha256_of(stream: IO[bytes]) -> str:
    """The digest, in hexadecimal, of what is left in `stream`."""
    digest = hashlib.sha256()
    while piece := stream.read(CHUNK):
        digest.update(piece)
    return digest.hexdigest()
