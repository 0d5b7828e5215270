"""pyproject.toml (PEP 621, Poetry, dependency groups) -> what it asks for."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reprokit.adopt.model import Claim, Need, Note, Reading
from reprokit.adopt.readers import lines, toml
from reprokit.strictyaml import shown

KIND = "pyproject.toml"


def read(file: str, text: str) -> Reading:
    """What a pyproject.toml asks for; optional parts and groups are told, not taken.

    Raises:
        Unreadable: it is no TOML.
    """
    document, places = toml.parse(text), toml.Places(file, text)
    answers = [*_project(document, places), *_poetry(document, places)]
    notes = [answer for answer in answers if isinstance(answer, Note)]
    return Reading(
        file,
        KIND,
        needs=tuple(answer for answer in answers if isinstance(answer, Need)),
        pythons=tuple(_pythons(document, places)),
        builds=tuple(_builds(document, places)),
        notes=(*notes, *_not_taken(document, places)),
    )


def _project(document: dict[str, Any], places: toml.Places) -> Iterator[Need | Note]:
    project = toml.table(document, "project")
    start = places.key("dependencies", table="project")
    wanted = toml.strings(project.get("dependencies"))
    lines.bounded(wanted)
    for text in wanted:
        yield lines.requirement(text, places.text(text, after=start))
    if "dependencies" in toml.strings(project.get("dynamic")):
        where = places.key("dynamic", table="project")
        yield Note("unknown", "the dependencies are computed when it is built", where)


def _poetry(document: dict[str, Any], places: toml.Places) -> Iterator[Need | Note]:
    wanted = toml.table(document, "tool", "poetry", "dependencies")
    lines.bounded(wanted)
    for name, value in wanted.items():
        if name != "python":
            where = places.key(name, table="tool.poetry.dependencies")
            yield poetry_need(name, value, where)


def poetry_need(name: str, value: Any, where: Any) -> Need | Note:
    """What an entry of Poetry's dependencies (or a Pipfile's packages) asks for."""
    said = value if isinstance(value, dict) else {"version": value}
    version = said.get("version", "*" if said.keys() & {"extras", "markers"} else None)
    if said.get("optional") is True:
        return Note("skipped", f"`{name}` is optional", where)
    if isinstance(said.get("url"), str):
        return lines.requirement(f"{name} @ {said['url']}", where)
    if not isinstance(version, str):
        return Note("skipped", f"`{name}` is no version of an index; a lock pins those", where)
    extras = f"[{','.join(toml.strings(said.get('extras')))}]"
    markers = said.get("markers")
    marker = f" ; {markers}" if isinstance(markers, str) and markers else ""
    return lines.requirement(f"{name}{extras}{specifier(version)}{marker}", where)


def specifier(version: str) -> str:
    """A version as Poetry writes it (`^1.2`, `~1.2`, `1.2`, `*`) in the words of PEP 440."""
    parts = [_part(part.strip()) for part in version.split(",")]
    return ",".join(part for part in parts if part)


def _part(part: str) -> str:
    if part in ("", "*"):
        return ""
    if part.startswith("^"):
        return _between(part[1:].strip(), _caret)
    if part.startswith("~") and not part.startswith("~="):
        return _between(part[1:].strip(), _tilde)
    return part if part[0] in "<>=!~" else f"=={part}"


def _between(low: str, high: Any) -> str:
    numbers = [int(number) for number in re.findall(r"\d{1,9}", low.split("+", maxsplit=1)[0])]
    return f">={low},<{'.'.join(map(str, high(numbers or [0])))}"


def _caret(numbers: list[int]) -> list[int]:
    """The first version that `^` shuts out: the leftmost number that is not 0 goes up."""
    first = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return [*numbers[:first], numbers[first] + 1]


def _tilde(numbers: list[int]) -> list[int]:
    return [numbers[0] + 1] if len(numbers) == 1 else [numbers[0], numbers[1] + 1]


def _pythons(document: dict[str, Any], places: toml.Places) -> Iterator[Claim]:
    said = toml.table(document, "project").get("requires-python")
    if isinstance(said, str):
        yield Claim(said, places.key("requires-python", table="project"))
    said = toml.table(document, "tool", "poetry", "dependencies").get("python")
    if isinstance(said, str):
        where = places.key("python", table="tool.poetry.dependencies")
        yield Claim(specifier(said), where)


def _builds(document: dict[str, Any], places: toml.Places) -> Iterator[Claim]:
    tools = toml.table(document, "tool")
    sources = [toml.table(tools, "uv").get("index"), toml.table(tools, "poetry").get("source")]
    for entry in (entry for group in sources if isinstance(group, list) for entry in group):
        url = entry.get("url") if isinstance(entry, dict) else None
        claim = lines.build_of_index(url, places.text(url)) if isinstance(url, str) else None
        if claim:
            yield claim


def _not_taken(document: dict[str, Any], places: toml.Places) -> Iterator[Note]:
    for what, keys in _GROUPS.items():
        for name in toml.table(document, *keys):
            line = places.key(name, table=".".join(keys)).line
            where = places.table(*keys, name)
            where = replace(where, line=line) if line else where
            yield Note("skipped", f"the {what} `{shown(name)}` is not taken", where)


_GROUPS = {
    "optional part": ("project", "optional-dependencies"),
    "dependency group": ("dependency-groups",),
    "group of Poetry": ("tool", "poetry", "group"),
}
