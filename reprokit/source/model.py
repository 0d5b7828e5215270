"""The words of this package: a stored source, and the files that it is made of on the way there."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from reprokit.values import asdict, dataclass, field

FILE, PROGRAM, LINK, GITLINK = "100644", "100755", "120000", "160000"
"""The modes of git's trees: a file, an executable file, a symbolic link, another repository."""

_NAMED = 5
"""How many paths a note names."""


@dataclass(frozen=True)
class Submodule:
    """A repository inside the repository.

    Attributes:
        path: its folder, relative to the top of the repository.
        recorded: the commit that the outer repository names; null where it names none (not a
            submodule).
        commit: the commit that is checked out; null where nothing is.
        dirty: its files are not those of `commit`. What they really are is in the captured tree.
    """

    path: str
    recorded: str | None
    commit: str | None
    dirty: bool


@dataclass(frozen=True)
class Remote:
    """Another place that the repository knows: its name and its address, without credentials."""

    name: str
    url: str


@dataclass(frozen=True)
class Source:
    """Where the exact code of a run is kept, and how it stands to what the user has committed.

    Attributes:
        kind: `git`: a commit in the user's repository; `archive`: a tar file, where there is none.
        store: the (common) git folder, or the tar file, on the machine of the capture.
        tree: git's id of the captured tree, for both kinds: same files, same id.
        commit: the captured commit (kind git). Its parent is `head`.
        ref: the reference that keeps the commit alive (kind git).
        head: the commit that the user had checked out; null before the first one.
        branch: the user's branch; null when HEAD is detached.
        dirty: the files were not exactly those of `head`.
        changed: tracked files that were modified, added, deleted or changed in kind against `head`.
        untracked: files that git does not track and does not ignore; they are in the tree.
        prefix: where the workspace lies in the tree (`.` where it is the whole repository).
        remotes: name and address of each remote, without credentials.
        submodules: repositories inside the repository; their files are part of the tree.
        notes: what a reader should know: what was left out, and why.
    """

    kind: Literal["git", "archive"]
    store: Path
    tree: str
    commit: str | None = None
    ref: str | None = None
    head: str | None = None
    branch: str | None = None
    dirty: bool = True
    changed: int = 0
    untracked: int = 0
    prefix: PurePosixPath = field(default_factory=PurePosixPath)
    remotes: tuple[Remote, ...] = ()
    submodules: tuple[Submodule, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The source as it stands in `source.json`."""
        return {
            **asdict(self),
            "store": shown(os.fsencode(self.store)),
            "prefix": shown(os.fsencode(self.prefix)),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, store: Path | None = None) -> "Source":
        """Read `source.json` back.

        Args:
            value: what `to_json` made.
            store: where the git folder or the archive is now, if it has moved.

        Raises:
            KeyError: a field is missing.
            TypeError: a field is unknown.
        """
        return cls(
            **{
                **value,
                "store": store or Path(value["store"]),
                "prefix": PurePosixPath(value["prefix"]),
                "remotes": tuple(Remote(**each) for each in value["remotes"]),
                "submodules": tuple(Submodule(**each) for each in value["submodules"]),
                "notes": tuple(value["notes"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A file that belongs to the source, as it lies on disk before anybody has read it.

    Attributes:
        path: relative to the top, with `/`; bytes, because names need not be text.
        mode: one of git's modes, from what is on disk.
        stat: what lstat said.
        tracked: git tracks it.
        index_oid: the object that the user's index names for it.
        stored: that object, if it has the file's bytes, is in the repository that stores the
            source.
    """

    path: bytes
    mode: str
    stat: os.stat_result
    tracked: bool = False
    index_oid: str | None = None
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the source after it was read.

    Attributes:
        path: relative to the top.
        mode: one of git's modes.
        oid: git's id of the exact bytes.
        git_oid: the id that git itself would give the file: after its line-ending or LFS
            conversion.
        data: the bytes, where they have yet to be stored.
        pointer: it is the pointer of a Git LFS file that was never fetched.
    """

    path: bytes
    mode: str
    oid: str
    git_oid: str
    data: bytes | None = None
    pointer: bool = False


@dataclass(frozen=True)
class LeftOut:
    """Folders that are no part of the source.

    Attributes:
        always: never captured: the run store, data.
        untracked: captured only as far as git tracks them: folders that runs write into.
    """

    always: tuple[PurePosixPath, ...] = ()
    untracked: tuple[PurePosixPath, ...] = ()

    def below(self, prefix: PurePosixPath) -> "LeftOut":
        """The same folders as seen from a folder that `prefix` leads down from."""
        return LeftOut(
            tuple(prefix / folder for folder in self.always),
            tuple(prefix / folder for folder in self.untracked),
        )

    def within(self, folder: PurePosixPath) -> "LeftOut":
        """Those that lie in `folder`, relative to it."""
        return LeftOut(_within(self.always, folder), _within(self.untracked, folder))


def _within(paths: tuple[PurePosixPath, ...], folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
    return tuple(path.relative_to(folder) for path in paths if path.is_relative_to(folder))


def shown(path: bytes) -> str:
    """A path as text for people and JSON: bytes that are no UTF-8 and line ends are escaped."""
    return path.decode("utf-8", "backslashreplace").replace("\n", "\\n")


def note(what: str, paths: Collection[bytes]) -> tuple[str, ...]:
    """One line about all of `paths`, naming the first few; nothing where there are none."""
    if not paths:
        return ()
    first = ", ".join(shown(path) for path in sorted(paths)[:_NAMED])
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return (f"{what}: {first}{more}",)
