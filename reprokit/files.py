"""Files of ours: atomic writes, hashing and locks that die with their holder."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reprokit.errors import LockedError, MachineError
from reprokit.inside import files as inside_files
from reprokit.inside.removal import remove_tree

CHUNK = 1 << 20


def write_bytes(path: Path, data: bytes) -> None:
    """Atomically make `path` hold `data` (see `reprokit.inside.files`).

    Raises:
        MachineError: the file system refused (full, read-only, no permission); the old file is intact.
    """
    with _told(path):
        inside_files.replace_bytes(str(path), data)


def write_text(path: Path, text: str) -> None:
    """Atomically make `path` hold `text` in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Atomically write `value` as indented JSON."""
    with _told(path):
        inside_files.replace_json(str(path), value)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises OSError or ValueError as it finds them."""
    return inside_files.read_json(str(path))


def sync_tree(folder: Path, *, skip: Path) -> None:
    """Make the files of `folder`, written without waiting for the disk, survive a power cut.

    So does its own name. Its subfolders are not looked into.

    All at once: the file system then writes its journal once and not once for each.

    Raises:
        MachineError: the disk failed.
    """
    # Not `concurrent.futures`: it imports `logging`, 3 ms for nothing.
    from threading import Thread

    inside = [path for path in folder.iterdir() if path != skip and not path.is_dir()]
    paths = [folder.parent, folder, *inside]
    failures: list[OSError] = []
    threads = [Thread(target=_sync, args=(paths[n::8], failures)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failures:
        with _told(folder):
            raise error


def _sync(paths: Sequence[Path], failures: list[OSError]) -> None:
    for path in paths:
        try:
            _sync_one(path)
        except OSError as error:
            failures.append(error)


def _sync_one(path: Path) -> None:
    try:
        # What a training has put here by now may be a fifo, a socket or unreadable: none of that is ours.
        if stat.S_IFMT(path.lstat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            return
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(prefix: str) -> Path:
    """A new folder for temporary files that only the user can enter (`$TMPDIR`, else `/tmp`).

    As `tempfile.mkdtemp`, which takes 3 ms to import.
    """
    base = _temporary()
    while True:
        folder = base / f"{prefix}{os.urandom(6).hex()}"
        with _told(base), suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder.absolute()


def drop_private_folder(folder: Path) -> None:
    """Remove a folder that `private_folder` made, if it is still there.

    Its path comes from a record, which is only data: nothing but a folder of such a name and place, of this user,
    is removed.
    """
    if folder.parent != _temporary().absolute() or not folder.name.startswith("reprokit-"):
        return
    with suppress(OSError):
        facts = folder.lstat()
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid():
            remove_tree(str(folder))


def _temporary() -> Path:
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - names in it are random, folders 0700


def sha256_bytes(data: bytes) -> str:
    """The digest of `data` as `sha256:HEX`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The digest of a file's bytes as `sha256:HEX`, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold the lock file `path` (flock: the kernel frees it when its holder dies, however it dies).

    Yields:
        The descriptor that holds the lock.

    Raises:
        LockedError: another process holds it and `wait` is false.
    """
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise LockedError(
                "locked", "another process of ReproKit is using this", where=str(path)
            ) from None
        yield handle
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether some living process holds the lock file `path`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


_REASONS = {
    errno.ENOSPC: (
        "disk-full",
        "no space is left on the device",
        "free some space, then run the command again",
    ),
    errno.EDQUOT: (
        "disk-full",
        "your disk quota is used up",
        "free some space, then run the command again",
    ),
    errno.EROFS: ("read-only", "the file system is read-only", None),
    errno.EACCES: ("no-permission", "permission denied", None),
    errno.EPERM: ("no-permission", "operation not permitted", None),
}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the operating system's word about `path` into an error that a person can act on."""
    try:
        yield
    except OSError as error:
        code, reason, hint = _REASONS.get(error.errno or 0, ("write-failed", str(error), None))
        raise MachineError(code, f"cannot write: {reason}", where=str(path), hint=hint) from error
