"""A repository's files -> what each of them says. Which file is read by which reader is decided here."""

import re
from collections.abc import Callable, Iterable

from reprokit.adopt.code import Module, shell_installs
from reprokit.adopt.model import Note, Reading, Where
from reprokit.adopt.readers import (
    conda,
    lines,
    pipfile,
    poetrylock,
    pyproject,
    requirements,
    setuppy,
    system,
    uvlock,
)
from reprokit.adopt.tree import MAX_LOCK, MAX_TEXT, Tree

NOTEBOOK_KIND = "pip install in a notebook"
_FOLDERS = ("", "binder/", ".binder/")
# What is for people who work on the code, not for those who run it.
_FOR_DEVELOPERS = re.compile(r"dev|test|doc|lint|ci\b|style|build")
_REQUIREMENTS = re.compile(r"(requirements?[\w.-]*\.txt|requirements/[\w.-]+\.txt)")
_UNREAD = {
    "pdm.lock": "PDM",
    "pixi.lock": "pixi",
    "pixi.toml": "pixi",
    "conda-lock.yml": "conda-lock",
    "pylock.toml": "pip",
}


def gather(tree: Tree, notebooks: Iterable[tuple[Module, ...]] = ()) -> tuple[Reading, ...]:
    """What every file with requirements, or about the system below, says; the unreadable are noted."""
    project = _one(tree, "pyproject.toml", pyproject.read)
    poetry = project[0] if project else None
    found = [
        *_one(tree, "uv.lock", uvlock.read, MAX_LOCK),
        *_one(
            tree, "poetry.lock", lambda file, text: poetrylock.read(file, text, poetry), MAX_LOCK
        ),
        *_one(tree, "Pipfile.lock", pipfile.read_lock, MAX_LOCK),
        *_requirements(tree),
        *_each(
            tree, ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml"), conda.read
        ),
        *project,
        *_one(tree, "Pipfile", pipfile.read),
        *_one(tree, "setup.cfg", setuppy.read_cfg),
        *_one(tree, "setup.py", setuppy.read),
        *_notebook_installs(notebooks),
        *_each(tree, ("Dockerfile", "docker/Dockerfile"), system.read_dockerfile),
        *_each(tree, ("apt.txt",), system.read_apt),
        *_each(tree, ("runtime.txt", ".python-version"), system.read_python_version),
    ]
    for file in tree.named(*_UNREAD):
        tree.skip(file, f"the lock of {_UNREAD[file]} cannot be read by this version")
    return tuple(found)


def _one(
    tree: Tree, file: str, reader: Callable[[str, str], Reading], limit: int = MAX_TEXT
) -> list[Reading]:
    """What one file says, as a list: empty where it is not there or cannot be read."""
    text = tree.text(file, limit) if file in tree.files else None
    if text is None:
        return []
    try:
        return [reader(file, text)]
    except lines.Unreadable as error:
        tree.skip(file, f"not read: {error}")
        return []


def _each(tree: Tree, names: Iterable[str], reader: Callable[[str, str], Reading]) -> list[Reading]:
    files = (f"{folder}{name}" for folder in _FOLDERS for name in names)
    return [reading for file in files for reading in _one(tree, file, reader)]


def _requirements(tree: Tree) -> list[Reading]:
    """requirements.txt where it is there, else every such file that is for those who run the code."""
    found = [file for file in tree.files if _REQUIREMENTS.fullmatch(file.removeprefix("binder/"))]
    taken = [file for file in found if file.endswith("requirements.txt")][:1] or [
        file for file in found if not _FOR_DEVELOPERS.search(file.lower())
    ]
    fetched = set[str]()

    def fetch(file: str) -> str | None:
        fetched.add(file)
        return tree.text(file) if file in tree.files else None

    readings = [
        reading
        for file in taken
        for reading in _one(tree, file, lambda name, text: requirements.read(name, text, fetch))
    ]
    for file in (file for file in found if file not in taken and file not in fetched):
        reason = f"it is not taken: {taken[0]} is" if taken else "it is for developers by its name"
        tree.skip(file, reason)
    return readings


def _notebook_installs(notebooks: Iterable[tuple[Module, ...]]) -> list[Reading]:
    """The `pip install` lines of each notebook."""
    readings: list[Reading] = []
    for cells in notebooks:
        given = [
            (where, word)
            for where, words in shell_installs(cells)
            for word in words.partition("#")[0].split()
            if not word.startswith(("-", ".", "/", "$"))
        ]
        if given:
            file = given[0][0].file.partition("#")[0]
            readings.append(requirements.read_lines(file, NOTEBOOK_KIND, given))
    return readings


def seen(readings: Iterable[Reading]) -> tuple[Note, ...]:
    """One line a file: what it gave."""
    return tuple(Note("found", _summary(one), Where(one.file)) for one in readings)


def _summary(one: Reading) -> str:
    counts = {
        "locked package": len(one.graph.packages) if one.graph else 0,
        "requirement": len(one.needs),
        "system package": len(one.system),
    }
    parts = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count]
    parts += [f"Python {claim.value}" for claim in one.pythons[:1]]
    parts += [f"builds for {claim.value}" for claim in one.builds[:1]]
    return f"{one.kind}: {', '.join(parts) or 'nothing that counts here'}"
