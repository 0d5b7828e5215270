"""Writing a file so that a reader meets the old bytes or the new ones, never half of them."""

from __future__ import annotations

import binascii
import os

# `json` and `typing` take 6 and 3 ms to import; the hook, at every exit, needs neither.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def replace_bytes(
    path: str, data: bytes, *, mode: int = 0o666, durable: bool = True, settle: bool = True
) -> None:
    """Atomically make `path` hold `data`: temp file, fsync, rename, fsync of the folder.

    With `durable` off the disk is not waited for (8 ms), with `settle` off the folder is not: for
    what a later write settles anyway.
    """
    folder = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(folder, ".tmp-" + binascii.hexlify(os.urandom(8)).decode("ascii"))
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        raise
    if durable and settle:
        sync_folder(folder)


def replace_json(path: str, value: object, *, durable: bool = True, settle: bool = True) -> None:
    """Atomically write `value` as indented JSON that people can read and `diff` can compare."""
    replace_bytes(path, json_text(value).encode("utf-8"), durable=durable, settle=settle)


def json_text(value: object) -> str:
    """`value` as every JSON file of ours is written: indented, in the order given, no NaN."""
    import json

    return json.dumps(value, indent=1, sort_keys=False, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in `path`. Raises OSError or ValueError."""
    import json

    with open(path, "rb") as stream:
        text = stream.read().decode("utf-8")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("%s is nested too deeply" % path) from None
    if not isinstance(value, dict):
        raise ValueError("%s does not hold a JSON object" % path)  # noqa: TRY004 - as bad as no JSON
    return value


def sync_folder(folder: str) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
