"""The source of a workspace without a repository, as a tar file: same files, same bytes."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH102, PTH115, PTH118, PTH120, PTH211

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from reprokit.errors import IntegrityError, MachineError
from reprokit.inside.files import sync_folder
from reprokit.source.blobs import blob_id, open_regular, unreadable
from reprokit.source.model import FILE, LINK, PROGRAM, Entry, Found, shown
from reprokit.source.tree import tree_id

if TYPE_CHECKING:
    import tarfile

_CHUNK = 1 << 20


class _Hashed:
    """A stream that knows git's id of the `size` bytes that were read from, or written to, it."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._stream.write(data)

    @property
    def oid(self) -> str:
        return self._digest.hexdigest()


def pack(root: Path, found: Sequence[Found], target: Path) -> list[Entry]:
    """Write the files into the tar file `target`; owner and time do not enter.

    Raises:
        MachineError: a file cannot be read, or changes while it is; `target` cannot be written.
    """
    import tarfile

    entries = []
    with (
        _replacing(target) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        for file in found:
            info = tarfile.TarInfo(os.fsdecode(file.path))
            info.mode = 0o755 if file.mode == PROGRAM else 0o644
            entries.append(_pack_one(os.fsencode(root), file, tar, info))
    return entries


def unpack(archive: Path, destination: Path) -> str:
    """Write the files of `archive` into the empty folder `destination`.

    Returns:
        The id of the tree that was written.

    Raises:
        IntegrityError: it holds something else than what `pack` writes (devices, hard links, names
            that lead out, files behind links) or is cut off.
    """
    import tarfile

    top, folders = os.fsencode(destination), {b""}
    try:
        with tarfile.open(archive, mode="r:", encoding="utf-8") as tar:
            entries = [_unpack_one(tar, info, top, folders) for info in tar]
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityError(
            "bad-archive", f"the archive is damaged: {error}", where=str(archive)
        ) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise IntegrityError(
            "bad-archive", "the archive has a file in another's place", where=str(error.filename)
        ) from error
    return tree_id(entries)


def _pack_one(top: bytes, file: Found, tar: "tarfile.TarFile", info: "tarfile.TarInfo") -> Entry:
    import tarfile

    path = os.path.join(top, file.path)
    try:
        if file.mode == LINK:
            target = os.readlink(path)
            info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(target)
            tar.addfile(info)
            oid = blob_id(target, "sha1")
        else:
            with open_regular(path) as stream:
                info.size = os.fstat(stream.fileno()).st_size
                hashed = _Hashed(stream, info.size)
                tar.addfile(info, hashed)  # type: ignore[arg-type]  # it needs `read` only
                oid = hashed.oid
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise  # the archive's trouble, not the file's
        raise unreadable(path, error) from error
    return Entry(file.path, file.mode, oid, oid)


def _unpack_one(
    tar: "tarfile.TarFile", info: "tarfile.TarInfo", top: bytes, folders: set[bytes]
) -> Entry:
    path = os.fsencode(info.name)
    if path.startswith(b"/") or any(
        part in (b"", b".", b"..", b".git") for part in path.split(b"/")
    ):
        raise _refused(path, "its name leads out of the source")
    _make_folder(top, os.path.dirname(path), folders)
    place = os.path.join(top, path)
    if info.issym():
        os.symlink(os.fsencode(info.linkname), place)
        oid = blob_id(os.fsencode(info.linkname), "sha1")
        return Entry(path, LINK, oid, oid)
    stream = tar.extractfile(info) if info.isreg() and not info.issparse() else None
    if stream is None:
        raise _refused(path, "it is neither a file nor a link")
    program = bool(info.mode & 0o100)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags, 0o777 if program else 0o666), "wb") as target:
        hashed = _Hashed(target, info.size)
        while piece := stream.read(_CHUNK):
            hashed.write(piece)
    return Entry(path, PROGRAM if program else FILE, hashed.oid, hashed.oid)


def _make_folder(top: bytes, folder: bytes, made: set[bytes]) -> None:
    """Make `folder` and those above it; fail where something else is in the way."""
    if folder in made:
        return
    _make_folder(top, os.path.dirname(folder), made)
    os.mkdir(os.path.join(top, folder))
    made.add(folder)


def _refused(path: bytes, reason: str) -> IntegrityError:
    return IntegrityError(
        "bad-archive", f"the archive holds what no source has: {reason}", where=shown(path)
    )


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A stream that becomes the file `target` once all of it is written."""
    temporary = target.with_name(f".tmp-{target.name}-{os.getpid()}")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
        sync_folder(str(target.parent))
    except OSError as error:
        text = f"the archive of the source cannot be written: {error.strerror or error}"
        raise MachineError("source-not-stored", text, where=str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)
