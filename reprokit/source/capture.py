"""The user's working tree as it is now -> a `Source`."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from reprokit.errors import ConfigError, MachineError
from reprokit.source import git
from reprokit.source.archive import pack
from reprokit.source.blobs import Cache, is_large, load_cache, read_all, save_cache
from reprokit.source.commit import Stored, store
from reprokit.source.folder import walk
from reprokit.source.lfs import blob_sizes, unsmudged
from reprokit.source.model import LINK, Entry, Found, LeftOut, Source, note, shown
from reprokit.source.parts import Changes, Gathered, changes, gather, submodules
from reprokit.source.tree import tree_id
from reprokit.values import replace

MAX_UNTRACKED_BYTES = 200 << 20
_RUN_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*(?<!\.)(?<!\.lock)")
_REFS = "refs/reprokit/runs"


def capture(
    root: Path,
    *,
    run_id: str,
    archive: Path,
    exclude: Sequence[PurePosixPath] = (),
    outputs: Sequence[PurePosixPath] = (),
    max_untracked_bytes: int = MAX_UNTRACKED_BYTES,
    when: int | None = None,
    look: git.Look | None = None,
) -> Source:
    """Store the exact files of the repository around `root`: tracked, changed and untracked ones.

    They become a commit under `refs/reprokit/runs/RUN_ID` whose parent is HEAD. The user's index,
    branches, stash, HEAD, reflogs and hooks stay as they are, and nothing that the repository names
    is executed. Without a repository, or where the repository ignores `root`, the files below
    `root` go into the tar file `archive`.

    Args:
        root: the workspace.
        run_id: names the reference.
        archive: where a tar file goes, if it takes one; its folder exists.
        exclude: folders relative to `root` that are never captured: the run store, data.
        outputs: folders relative to `root` that runs write into: of these only what git tracks is captured.
        max_untracked_bytes: limit for all bytes that git does not have yet in its keeping.
        when: the run's time in seconds since 1970; now, if not given.
        look: what git was asked about `root` (resolved) already, if it was.

    Raises:
        ConfigError: too much that is untracked; a run id that no reference can have.
        MachineError: git is missing, refuses or does not trust the repository; a file cannot be
            read.
        NotFoundError: `root` is not a folder.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ConfigError(
            "bad-run-id", "a run id is letters, digits, `-`, `_` and single dots", where=run_id
        )
    place = root.resolve()
    if look is None or look.stale():
        look = git.look(place)
    try:
        left_out = LeftOut(tuple(exclude), tuple(outputs))
        return _captured(place, look, run_id, archive, left_out, max_untracked_bytes, when)
    finally:
        look.close()


def _captured(
    place: Path,
    look: git.Look,
    run_id: str,
    archive: Path,
    left_out: LeftOut,
    max_untracked_bytes: int,
    when: int | None,
) -> Source:
    repository = git.discovered(look)
    if repository is None:
        return _archived(place, left_out, archive, max_untracked_bytes, _no_repository(place))
    prefix = PurePosixPath(place.relative_to(repository.top.resolve()))
    gathered = gather(repository, left_out.below(prefix))
    found = [file for part in gathered.parts for file in part.found()]
    if _ignored(repository, prefix, found):
        reason = (f"the repository in {shown(os.fsencode(repository.top))} ignores this workspace",)
        return _archived(place, left_out, archive, max_untracked_bytes, reason)
    _check_size(_growth(repository, found), max_untracked_bytes)
    ref = reference(run_id)
    entries, stored = _stored(gathered, found, ref, int(time.time()) if when is None else when)
    return replace(_described(gathered, entries, stored, ref, prefix), remotes=git.remotes(look))


def reference(run_id: str) -> str:
    """The reference that holds the source of a run."""
    return f"{_REFS}/{run_id}"


def _stored(
    gathered: Gathered, found: Sequence[Found], ref: str, when: int
) -> tuple[list[Entry], Stored]:
    """Read what is new and commit it all.

    Index and cache can name objects that are gone (a shallow or damaged store, housekeeping): then,
    and only then, everything is read and stored anew.
    """
    repository = gathered.parts[0].repository
    place = repository.git_dir / "reprokit" / "blobs.json"
    cache = load_cache(place)
    for known in (cache, None):
        entries = read_all(repository, found, known or Cache({}), trust=known is not None)
        everything = [*entries, *gathered.links]
        message = f"reprokit run {ref.rpartition('/')[2]}\n"
        stored = store(repository, everything, ref=ref, message=message, when=when)
        if stored is not None:
            save_cache(place, cache, found, entries)
            return entries, stored
    raise MachineError(
        "source-not-stored",
        "git says that objects of the repository are missing",
        where=str(repository.common_dir),
        hint="`git fsck` tells which",
    )


