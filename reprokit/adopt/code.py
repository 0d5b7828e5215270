"""The Python of a repository, scripts and cells of notebooks: which modules it has, and what they import."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reprokit.adopt.model import Need, Note, Where
from reprokit.adopt.readers.lines import Unreadable
from reprokit.adopt.syntax import parsed
from reprokit.adopt.tree import MAX_NOTEBOOK, Tree

NAMES = Path(__file__).parent / "data" / "import_names.json"
MAX_MODULES = 1_000
# As syntax trees they take a hundred times as much memory.
MAX_CODE_IN_ALL = 2 << 20
MAX_CELLS = 2_000
_NOT_TRAINING = re.compile(
    r"(^|/)(tests?|docs?|examples?/docs|test_[^/]*\.py|conftest\.py|setup\.py)(/|$)"
)
_MAGIC = re.compile(r"^([ \t]*)[%!?].*$", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """A Python file, or one cell of a notebook (`explore.ipynb#cell3`)."""

    file: str
    tree: ast.Module
    text: str

    def where(self, node: ast.AST) -> Where:
        """The place of a node."""
        return Where(self.file, getattr(node, "lineno", 0))


@dataclass(frozen=True)
class Import:
    """A module that is imported, by its dotted name."""

    name: str
    where: Where


def modules(tree: Tree) -> tuple[Module, ...]:
    """Every module of the repository that can be parsed; the others are noted in `tree`."""
    files = [file for file in tree.files if file.endswith(".py") and not _NOT_TRAINING.search(file)]
    found: list[Module] = []
    size = 0
    for number, file in enumerate(files):
        if number >= MAX_MODULES or size > MAX_CODE_IN_ALL:
            tree.skip(".", f"of {len(files):,} Python files only the first {number:,} were read")
            break
        text = tree.text(file) or ""
        size += len(text)
        try:
            found += [Module(file, parsed(text), text)]
        except Unreadable as error:
            tree.skip(file, str(error))
    return tuple(found)


def notebooks(tree: Tree) -> dict[str, tuple[Module, ...]]:
    """The code cells of every notebook; lines of magic (`%`, `!`) count as nothing."""
    found: dict[str, tuple[Module, ...]] = {}
    for file in (file for file in tree.files if file.endswith(".ipynb")):
        text = tree.text(file, MAX_NOTEBOOK)
        try:
            found[file] = tuple(_cells(file, text)) if text is not None else ()
        except Unreadable as error:
            tree.skip(file, str(error))
    return found


def _cells(file: str, text: str) -> Iterator[Module]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no notebook: {str(error)[:80]}") from error
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("it is no notebook of format 4: it has no list of cells")
    for number, cell in enumerate(cells[:MAX_CELLS], 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            code = _source(cell.get("source"))
            if not code.lstrip().startswith("%%"):
                yield from _cell(f"{file}#cell{number}", code)


def _cell(file: str, code: str) -> Iterator[Module]:
    try:
        yield Module(file, parsed(_MAGIC.sub(r"\1pass", code)), code)
    except Unreadable:
        return  # a cell that was left unfinished is common, and no reason to skip the others


def _source(value: Any) -> str:
    if isinstance(value, list):
        return "".join(item for item in value if isinstance(item, str))
    return value if isinstance(value, str) else ""


def imports(found: tuple[Module, ...], tree: Tree) -> tuple[Import, ...]:
    """What the modules import that is neither Python's own nor the repository's."""
    local = _local_names(tree)
    seen: dict[str, Import] = {}
    for module in found:
        for name, node in _imported(module.tree):
            top = name.partition(".")[0]
            if top and top not in sys.stdlib_module_names and top not in local:
                seen.setdefault(name, Import(name, module.where(node)))
    return tuple(seen.values())


def _imported(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node


def _local_names(tree: Tree) -> frozenset[str]:
    """Names that an import of the repository's own code begins with: its modules and folders of them."""
    names = set[str]()
    for file in (file for file in tree.files if file.endswith((".py", ".pyx", ".so"))):
        parts = file.split("/")
        names.update(parts[:-1])
        names.add(parts[-1].partition(".")[0])
    return frozenset(names)


@cache
def import_table() -> dict[str, Any]:
    """Import name -> distribution, and names that no distribution of the index has."""
    table: dict[str, Any] = json.loads(NAMES.read_text("utf-8"))
    return table


def distributions(found: tuple[Import, ...]) -> tuple[tuple[Need, ...], tuple[Note, ...]]:
    """The distributions that imports stand for, by the table; what it lacks is unknown, not guessed.

    A distribution of the same name may be anybody's: installing it runs its code.
    """
    needs: dict[str, Need] = {}
    unknown: dict[str, Note] = {}
    for one in found:
        name = _distribution(one.name)
        if name:
            needs.setdefault(name, Need(name, "", one.where))
        else:
            top = one.name.partition(".")[0]
            text = f"which distribution has `import {top}` is unknown; add it to requirements.in"
            unknown.setdefault(top, Note("unknown", text, one.where))
    return tuple(sorted(needs.values(), key=lambda need: need.name)), tuple(unknown.values())


def _distribution(name: str) -> str | None:
    names = import_table()["names"]
    parts = name.split(".")
    prefixes = (".".join(parts[:count]) for count in range(min(len(parts), 4), 0, -1))
    return next((names[prefix] for prefix in prefixes if prefix in names), None)


def shell_installs(cells: tuple[Module, ...]) -> Iterator[tuple[Where, str]]:
    """The `pip install` lines of notebooks, and where they stand."""
    pattern = re.compile(r"^\s*[!%]\s*(?:python3? -m )?pip3? install\s+(.+)$")
    for cell in cells:
        for number, line in enumerate(cell.text.splitlines(), 1):
            if matched := pattern.match(line):
                yield Where(cell.file, number), matched[1]
