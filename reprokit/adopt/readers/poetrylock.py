"""poetry.lock -> the graph that Poetry resolved, with the roots of the pyproject.toml beside it."""

from typing import Any

from reprokit.adopt.graph import MAX_PACKAGES, Edge, LockGraph, Package
from reprokit.adopt.model import Claim, Need, Reading, Where
from reprokit.adopt.readers import lines, pyproject, toml
from reprokit.stacks.requirements import normalise

KIND = "poetry.lock"


def read(file: str, text: str, project: Reading | None) -> Reading:
    """What Poetry locked for the dependencies of the main group.

    Args:
        file: its path in the repository.
        text: what it holds.
        project: the pyproject.toml beside it, which names the roots; None: every main package is one.

    Raises:
        Unreadable: it is no lock of Poetry's.
    """
    document, places = toml.parse(text), toml.Places(file, text)
    entries = [entry for entry in document.get("package", ()) if isinstance(entry, dict)]
    if not entries or len(entries) > MAX_PACKAGES:
        raise lines.Unreadable(f"it has no packages, or more than {MAX_PACKAGES:,}")
    packages = tuple(package for entry in entries if (package := _package(entry, places)))
    python = toml.table(document, "metadata").get("python-versions")
    where = places.key("python-versions", table="metadata")
    return Reading(
        file,
        KIND,
        pythons=(Claim(pyproject.specifier(python), where),) if isinstance(python, str) else (),
        builds=_builds(entries, places),
        graph=LockGraph(packages, _roots(project) or _main(entries)),
    )


def _package(entry: dict[str, Any], places: toml.Places) -> Package | None:
    name, version = entry.get("name"), entry.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    if toml.table(entry, "source").get("type") in ("git", "directory", "file", "url"):
        return None
    needs = tuple(_edge(key, value) for key, value in toml.table(entry, "dependencies").items())
    extras = {
        extra: tuple(
            Edge(need.name, need.extras)
            for text in toml.strings(value)
            if isinstance(
                need := lines.requirement(text.replace(" (", "").replace(")", ""), _WHERE), Need
            )
        )
        for extra, value in toml.table(entry, "extras").items()
    }
    where = places.text(version, after=places.text(name))
    return Package(normalise(name), version, where, needs, extras)


_WHERE = Where("")


def _edge(name: str, value: Any) -> Edge:
    said = value if isinstance(value, dict) else {}
    optional = said.get("optional") is True
    marker = said.get("markers") if isinstance(said.get("markers"), str) else ""
    # An optional dependency is followed through the extra that asks for it.
    return Edge(
        "" if optional else normalise(name), tuple(toml.strings(said.get("extras"))), marker or ""
    )


def _roots(project: Reading | None) -> tuple[Edge, ...]:
    needs = project.needs if project else ()
    return tuple(Edge(need.name, need.extras, need.marker) for need in needs)


def _main(entries: list[dict[str, Any]]) -> tuple[Edge, ...]:
    """Every package of the main group: `category` up to Poetry 1.4, `groups` from 2.0 on."""
    return tuple(
        Edge(normalise(str(entry.get("name"))))
        for entry in entries
        if entry.get("category", "main") == "main" and "main" in entry.get("groups", ["main"])
    )


def _builds(entries: list[dict[str, Any]], places: toml.Places) -> tuple[Claim, ...]:
    urls = (toml.table(entry, "source").get("url") for entry in entries)
    claims = (lines.build_of_index(url, places.text(url)) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(claim for claim in claims if claim))
