"""environment.yml -> what it asks for, in pip's names; packages that are no Python stay out."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from reprokit import strictyaml
from reprokit.adopt.model import Claim, Need, Note, Reading, Where
from reprokit.adopt.readers import lines, requirements
from reprokit.errors import ConfigError
from reprokit.strictyaml import Node, shown

KIND = "environment.yml"
NAMES = Path(__file__).parent.parent / "data" / "conda_names.json"
_SPEC = re.compile(
    r"(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_.-]+?)\s*"
    r"(?P<version>(?:[=<>!~]=?=?|\s)\s*[^\s=\[]+)?(?:=(?P<build>[\w.*]+))?(?:\s*\[.*\])?"
)
# conda's exact `1.21.2` is `=1.21.2` here: with three numbers no other release begins like it.
_WHOLE = 3
_LONGEST = 300


def read(file: str, text: str) -> Reading:
    """What a conda environment asks for.

    Raises:
        Unreadable: it is no YAML that is safe to read, or no environment.
    """
    try:
        root = strictyaml.parse(text.encode(), file)
    except ConfigError as error:
        raise lines.Unreadable(f"it cannot be read: {error.message.splitlines()[0]}") from error
    entries = root.value.get("dependencies") if isinstance(root.value, dict) else None
    if entries is None or not isinstance(entries.value, tuple):
        raise lines.Unreadable("it has no list `dependencies`")
    readings = [_entry(node, file) for node in entries.value]
    return Reading(
        file,
        KIND,
        needs=tuple(need for one in readings for need in one.needs),
        pythons=tuple(claim for one in readings for claim in one.pythons),
        builds=tuple(claim for one in readings for claim in one.builds),
        notes=tuple(note for one in readings for note in one.notes),
    )


@cache
def names() -> dict[str, Any]:
    """The table of names: conda's -> pip's, and those that are no distribution of Python."""
    table: dict[str, Any] = json.loads(NAMES.read_text("utf-8"))
    return table


def _entry(node: Node, file: str) -> Reading:
    if isinstance(node.value, dict):
        return _pip(node.value.get("pip"), file)
    where = Where(file, node.line)
    matched = _SPEC.fullmatch(node.raw.strip()) if len(node.raw) <= _LONGEST else None
    if matched is None:
        return _said(file, Note("skipped", f"`{shown(node.raw)}` is no package of conda", where))
    version = (matched["version"] or "").strip()
    return _package(matched["name"].lower(), version, matched["build"] or "", where)


def _package(name: str, version: str, build: str, where: Where) -> Reading:
    if name == "python":
        return Reading(where.file, KIND, pythons=_python(version, where))
    if name in ("cudatoolkit", "pytorch-cuda", "cuda-version", "cpuonly"):
        return Reading(where.file, KIND, builds=_build(name, version, where))
    if name == "pytorch" and (cuda := re.search(r"cuda(\d+)\.(\d)", build)):
        claim = Claim(f"cu{cuda[1]}{cuda[2]}", where)
        return Reading(where.file, KIND, needs=_needs("torch", version, where), builds=(claim,))
    if _is_no_python(name, build):
        return Reading(where.file, KIND)
    return Reading(where.file, KIND, needs=_needs(names()["names"].get(name, name), version, where))


def _is_no_python(name: str, build: str) -> bool:
    """Whether a package of conda is a C library or a tool: its build says so, else the table."""
    if build and build not in ("*", "0"):
        return "py" not in build
    return name in names()["not_python"] or name.startswith(("_", "lib", "gcc_", "gxx_"))


def _needs(name: str, version: str, where: Where) -> tuple[Need, ...]:
    need = lines.requirement(f"{name}{_specifier(version)}", where)
    return (need,) if isinstance(need, Need) else ()


def _specifier(version: str) -> str:
    """Conda's version in the words of PEP 440: `=1.21` is `==1.21.*`, `=1.21.2` that one."""
    version = version.strip()
    bare = version.lstrip("= ").strip()
    if version[:1] in "<>!~" or not bare:
        return version
    if version.startswith("==") or bare.endswith("*") or bare.count(".") + 1 >= _WHOLE:
        return f"=={bare}"
    return f"=={bare}.*"


def _python(version: str, where: Where) -> tuple[Claim, ...]:
    exact = re.fullmatch(r"[= ]*(\d+\.\d+)[\w.*]*", version)
    if exact:
        return (Claim(f"=={exact[1]}.*", where),)
    return (Claim(version, where),) if version else ()


def _build(name: str, version: str, where: Where) -> tuple[Claim, ...]:
    if name == "cpuonly":
        return (Claim("cpu", where),)
    numbers = re.fullmatch(r"[= ]*(\d+)\.(\d)[\w.*]*", version)
    return (Claim(f"cu{numbers[1]}{numbers[2]}", where),) if numbers else ()


def _pip(node: Node | None, file: str) -> Reading:
    """The list below `pip:`; each entry is a line of a requirements file."""
    if node is None or not isinstance(node.value, tuple):
        return Reading(file, KIND)
    given = [(Where(file, child.line), " ".join(child.raw.split())) for child in node.value]
    return requirements.read_lines(file, KIND, [pair for pair in given if pair[1]])


def _said(file: str, note: Note) -> Reading:
    return Reading(file, KIND, notes=(note,))
