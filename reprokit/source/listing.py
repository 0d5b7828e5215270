"""Which files make up a source: git's index and ignore rules -> the files on disk now."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH118, PTH119, PTH120

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from reprokit.source import git
from reprokit.source.model import FILE, GITLINK, LINK, PROGRAM, Found, LeftOut, note
from reprokit.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the index says about one path. `sparse`: its owner chose not to have it on disk."""

    mode: str
    oid: str
    sparse: bool


@dataclass(frozen=True)
class Listing:
    """The paths of one repository, as git lists them.

    Attributes:
        tracked: what the index names.
        untracked: files that are neither tracked nor ignored.
        nested: folders that are repositories of their own: submodules and strangers.
        warnings: folders that git could not read.
    """

    tracked: dict[bytes, Tracked]
    untracked: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What is on disk of a repository's paths; its lists grow as it is looked at."""

    found: list[Found] = field(default_factory=list)
    missing: list[bytes] = field(default_factory=list)
    sparse: list[bytes] = field(default_factory=list)
    special: set[bytes] = field(default_factory=set)

    def notes(self) -> tuple[str, ...]:
        """What was left out, for people."""
        left = "left out, not a file, a folder or a link"
        return note("tracked but not checked out (sparse)", self.sparse) + note(left, self.special)


def list_paths(repository: git.Repository, left_out: LeftOut) -> Listing:
    """Ask git for the paths of a repository, but for what is left out."""
    everything = (*left_out.always, *left_out.untracked)
    skip = [f"--exclude=/{_literal(str(folder))}" for folder in everything]
    words = ["-z", "-t", "--stage", "--others", "--exclude-standard", *skip]
    done = git.tell(repository.top, "ls-files", *words)
    tracked: dict[bytes, Tracked] = {}
    others: list[bytes] = []
    for item in done.stdout.split(b"\0"):
        if item.startswith(b"? "):
            others.append(item[2:])
        elif item:
            facts, _, path = item.partition(b"\t")
            tag, mode, oid, _ = facts.decode("ascii").split(" ")
            tracked[path] = Tracked(mode, oid, tag == "S")
    links = [path for path, entry in tracked.items() if entry.mode == GITLINK]
    never, outside = excluder(left_out.always), excluder(everything)
    return Listing(
        {path: entry for path, entry in tracked.items() if not never(path)},
        tuple(path for path in others if not path.endswith(b"/") and not outside(path)),
        tuple(
            [path for path in links if not never(path)]
            + [path[:-1] for path in others if path.endswith(b"/") and not outside(path[:-1])]
        ),
        tuple(line for line in done.error_text.splitlines() if line.startswith("warning:")),
    )


def survey(repository: git.Repository, listing: Listing) -> Survey:
    """Look at each listed path on disk. Nothing is opened, no link is followed."""
    result = Survey()
    top = os.fsencode(repository.top)
    real = folders(top)
    for path, entry in listing.tracked.items():
        if entry.mode != GITLINK:
            _look(top, path, entry, real, result)
    for path in listing.untracked:
        _look(top, path, None, real, result)
    result.special.update(_specials(top, {os.path.dirname(each.path) for each in result.found}))
    return result


def file_mode(facts: os.stat_result) -> str | None:
    """Git's mode for what lstat saw; None for what a tree cannot hold."""
    if stat.S_ISLNK(facts.st_mode):
        return LINK
    if stat.S_ISREG(facts.st_mode):
        return PROGRAM if facts.st_mode & stat.S_IXUSR else FILE
    return None


def excluder(exclude: Iterable[PurePosixPath]) -> Callable[[bytes], bool]:
    """A test whether a path is one of the folders `exclude`, or inside of one."""
    names = tuple(os.fsencode(folder) for folder in exclude)
    return lambda path: any(path == name or path.startswith(name + b"/") for name in names)


def folders(top: bytes) -> Callable[[bytes], bool]:
    """A test whether a path below `top` is reached through real folders only.

    An index can name `link/file` where `link` leads out of the repository, or `../file`: such paths
    are not there.
    """
    known = {b"": True}

    def real(path: bytes) -> bool:
        if path not in known:
            parent, name = os.path.split(path)
            known[path] = (
                name not in (b"", b".", b"..", b".git")
                and real(parent)
                and _is_folder(os.path.join(top, path))
            )
        return known[path]

    return real


def _look(
    top: bytes, path: bytes, entry: Tracked | None, real: Callable[[bytes], bool], result: Survey
) -> None:
    try:
        if not real(os.path.dirname(path)) or os.path.basename(path) in (b"", b".", b"..", b".git"):
            raise FileNotFoundError
        facts = os.lstat(os.path.join(top, path))
    except (FileNotFoundError, NotADirectoryError):
        (result.sparse if entry and entry.sparse else result.missing).append(path)
        return
    mode = file_mode(facts)
    if mode is not None:
        oid = entry.oid if entry else None
        result.found.append(Found(path, mode, facts, entry is not None, oid, oid is not None))
    elif entry is not None:
        result.missing.append(path)
        if not stat.S_ISDIR(facts.st_mode):
            result.special.add(path)


def _specials(top: bytes, names: Iterable[bytes]) -> list[bytes]:
    """Fifos, sockets and devices beside the files; git passes over them in silence."""
    found = []
    for name in names:
        with os.scandir(os.path.join(top, name)) as items:
            found += [
                os.path.join(name, item.name)
                for item in items
                if not (item.is_symlink() or item.is_file() or item.is_dir())
            ]
    return found


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _literal(name: str) -> str:
    """`name` as an ignore rule that means just this name."""
    return "".join("\\" + char if char in "\\*?[ " else char for char in name)
