"""A YAML document as a tree: values, what was written, and where."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from reprokit.values import dataclass, field

Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"


class Mark(NamedTuple):
    """A place: file (or option), line and column, both from 1. Line 0 means the file as a whole."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: a scalar, a tuple of nodes, or a dictionary of nodes.
        mark: where the value begins; for what an alias names, where the anchor is.
        raw: the characters of a scalar as written (`3.10` stays `3.10`), without quotes.
        quoted: whether a scalar stands in quotes or as a block, and so is text whatever it says.
        keys: for a mapping, where each key stands.
        size: how many values it holds, itself and expanded aliases included.
    """

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    mark: Mark
    raw: str = ""
    quoted: bool = False
    keys: Mapping[str, Mark] = field(default_factory=dict)
    size: int = 1

    @property
    def line(self) -> int:
        """The line on which the value begins, from 1."""
        return self.mark.line

    @property
    def column(self) -> int:
        """The column at which the value begins, from 1."""
        return self.mark.column

    def plain(self) -> Plain:
        """The value as ordinary Python: dict, list, str, int, float, bool or None."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        return self.value
