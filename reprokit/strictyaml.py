"""Strict YAML: the bytes of a file -> a tree of values with places, or an error with the line.

PyYAML reads the syntax; what it means is decided here. Scalars follow the core schema of YAML 1.2
(`1e-3` is a number; `NO`, `on` and `12:30` are text). Doubled keys, tags, directives, merge keys,
keys that are not text and second documents are errors. Size, depth and number of values (counting
what aliases repeat) are bounded: no file exhausts memory or time.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reprokit.errors import ConfigError
from reprokit.suggest import did_you_mean
from reprokit.yamltree import Mark, Node, Plain, Scalar

__all__ = ["Mark", "Node", "Plain", "Scalar", "load", "parse", "parse_value", "read", "shown"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_ALIASES = 100
# libyaml takes keys of 1,024 characters as written, which is this many when all are escaped.
MAX_KEY = 128
# A longer number is past 64 bits, or noise (Python itself stops at 4,300 digits).
_MAX_DIGITS = 400


def shown(text: str, most: int = 60) -> str:
    """`text` for people: of a bearable length, and with nothing that could steer a terminal."""
    cut = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)


def load(path: Path) -> Node:
    """The tree of the YAML file `path`. Raises ConfigError as `read` and `parse` do."""
    return parse(read(path), str(path))


def read(path: Path) -> bytes:
    """The bytes of the regular file `path`, in one look; of one that is too large, the beginning.

    Raises:
        ConfigError: it is missing, unreadable, or not a regular file (a folder, a pipe).
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to must not hang.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigError("not-a-file", "this is no file", where=str(path), hint=_NAME_FILE)
            data = b""
            while len(data) <= MAX_BYTES and (piece := os.read(handle, MAX_BYTES + 1 - len(data))):
                data += piece
            return data
        finally:
            os.close(handle)
    except OSError as error:
        raise _unreadable(path, error) from error


_NAME_FILE = "name a YAML file, for example `projects/digits/config.yaml`"


def _unreadable(path: Path, error: OSError) -> ConfigError:
    if isinstance(error, FileNotFoundError):
        near = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
        hint = (
            did_you_mean(path.name, sorted(file.name for file in near if file.name[0] != "."))
            or _NAME_FILE
        )
        return ConfigError("no-file", "there is no such file", where=str(path), hint=hint)
    reason = (error.strerror or str(error)).lower()
    hint = "`ls -ld` shows who may read it" if isinstance(error, PermissionError) else _NAME_FILE
    return ConfigError("unreadable", f"cannot read this: {reason}", where=str(path), hint=hint)


def parse(data: bytes, source: str) -> Node:
    """The tree of one YAML document; `source` is the name that errors give to the file.

    Raises:
        ConfigError: it is no strict YAML (see the top of this module), or it is past a limit.
    """
    if len(data) > MAX_BYTES:
        message = f"the file holds more than {MAX_BYTES:,} bytes"
        raise ConfigError("too-large", message, where=source, hint="keep data in other files")
    return _Composer(_Text(_decoded(data, source), source)).document()


def parse_value(text: str, source: str) -> Node:
    """The value of an option: one YAML 1.2 scalar, or what a quote, `[` or `{` begins.

    Raises:
        ConfigError: it is no strict YAML; `source` is the name that the error gives to the option.
    """
    text = text.strip()
    if text.startswith(("'", '"', "[", "{")):
        return parse(text.encode("utf-8", "surrogateescape"), source)
    value, mark = _Text(text, source), Mark(source)
    value.refuse_odd_characters()
    return Node(value.resolved(text, mark), mark, raw=text)


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = str(Mark(source, line, error.start - data.rfind(b"\n", 0, error.start)))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise ConfigError("not-utf8", message, where=where, hint="save it as UTF-8") from error


# Line breaks of YAML 1.1 (libyaml folds them away) but not of 1.2, and the byte order mark.
_INVISIBLE = "\x85\u2028\u2029\ufeff"
# What an escape in double quotes can make, and no argument, path or file of text can hold.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_BREAK = re.compile(r"\r\n|\r|\n")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_BASES = {"0o": 8, "0x": 16}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}