def _described(
    gathered: Gathered, entries: Sequence[Entry], stored: Stored, ref: str, prefix: PurePosixPath
) -> Source:
    outer = gathered.parts[0]
    repository = outer.repository
    clean = stored.tree == repository.head_tree
    known = {entry.path: entry for entry in ([] if clean else _git_view(gathered, entries))}
    inner = submodules(gathered, known)
    count = Changes(0, 0) if clean else changes(outer, known, inner)
    pointers = [entry.path for entry in entries if entry.pointer]
    untracked = count.untracked + sum(
        len(part.survey.found) for part in gathered.parts[1:] if part.recorded is None
    )
    return Source(
        kind="git",
        store=repository.common_dir,
        tree=stored.tree,
        commit=stored.commit,
        ref=ref,
        head=repository.head,
        branch=repository.branch,
        dirty=bool(count.changed or untracked),
        changed=count.changed,
        untracked=untracked,
        prefix=prefix,
        submodules=tuple(sorted(inner.values(), key=lambda each: each.path)),
        notes=gathered.notes
        + note("the pointer of a Git LFS file that was never fetched", pointers),
    )


def _git_view(gathered: Gathered, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, with the id that git itself would give to a file that Git LFS has put there."""
    if not any(_names_lfs(gathered.parts[0].repository.top, entry) for entry in entries):
        return list(entries)
    result: list[Entry] = []
    for part in gathered.parts:
        some = entries[len(result) : len(result) + len(part.survey.found)]
        result += unsmudged(part.repository, part.survey.found, some)
    return result


def _names_lfs(top: Path, entry: Entry) -> bool:
    if entry.path.rpartition(b"/")[2] != b".gitattributes" or entry.mode == LINK:
        return False
    try:
        return b"filter=lfs" in (entry.data or (top / os.fsdecode(entry.path)).read_bytes())
    except FileNotFoundError:
        return False


def _archived(
    root: Path, left_out: LeftOut, archive: Path, limit: int, notes: tuple[str, ...]
) -> Source:
    found, left = walk(root, left_out)
    _check_size(found, limit)
    entries = pack(root, found, archive)
    return Source(
        kind="archive",
        store=archive.absolute(),
        tree=tree_id(entries),
        untracked=len(entries),
        notes=notes + left,
    )


def _no_repository(root: Path) -> tuple[str, ...]:
    broken = [folder for folder in (root, *root.parents) if os.path.lexists(folder / ".git")]
    return note("no repository that git can read", [os.fsencode(folder) for folder in broken])


def _ignored(repository: git.Repository, prefix: PurePosixPath, found: Sequence[Found]) -> bool:
    """Whether nothing of the workspace is in the repository around it, because its rules say so."""
    if prefix == PurePosixPath():
        return False
    inside = os.fsencode(prefix) + b"/"
    if any(file.path.startswith(inside) for file in found):
        return False
    return git.ask(repository.top, "check-ignore", "-q", "--", f"{prefix}/").code == 0


def _growth(repository: git.Repository, found: Sequence[Found]) -> list[Found]:
    """The files whose bytes are new to the repository, as far as their sizes tell."""
    tracked = [file for file in found if file.tracked and is_large(file)]
    oids = [file.index_oid for file in tracked if file.index_oid]
    sizes: Mapping[str, int] = blob_sizes(repository, oids) if oids else {}
    large = [file for file in tracked if sizes.get(file.index_oid or "") != file.stat.st_size]
    return [file for file in found if not file.tracked] + large


def _check_size(new: Sequence[Found], limit: int) -> None:
    """Refuse to fill the user's repository with data."""
    total = sum(file.stat.st_size for file in new)
    if total <= limit:
        return
    largest = sorted(new, key=lambda file: -file.stat.st_size)[:5]
    lines = ", ".join(f"{shown(f.path)} ({f.stat.st_size / 2**20:.1f} MiB)" for f in largest)
    raise ConfigError(
        "source-too-large",
        f"{len(new)} files that git does not hold yet make {total / 2**20:.0f} MiB, more than "
        f"{limit / 2**20:.0f}; the largest: {lines}",
        hint="list what is no code in .gitignore, or name it under `data:` in config.yaml",
    )
