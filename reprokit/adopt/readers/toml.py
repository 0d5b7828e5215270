"""TOML of a stranger -> plain values, and the lines on which they stand."""

import re
import tomllib
from typing import Any

from reprokit.adopt.model import Where
from reprokit.adopt.readers.lines import Unreadable

# tomllib walks all levels of a key for each of its parts: a key of thousands takes minutes.
_MAX_DOTS = 48
_COMMENT = re.compile(r"(?m)^[ \t]*#.*$")
_HEADING = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]+\"|'[^']+')\s*=")
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_DELIMITERS = re.compile(r"[=\n\[\]{},#]")


def parse(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        Unreadable: it is no TOML, or nested beyond reason.
    """
    if any(piece.count(".") > _MAX_DOTS for piece in _DELIMITERS.split(_COMMENT.sub("", text))):
        raise Unreadable("a key has more parts than any tool writes")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no valid TOML: {str(error)[:100]}") from error


def table(value: Any, *keys: str) -> dict[str, Any]:
    """The table at `keys`; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> list[str]:
    """The texts of a list; what is no text is left out."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


class Places:
    """Where in a file a word stands: TOML's values carry no lines, so the text is searched, once."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._keys: dict[tuple[str, str], int] = {}
        self._texts: dict[str, list[int]] = {}
        self._tables: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.splitlines(), 1):
            if heading := _HEADING.match(line):
                table = heading[1].strip()
                self._tables.setdefault(table, number)
            elif key := _KEY.match(line):
                name = key[1].strip("\"'")
                self._keys.setdefault((table, name), number)
                self._keys.setdefault(("", name), number)
            for double, single in _QUOTED.findall(line):
                self._texts.setdefault(double or single, []).append(number)

    def key(self, key: str, *, table: str = "") -> Where:
        """The line `key = ...`, below the heading `[table]` where one is named."""
        return Where(self._file, self._keys.get((table, key), 0))

    def table(self, *names: str) -> Where:
        """The heading `[a.b]`, or the first one below it."""
        name = ".".join(names)
        below = (number for table, number in self._tables.items() if table.startswith(f"{name}."))
        return Where(self._file, self._tables.get(name) or next(below, 0))

    def text(self, text: str, *, after: Where | None = None) -> Where:
        """The first line, from `after` on, that holds `text` in quotes."""
        start = after.line if after else 0
        numbers = self._texts.get(text, ())
        return Where(self._file, next((number for number in numbers if number >= start), 0))
