"""requirements.txt -> what it asks for; `-r` and `-c` are followed inside the repository."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from reprokit.adopt.model import Claim, Need, Note, Reading, Where
from reprokit.adopt.readers import lines
from reprokit.stacks.pipconfig import without_credentials
from reprokit.strictyaml import shown

KIND = "requirements.txt"
MAX_INCLUDES = 32
Fetch = Callable[[str], str | None]

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z-]*)(?:\s*=\s*|\s+|(?<=^-\w))(.*)")
INDEXES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")


@dataclass
class _Found:
    needs: list[Need] = field(default_factory=list)
    constraints: list[Need] = field(default_factory=list)
    builds: list[Claim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def reading(self, file: str, kind: str) -> Reading:
        """What was found, frozen."""
        return Reading(
            file,
            kind,
            needs=tuple(self.needs),
            constraints=tuple(self.constraints),
            builds=tuple(self.builds),
            notes=tuple(self.notes),
        )


def read(file: str, text: str, fetch: Fetch) -> Reading:
    """What a requirements file asks for.

    Args:
        file: its path in the repository.
        text: what it holds.
        fetch: the text of another file of the repository, for `-r` and `-c`; None: it is not there.
    """
    found = _Found(seen={file})
    _lines(_logical(file, text), fetch, found, found.needs)
    return found.reading(file, KIND)


def read_lines(file: str, kind: str, given: Iterable[tuple[Where, str]]) -> Reading:
    """What lines of a requirements file ask for that stand in a file of another kind."""
    found = _Found(seen={file})
    _lines(given, lambda _: None, found, found.needs)
    return found.reading(file, kind)


def _lines(
    given: Iterable[tuple[Where, str]], fetch: Fetch, found: _Found, into: list[Need]
) -> None:
    for where, line in given:
        if len(into) >= lines.MAX_REQUIREMENTS:
            raise lines.Unreadable(f"it has more than {lines.MAX_REQUIREMENTS:,} requirements")
        if line.startswith("-"):
            _option(line, where, fetch, found, into)
        else:
            _requirement(line, where, found, into)


def _logical(file: str, text: str) -> Iterator[tuple[Where, str]]:
    """Lines with continuations joined and comments cut, each with the place of its first line."""
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        parts.append(_COMMENT.sub("", line).rstrip("\\"))
        if line.endswith("\\"):
            continue
        if joined := " ".join(parts).strip():
            yield Where(file, start), joined
        parts = []
    if joined := " ".join(parts).strip():
        yield Where(file, start), joined


def _requirement(line: str, where: Where, found: _Found, into: list[Need]) -> None:
    # What follows are options of this line: hashes, build settings.
    line = " ".join(line.split()).partition(" --")[0]
    if "://" in line.split("@")[0]:
        wheel = lines.from_wheel(line, where)
        address = shown(without_credentials(line))
        note = Note(
            "skipped", f"{address} is an address; a lock pins versions from an index", where
        )
        answer: Need | Note = wheel or note
    else:
        answer = lines.requirement(line, where)
    if isinstance(answer, Note):
        found.notes.append(answer)
    else:
        into.append(answer)


def _option(line: str, where: Where, fetch: Fetch, found: _Found, into: list[Need]) -> None:
    matched = _OPTION.match(line)
    name, value = (matched[1], matched[2].strip()) if matched else (line, "")
    if name in ("-r", "--requirement", "-c", "--constraint"):
        limits = name in ("-c", "--constraint")
        _include(value, where, fetch, found, found.constraints if limits else into)
    elif name in INDEXES:
        _index(value, where, found)
    elif name in ("-e", "--editable"):
        text = f"`{shown(without_credentials(line))}` is not installed: code is run where it lies"
        found.notes.append(Note("skipped", text, where))


def _include(name: str, where: Where, fetch: Fetch, found: _Found, into: list[Need]) -> None:
    file = posixpath.normpath(posixpath.join(posixpath.dirname(where.file), name))
    if file in found.seen or len(found.seen) > MAX_INCLUDES:
        return
    found.seen.add(file)
    outside = file.startswith(("..", "/")) or "://" in name
    text = None if outside else fetch(file)
    if text is None:
        found.notes.append(Note("unknown", f"`{shown(name)}` is not in the repository", where))
    else:
        _lines(_logical(file, text), fetch, found, into)


def _index(url: str, where: Where, found: _Found) -> None:
    if build := lines.build_of_index(url, where):
        found.builds.append(build)
    elif "download.pytorch.org" not in url:
        address = shown(without_credentials(url))
        text = (
            f"the index {address} is not taken over: indexes are settings of pip, not of a project"
        )
        found.notes.append(Note("skipped", text, where))
