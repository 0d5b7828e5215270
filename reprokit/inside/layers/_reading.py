"""Small readers for every gatherer: a file's text or None, text that survives JSON in UTF-8."""

from __future__ import annotations

import os


def text(path: str, limit: int = -1) -> str | None:
    """The stripped text of a file (its first `limit` bytes), or None where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read(limit).decode("utf-8", "replace").strip()
    except OSError:
        return None


def number(path: str) -> int | None:
    """The whole number that a file holds, or None."""
    found = text(path, 64)
    return int(found) if found is not None and found.isdigit() else None


def names(folder: str) -> list[str]:
    """The sorted names in a folder; none where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def plain(value: str) -> str:
    """Text fit for UTF-8: bytes of file names or variables that are none are written as hex."""
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def reason(error: BaseException) -> str:
    """An exception as one line of a record."""
    return plain("%s: %s" % (type(error).__name__, error)) if str(error) else type(error).__name__