class _Text(NamedTuple):
    """The text of a document: what its scalars mean, and errors that show the line."""

    text: str
    source: str

    def error(self, mark: Mark, message: str, hint: str | None = None) -> ConfigError:
        """The error `message` about the place `mark`, with its line and a caret."""
        return ConfigError("bad-yaml", message + self._shown(mark), where=str(mark), hint=hint)

    def _shown(self, mark: Mark) -> str:
        lines = _BREAK.split(self.text)
        if not 0 < mark.line <= len(lines):
            return ""
        begin = max(0, mark.column - 40)
        line = lines[mark.line - 1][begin : begin + 72].replace("\t", " ")
        visible = "".join(char if char.isprintable() else "?" for char in line)
        return f"\n    {visible}\n    {' ' * (mark.column - 1 - begin)}^"

    def mark_at(self, index: int) -> Mark:
        """The place of the character `index`."""
        before = _BREAK.split(self.text[:index])
        return Mark(self.source, len(before), len(before[-1]) + 1)

    def refuse_odd_characters(self) -> None:
        """Refuse control characters, and those that libyaml would read in a way of its own."""
        if self.text.isascii() and self.text.replace("\n", "").isprintable():
            return
        from yaml.reader import Reader

        match = Reader.NON_PRINTABLE.search(self.text)
        odd = [match.start()] if match else []
        odd += [index for index in map(self.text.find, _INVISIBLE) if index >= 0]
        if odd:
            name = f"U+{ord(self.text[min(odd)]):04X}"
            hint = f'write it as "\\u{name[2:]}", in double quotes, where it is meant'
            raise self.error(self.mark_at(min(odd)), f"{name} cannot stand in a text file", hint)

    def refuse_directives(self) -> None:
        """Refuse `%` lines: libyaml reads many of them in quadratic time; no config needs one."""
        index = ("\n" + self.text.replace("\r", "\n")).find("\n%")
        if index >= 0:
            message = "no line may begin with `%` (directives are not allowed)"
            hint = "remove the line; where it is text, indent it"
            raise self.error(self.mark_at(index), message, hint)

    def resolved(self, raw: str, mark: Mark) -> Scalar:
        """What an unquoted scalar means in the core schema of YAML 1.2."""
        if raw in _CONSTANTS:
            return _CONSTANTS[raw]
        integer = _INTEGER.fullmatch(raw) is not None
        if not integer and not _FLOAT.fullmatch(raw):
            return raw
        if len(raw) <= _MAX_DIGITS:
            if not integer:
                return float(raw)
            number = int(raw[2:], _BASES[raw[:2]]) if raw[:2] in _BASES else int(raw)
            if -(2**63) <= number < 2**64:
                return number
        raise self.error(mark, "the number does not fit 64 bits", "quote it where it is text")


