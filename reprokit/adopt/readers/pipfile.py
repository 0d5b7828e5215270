"""Pipfile and Pipfile.lock -> what they ask for."""

import json
from typing import Any

from reprokit.adopt.model import Claim, Need, Note, Reading, Where
from reprokit.adopt.readers import lines, toml
from reprokit.adopt.readers.pyproject import poetry_need

KIND = "Pipfile"
LOCK_KIND = "Pipfile.lock"


def read(file: str, text: str) -> Reading:
    """What a Pipfile asks for; its development packages are told, not taken.

    Raises:
        Unreadable: it is no TOML.
    """
    document, places = toml.parse(text), toml.Places(file, text)
    lines.bounded(toml.table(document, "packages"))
    answers = [
        poetry_need(name, value, places.key(name, table="packages"))
        for name, value in toml.table(document, "packages").items()
    ]
    notes = [answer for answer in answers if isinstance(answer, Note)]
    if toml.table(document, "dev-packages"):
        notes.append(Note("skipped", "the dev-packages are not taken", Where(file)))
    return Reading(
        file,
        KIND,
        needs=tuple(answer for answer in answers if isinstance(answer, Need)),
        pythons=_pythons(document, places.key("python_version")),
        builds=_builds(document.get("source"), file),
        notes=tuple(notes),
    )


def read_lock(file: str, text: str) -> Reading:
    """What a Pipfile.lock pins for use; its `develop` section is left out.

    Raises:
        Unreadable: it is no JSON, or no lock of pipenv's.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise lines.Unreadable(f"it is no valid JSON: {str(error)[:100]}") from error
    pins = toml.table(document, "default")
    if not pins:
        raise lines.Unreadable("it pins nothing under `default`")
    lines.bounded(pins)
    numbers = _lines_of(text)
    answers = [
        poetry_need(name, pin, Where(file, numbers.get(name, 0))) for name, pin in pins.items()
    ]
    meta = toml.table(document, "_meta")
    return Reading(
        file,
        LOCK_KIND,
        needs=tuple(answer for answer in answers if isinstance(answer, Need)),
        pythons=_pythons(meta, Where(file, numbers.get("python_version", 0))),
        builds=_builds(meta.get("sources"), file),
        notes=tuple(answer for answer in answers if isinstance(answer, Note)),
    )


def _pythons(document: Any, where: Where) -> tuple[Claim, ...]:
    requires = toml.table(document, "requires")
    said = requires.get("python_version") or requires.get("python_full_version")
    if not isinstance(said, str):
        return ()
    return (Claim(f"=={'.'.join(said.split('.')[:2])}.*", where),)


def _builds(sources: Any, file: str) -> tuple[Claim, ...]:
    entries = sources if isinstance(sources, list) else []
    urls = [entry.get("url") for entry in entries if isinstance(entry, dict)]
    claims = [lines.build_of_index(url, Where(file)) for url in urls if isinstance(url, str)]
    return tuple(claim for claim in claims if claim)


def _lines_of(text: str) -> dict[str, int]:
    """The first line on which each JSON key stands."""
    numbers: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, colon, _ = line.strip().partition(":")
        if colon:
            numbers.setdefault(key.strip('"'), number)
    return numbers
