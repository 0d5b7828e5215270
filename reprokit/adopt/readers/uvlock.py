"""uv.lock -> the graph that uv resolved."""

from typing import Any

from reprokit.adopt.graph import MAX_PACKAGES, Edge, LockGraph, Package
from reprokit.adopt.model import Claim, Reading, Where
from reprokit.adopt.readers import lines, toml
from reprokit.stacks.requirements import normalise

KIND = "uv.lock"
# Where a package is the repository itself.
_OWN = ("virtual", "editable", "directory")


def read(file: str, text: str) -> Reading:
    """What uv locked for the repository's own packages, development groups left out.

    Raises:
        Unreadable: it is no lock of uv's.
    """
    document, places = toml.parse(text), toml.Places(file, text)
    entries = [entry for entry in document.get("package", ()) if isinstance(entry, dict)]
    if not entries or len(entries) > MAX_PACKAGES:
        raise lines.Unreadable(f"it has no packages, or more than {MAX_PACKAGES:,}")
    roots = [entry for entry in entries if _is_own(entry)]
    packages = [_package(entry, places) for entry in entries if not _is_own(entry)]
    edges = tuple(edge for root in roots for edge in _edges(root.get("dependencies")))
    own = {_name(root) for root in roots}
    python = document.get("requires-python")
    return Reading(
        file,
        KIND,
        pythons=(Claim(python, places.key("requires-python")),) if isinstance(python, str) else (),
        graph=LockGraph(
            tuple(package for package in packages if package),
            tuple(edge for edge in edges if edge.name not in own),
        ),
    )


def _is_own(entry: dict[str, Any]) -> bool:
    return any(key in toml.table(entry, "source") for key in _OWN)


def _name(entry: dict[str, Any]) -> str:
    name = entry.get("name")
    return normalise(name) if isinstance(name, str) else ""


def _package(entry: dict[str, Any], places: toml.Places) -> Package | None:
    version, name = entry.get("version"), _name(entry)
    if not isinstance(version, str) or not name or "registry" not in toml.table(entry, "source"):
        return None
    extras = toml.table(entry, "optional-dependencies")
    return Package(
        name,
        version,
        _place(places, entry["name"], version),
        _edges(entry.get("dependencies")),
        {extra: _edges(value) for extra, value in extras.items()},
        tuple(toml.strings(entry.get("resolution-markers"))),
    )


def _place(places: toml.Places, name: str, version: str) -> Where:
    """The line of the version that follows the first one with the name: close enough to look at."""
    return places.text(version, after=places.text(name))


def _edges(value: Any) -> tuple[Edge, ...]:
    entries = (
        [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    )
    return tuple(
        Edge(
            _name(entry),
            tuple(toml.strings(entry.get("extra"))),
            entry["marker"] if isinstance(entry.get("marker"), str) else "",
            entry["version"] if isinstance(entry.get("version"), str) else None,
        )
        for entry in entries
    )