class _Composer:
    """Parser events -> one tree of nodes, within the limits."""

    def __init__(self, text: _Text) -> None:
        text.refuse_odd_characters()
        text.refuse_directives()
        self._text = text
        self._parser = _parser(text.text)
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliases = 0

    def document(self) -> Node:
        """The one document; everything after it is an error."""
        self._next()
        if _kind(self._next()) == "StreamEnd":
            source = self._text.source
            raise ConfigError("empty-file", "it holds no value", where=source, hint=_NAME_FILE)
        root = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if _kind(after) != "StreamEnd":
            raise self._error(after, "a second document begins here", "keep one document a file")
        return root

    def _next(self) -> Any:
        """The next event; the syntax errors of PyYAML become ours."""
        from yaml.error import MarkedYAMLError

        try:
            return self._parser.get_event()
        except MarkedYAMLError as error:
            raise self._syntax_error(error) from error

    def _syntax_error(self, error: Any) -> ConfigError:
        message = ", ".join(part for part in (error.context, error.problem) if part)
        hint = next((hint for part, hint in _HINTS.items() if part in message), None)
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
        places = [Mark(self._text.source, mark.line + 1, mark.column + 1) for mark in marks]
        # What is missing at the end of the file is better shown where it was opened.
        place = places[-1] if marks[0].index >= len(self._text.text) else places[0]
        return self._text.error(place, message, hint)

    def _mark(self, event: Any) -> Mark:
        return Mark(self._text.source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _error(self, event: Any, message: str, hint: str | None = None) -> ConfigError:
        return self._text.error(self._mark(event), message, hint)

    def _node(self, event: Any, depth: int) -> Node:
        if _kind(event) == "Alias":
            return self._alias(event)
        if event.tag is not None:
            raise self._error(event, "tags are not allowed", "remove what begins with `!`")
        if event.anchor in self._anchors:
            raise self._error(event, f"the anchor `&{event.anchor}` is there twice")
        if depth >= MAX_DEPTH:
            raise self._error(event, f"values are nested more than {MAX_DEPTH} levels deep")
        self._count(event, 1)
        if event.anchor is None:
            return self._content(event, depth)
        self._anchors[event.anchor] = None  # known, but not to be used before its end
        node = self._anchors[event.anchor] = self._content(event, depth)
        return node

    def _content(self, event: Any, depth: int) -> Node:
        if _kind(event) == "MappingStart":
            return self._mapping(event, depth)
        return (
            self._sequence(event, depth) if _kind(event) == "SequenceStart" else self._scalar(event)
        )

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES:,} values (aliases count in full)")

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._error(event, f"there is no anchor `&{event.anchor}` before this")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._error(event, f"`*{event.anchor}` stands inside of what it names")
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._error(event, f"more than {MAX_ALIASES} aliases", "write the values out")
        self._count(event, node.size)
        return node

    def _scalar(self, event: Any) -> Node:
        if _UNUSABLE.search(event.value):
            raise self._error(event, "the text holds a character that no program can be given")
        mark = self._mark(event)
        if event.style:
            return Node(event.value, mark, event.value, quoted=True)
        return Node(self._text.resolved(event.value, mark), mark, event.value)

    def _sequence(self, event: Any, depth: int) -> Node:
        items: list[Node] = []
        while _kind(child := self._next()) != "SequenceEnd":
            items.append(self._node(child, depth + 1))
        return Node(tuple(items), self._mark(event), size=1 + sum(item.size for item in items))

    def _mapping(self, event: Any, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while _kind(child := self._next()) != "MappingEnd":
            key = self._key(child, keys)
            keys[key] = self._mark(child)
            values[key] = self._node(self._next(), depth + 1)
        size = 1 + sum(value.size for value in values.values())
        return Node(values, self._mark(event), keys=keys, size=size)

    def _key(self, event: Any, known: Mapping[str, Mark]) -> str:
        if _kind(event) != "Scalar" or event.tag is not None or event.anchor is not None:
            raise self._error(event, "a key must be text alone", "write it as in `key: value`")
        node = self._scalar(event)
        key = node.value
        if not isinstance(key, str):
            raise self._error(event, "a key must be text", f'quote it: `"{node.raw}": ...`')
        if key == "<<" and not node.quoted:
            raise self._error(event, "merge keys (`<<`) are not allowed", "write the keys out")
        if len(key) > MAX_KEY:
            raise self._error(event, f"the key is longer than {MAX_KEY} characters")
        if key in known:
            hint = f"remove it, or the one on line {known[key].line}"
            raise self._error(event, f"the key `{shown(key)}` is there twice", hint)
        return key


_HINTS = {
    "cannot start any token": "indent with spaces, not tabs; quote text that begins with @, % or `",
    "mapping values are not allowed": "quote text that holds `: `",
    "did not find expected key": "keys of one mapping begin in the same column",
    "expected <block end>": "keys of one mapping begin in the same column",
    "unexpected end of stream": "a quote is not closed",
    "expected ',' or": "close the bracket, or put a comma between the values",
}


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _parser(text: str) -> Any:
    """PyYAML's event parser: libyaml where PyYAML was built with it, else the one in Python."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        from yaml.loader import BaseLoader

        return BaseLoader(text)
    return CParser(text)
