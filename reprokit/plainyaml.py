"""The plain kind of YAML that most configs are -> the tree that `strictyaml` makes of it, without PyYAML.

Importing PyYAML takes 11 ms, a tenth of all that a run may cost. Plain are: printable ASCII, one
`key: value` a line, nested by indentation, with values that are one word or words, in quotes
without escapes, or a `{...}` or `[...]` of such on the same line. Whatever else a file holds, or is
wrong with it, the answer is None, and PyYAML reads it all. tests/test_plainyaml.py holds the two
against each other.
"""

import re
from collections.abc import Callable

from reprokit.errors import ConfigError
from reprokit.yamltree import Mark, Node, Scalar

# Within these no regular expression takes long, and no limit of `strictyaml` is met.
_MOST_TEXT, _MOST_LINE, _MOST_LEVELS = 16_000, 500, 8
_KEY = r"[A-Za-z_][A-Za-z0-9_.-]{0,62}"
_LINE = re.compile(
    rf" *(?:#.*)?|(?P<indent> *)(?P<key>{_KEY}):(?: +(?P<value>[^ #].*?))?(?: *| +#.*)"
)
_QUOTED = r"\"[^\"\\]*\"|'[^']*'"
# Outside of brackets a value goes to the end of its line, whatever is in it but `: ` and ` #`.
_VALUE = re.compile(rf"{_QUOTED}|-?[A-Za-z0-9_./(](?:[^:#]|:(?=[^ ])|(?<=[^ ])#)*")
_WORD = re.compile(rf"{_QUOTED}|-?[A-Za-z0-9_./][A-Za-z0-9_./+-]*")
_GAP = re.compile(" *")

Resolve = Callable[[str, Mark], Scalar]


class _NotPlain(Exception):  # noqa: N818 - a signal: PyYAML shall read it
    """Here is something that is not plain."""


def tree(text: str, source: str, resolve: Resolve) -> Node | None:
    """The tree of a plain document; None where it is not one, or not a right one.

    Args:
        text: the document.
        source: its name in marks.
        resolve: what an unquoted scalar means, and whether it is one at all (ConfigError).
    """
    if not text.isascii() or not text.replace("\n", "").isprintable() or len(text) > _MOST_TEXT:
        return None
    try:
        return _Document(text, source, resolve).root()
    except (_NotPlain, ConfigError):
        return None


class _Document:
    """The lines that say something, taken one after the other."""

    def __init__(self, text: str, source: str, resolve: Resolve) -> None:
        self._source = source
        self._resolve = resolve
        self._lines: list[tuple[int, re.Match[str]]] = []
        self._next = 0
        for number, row in enumerate(text.split("\n"), 1):
            match = _LINE.fullmatch(row) if len(row) <= _MOST_LINE else None
            if match is None:
                raise _NotPlain
            if match["key"] is not None:
                self._lines.append((number, match))

    def root(self) -> Node:
        """The document's one mapping."""
        if not self._lines or self._indent() != 0:
            raise _NotPlain
        node = self._mapping(0, 0)
        if self._next < len(self._lines):
            raise _NotPlain
        return node

    def _indent(self) -> int:
        """How far the next line is indented; -1 after the last."""
        if self._next == len(self._lines):
            return -1
        return len(self._lines[self._next][1]["indent"])

    def _mapping(self, indent: int, level: int) -> Node:
        if level > _MOST_LEVELS:
            raise _NotPlain
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        begin = self._mark(*self._lines[self._next], "key")
        while self._indent() == indent:
            number, line = self._lines[self._next]
            self._next += 1
            self.take_key(line["key"], self._mark(number, line, "key"), keys)
            values[line["key"]] = self._entry(number, line, indent, level)
        if self._indent() > indent:
            raise _NotPlain
        return _mapping(values, keys, begin)

    def _entry(self, number: int, line: "re.Match[str]", indent: int, level: int) -> Node:
        if line["value"] is not None:
            return self._value(line["value"].rstrip(" "), self._mark(number, line, "value"))
        if self._indent() > indent:
            return self._mapping(self._indent(), level + 1)
        # As PyYAML has it, nothing stands right behind the colon.
        return Node(None, Mark(self._source, number, line.end("key") + 2))

    def _mark(self, number: int, line: "re.Match[str]", group: str) -> Mark:
        return Mark(self._source, number, line.start(group) + 1)

    def take_key(self, text: str, mark: Mark, known: dict[str, Mark]) -> None:
        """Add a key to those of its mapping; it must be text, and new."""
        if text in known or not isinstance(self._resolve(text, mark), str):
            raise _NotPlain
        known[text] = mark

    def _value(self, text: str, mark: Mark) -> Node:
        if text[0] in "{[":
            flow = _Flow(self, text, mark)
            node = flow.node(0)
            flow.end()
            return node
        if not _VALUE.fullmatch(text):
            raise _NotPlain
        return self.scalar(text, mark)

    def scalar(self, text: str, mark: Mark) -> Node:
        """A value in quotes, or one that means what it says."""
        if text[0] in "\"'":
            return Node(text[1:-1], mark, text[1:-1], quoted=True)
        return Node(self._resolve(text, mark), mark, text)


class _Flow:
    """A value in brackets, on one line."""

    def __init__(self, document: _Document, text: str, mark: Mark) -> None:
        self._document = document
        self._text = text
        self._mark = mark
        self._at = 0

    def node(self, level: int) -> Node:
        """The value that begins here."""
        if level > _MOST_LEVELS:
            raise _NotPlain
        mark = self._here()
        if self._took("{"):
            return self._mapping(mark, level)
        if self._took("["):
            return self._sequence(mark, level)
        return self._document.scalar(self._word(), mark)

    def end(self) -> None:
        """Nothing may follow."""
        if self._at < len(self._text):
            raise _NotPlain

    def _mapping(self, mark: Mark, level: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not self._took("}"):
            self._separated(later=bool(values))
            place, key = self._here(), self._word()
            if not re.fullmatch(_KEY, key) or not self._took(":") or not self._gap():
                raise _NotPlain
            self._document.take_key(key, place, keys)
            values[key] = self.node(level + 1)
        return _mapping(values, keys, mark)

    def _sequence(self, mark: Mark, level: int) -> Node:
        items: list[Node] = []
        while not self._took("]"):
            self._separated(later=bool(items))
            items.append(self.node(level + 1))
        return Node(tuple(items), mark, size=1 + sum(item.size for item in items))

    def _separated(self, *, later: bool) -> None:
        if later and not (self._took(",") and self._gap()):
            raise _NotPlain

    def _took(self, char: str) -> bool:
        """Whether `char` comes next, spaces aside; it is taken then."""
        at = self._skipped()
        if self._text[at : at + 1] != char:
            return False
        self._at = at + 1
        return True

    def _gap(self) -> bool:
        """Take spaces; false where there are none."""
        before, self._at = self._at, self._skipped()
        return self._at > before

    def _skipped(self) -> int:
        match = _GAP.match(self._text, self._at)
        return match.end() if match else self._at

    def _word(self) -> str:
        match = _WORD.match(self._text, self._at)
        if match is None:
            raise _NotPlain
        self._at = match.end()
        return match[0]

    def _here(self) -> Mark:
        self._at = self._skipped()
        return self._mark._replace(column=self._mark.column + self._at)


def _mapping(values: dict[str, Node], keys: dict[str, Mark], mark: Mark) -> Node:
    size = 1 + sum(value.size for value in values.values())
    return Node(values, mark, keys=keys, size=size)
