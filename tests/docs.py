"""Pages of documentation taken apart: their commands, blocks, tables and links. No tests in here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.conftest import REPOSITORY

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else stands behind that, and its text."""

    language: str
    words: tuple[str, ...]
    body: str

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """Each command of a console block with the lines that are shown below it."""
        for step in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
            command, *shown = step.splitlines()
            yield command, shown


@dataclass(frozen=True)
class Section:
    """A heading, and what stands below it up to the next one."""

    title: str
    text: str

    @property
    def name(self) -> str:
        """The heading without backticks."""
        return self.title.replace("`", "")

    def table(self, heading: str) -> list[list[str]]:
        """The cells of the table whose first column has that heading; the heading is left out."""
        rows = [[cell.strip() for cell in _CELL.split(row)] for row in _ROW.findall(self.text)]
        begin = next(at for at, row in enumerate(rows) if row[0] == heading) + 2
        more = (at for at in range(begin, len(rows)) if set("".join(rows[at])) <= set("-: "))
        return rows[begin : next(more, len(rows) + 1) - 1]

    def keys(self, heading: str = "key") -> list[str]:
        """The first column of a table: what stands there in backticks."""
        return [row[0].strip("`") for row in self.table(heading)]


@dataclass(frozen=True)
class Page:
    """One file of documentation."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return str(self.path.relative_to(REPOSITORY))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """It without its blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """Its fenced blocks."""
        return blocks(self.text)

    @property
    def anchors(self) -> set[str]:
        """Where links into it can lead, as GitHub names its headings."""
        return {
            re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            for title in _HEADING.findall(self.prose)
        }

    @property
    def sections(self) -> dict[str, Section]:
        """Its sections by heading, without backticks."""
        found = re.split(r"^## +(.+)$", self.text, flags=re.MULTILINE)[1:]
        pairs = zip(found[::2], found[1::2], strict=True)
        return {one.name: one for one in (Section(title, text) for title, text in pairs)}

    @property
    def inline(self) -> list[str]:
        """What stands in backticks in its prose."""
        return re.findall(r"`([^`\n]+)`", self.prose)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text."""
    found = []
    for fence in _FENCE.finditer(text):
        language, *words = fence["info"].split() or [""]
        found.append(Block(language, tuple(words), fence["body"]))
    return found


PAGES = [
    Page(path)
    for path in (
        *(REPOSITORY / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
        *sorted((REPOSITORY / "docs").glob("*.md")),
        *sorted((REPOSITORY / "projects").glob("*/README.md")),
    )
]


def page(name: str) -> Page:
    """A page by its path in the repository."""
    return Page(REPOSITORY / name)


# What differs from run to run, most telling first: ids, times, digests, numbers.
_WILD = {
    "id": r"\d{8}-\d{6}-[a-z]+-[a-z]+",
    "time": r"\d+(?:\.\d+)? (?:s|min|h)(?: \d+ (?:s|min))?\b",
    "digest": r"\b[0-9a-f]{7,64}\b",
    "number": r"\d+(?:\.\d+)?(?:e[+-]?\d+)?",
    "any": r"\.\.\.",
    "space": r"\s+",
}
_VARIES = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in _WILD.items()))


def pattern(shown: str) -> re.Pattern[str]:
    """What a line of shown output stands for: the same words with any ids, times and numbers; `...` is anything."""
    rule, at = "", 0
    for found in _VARIES.finditer(shown):
        kind = str(found.lastgroup)
        rule += re.escape(shown[at : found.start()]) + (".*" if kind == "any" else _WILD[kind])
        at = found.end()
    return re.compile(rule + re.escape(shown[at:]))


def missing(shown: list[str], printed: str) -> str | None:
    """The first line of shown output that was not printed, in this order; None when all were."""
    lines = iter(line.rstrip() for line in printed.splitlines())
    for line in shown:
        if line != "..." and not any(pattern(line).fullmatch(real) for real in lines):
            return line
    return None
