"""A repository and those inside it: what each has on disk, and how it differs from its commit."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH118

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from reprokit.source import git
from reprokit.source.listing import Listing, Survey, excluder, list_paths, survey
from reprokit.source.model import GITLINK, Entry, Found, LeftOut, Submodule, note, shown
from reprokit.values import dataclass, replace


@dataclass(frozen=True)
class Part:
    """One repository of a source.

    Attributes:
        base: its folder, relative to the top of the outermost one; empty for that one itself.
        repository: the repository.
        recorded: the commit that the repository around it names, if it is a submodule.
        left_out: folders, relative to this repository, that are no part of the source.
        listing: its paths, as git lists them.
        survey: what of them is on disk.
    """

    base: bytes
    repository: git.Repository
    recorded: str | None
    left_out: LeftOut
    listing: Listing
    survey: Survey

    def found(self) -> Iterator[Found]:
        """Its files, relative to the top of the outermost repository."""
        if not self.base:
            return iter(self.survey.found)
        # Its objects are in a store of its own, so the outer repository needs all of the bytes.
        return (
            replace(file, path=os.path.join(self.base, file.path), stored=False)
            for file in self.survey.found
        )


@dataclass(frozen=True)
class Gathered:
    """All parts of a source, outermost first; `links` are submodules that are not checked out."""

    parts: tuple[Part, ...]
    links: tuple[Entry, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """How many tracked files differ from the commit, and how many files git does not track."""

    changed: int
    untracked: int


def gather(repository: git.Repository, left_out: LeftOut) -> Gathered:
    """Look at a repository and everything checked out inside it."""
    parts: list[Part] = []
    links: list[Entry] = []
    broken: list[bytes] = []
    todo: list[tuple[bytes, git.Repository, str | None]] = [(b"", repository, None)]
    while todo:
        base, current, recorded = todo.pop(0)
        part = _part(base, current, recorded, left_out)
        parts.append(part)
        for name in part.listing.nested:
            path = os.path.join(base, name)
            entry = part.listing.tracked.get(name)
            inner = _inner(current.top, name)
            if inner is not None:
                todo.append((path, inner, entry.oid if entry else None))
            elif entry is not None:
                links.append(Entry(path, GITLINK, entry.oid, entry.oid))
            else:
                broken.append(path)
    return Gathered(tuple(parts), tuple(links), _notes(parts, links, broken))


def changes(
    part: Part, entries: Mapping[bytes, Entry], inner: Mapping[bytes, Submodule]
) -> Changes:
    """Compare what was captured of a part with the commit that it has checked out.

    Args:
        part: one repository.
        entries: everything captured, by path from the outermost top.
        inner: repositories inside, by the same.
    """
    head = _head_files(part)
    now = dict([*_now(part, entries), *_links_now(part, inner)])
    differ = sum(head.get(path) != now.get(path) for path in head.keys() | now.keys())
    return Changes(differ, len(part.listing.untracked))


def submodules(gathered: Gathered, entries: Mapping[bytes, Entry]) -> dict[bytes, Submodule]:
    """Every repository inside the outermost one, innermost first, by path."""
    result = {
        link.path: Submodule(shown(link.path), link.oid, None, dirty=False)
        for link in gathered.links
    }
    for part in reversed(gathered.parts[1:]):
        count = changes(part, entries, result)
        result[part.base] = Submodule(
            shown(part.base), part.recorded, part.repository.head, count != Changes(0, 0)
        )
    return result


def _part(base: bytes, repository: git.Repository, recorded: str | None, left_out: LeftOut) -> Part:
    inside = left_out.within(PurePosixPath(os.fsdecode(base)))
    listing = list_paths(repository, inside)
    return Part(base, repository, recorded, inside, listing, survey(repository, listing))


def _inner(top: Path, name: bytes) -> git.Repository | None:
    """The repository whose files are in `top/name`; None where nothing usable is checked out."""
    folder = top / os.fsdecode(name)
    if folder.is_symlink() or not os.path.lexists(folder / ".git"):
        return None
    inner = git.discover(folder)
    return inner if inner is not None and inner.top == folder else None


def _head_files(part: Part) -> dict[bytes, tuple[str, str]]:
    """Mode and object of each file of the commit, but for those meant to be absent."""
    if part.repository.head is None:
        return {}
    done = git.tell(part.repository.top, "ls-tree", "-r", "-z", part.repository.head)
    absent = set(part.survey.sparse)
    outside = excluder(part.left_out.always)
    result = {}
    for item in done.stdout.split(b"\0")[:-1]:
        facts, _, path = item.partition(b"\t")
        mode, _, oid = facts.decode("ascii").split(" ")
        if path not in absent and not outside(path):
            result[path] = (mode, oid)
    return result


def _now(part: Part, entries: Mapping[bytes, Entry]) -> Iterator[tuple[bytes, tuple[str, str]]]:
    for file in part.survey.found:
        if file.tracked:
            entry = entries[os.path.join(part.base, file.path)]
            yield file.path, (entry.mode, entry.git_oid)


def _links_now(
    part: Part, inner: Mapping[bytes, Submodule]
) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """What the commit of the part would say of its submodules, were they as they are now."""
    base = part.base + b"/" if part.base else b""
    for path, each in inner.items():
        name = path.removeprefix(base)
        if each.recorded and path.startswith(base) and name in part.listing.tracked:
            yield name, (GITLINK, "dirty" if each.dirty else each.commit or each.recorded)


def _notes(
    parts: Sequence[Part], links: Sequence[Entry], broken: Sequence[bytes]
) -> tuple[str, ...]:
    strangers = [part.base for part in parts[1:] if part.recorded is None]
    return (
        *note("a repository inside the repository, captured as files", strangers),
        *note("a submodule that is not checked out", [link.path for link in links]),
        *note("left out, a repository that git cannot read", broken),
        *(line for part in parts for line in part.survey.notes()),
        *(f"git: {line}" for part in parts for line in part.listing.warnings),
    )
