"""A stored source -> the copy that a run executes, and what the run then left in it."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH118

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from reprokit import process
from reprokit.errors import IntegrityError, MachineError, NotFoundError
from reprokit.inside.removal import remove_tree
from reprokit.source import git
from reprokit.source.archive import unpack
from reprokit.source.model import Source

_CONFIG = """\
[core]
repositoryformatversion = {version}
bare = false
filemode = true
symlinks = true
autocrlf = false
ignoreCase = false
protectNTFS = false
protectHFS = false
fsmonitor = false
hooksPath = /dev/null
{extension}"""

_SHA256_DIGITS = 64

# git reads this file last: it overrules every .gitattributes of the tree, so no byte is converted
# and no filter named. `-working-tree-encoding` would be an error, `!` makes it unset.
_ATTRIBUTES = "* -text -crlf !eol -ident -filter !working-tree-encoding\n"


def materialise(source: Source, destination: Path) -> Path:
    """Write exactly the files of `source` into the folder `destination`, which is new or empty.

    Beside it, `stamps_path(destination)` remembers how each file was left, for `leftovers`.

    Returns:
        The folder inside `destination` that the workspace is: `destination` itself, or below it
        when the workspace is a folder of a larger repository.

    Raises:
        IntegrityError: the stored source is damaged or incomplete.
        MachineError: `destination` is in use, or cannot be written.
        NotFoundError: the stored source is gone.
    """
    if not source.store.exists():
        raise NotFoundError(
            "source-gone", "the stored source is not there", where=str(source.store)
        )
    _make_new(destination)
    try:
        _write(source, destination)
        _save_stamps(source, destination)
    except BaseException as error:
        remove_tree(str(destination))
        if isinstance(error, OSError):
            text = f"the copy of the source cannot be written: {error.strerror or error}"
            raise MachineError("copy-failed", text, where=str(destination)) from error
        raise
    return destination / source.prefix


def leftovers(source: Source, work: Path) -> list[Path]:
    """The files that a run added to, or changed in, its copy of the source; sorted.

    A file counts as changed when its time of change, size or inode did. Links are listed as links
    and never followed; `__pycache__`, fifos, sockets and devices are passed over; a folder that
    cannot be read stands for what is in it.

    Args:
        source: what was materialised.
        work: where.

    Raises:
        IntegrityError: there is no note of how this source was materialised there.
    """
    place = stamps_path(work)
    try:
        noted = json.loads(place.read_bytes())
        tree, files = noted["tree"], noted["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = "there is no note of how the source was copied here"
        raise IntegrityError("no-stamps", text, where=str(place)) from error
    if tree != source.tree:
        raise IntegrityError("other-source", "the copy is of another source", where=str(work))
    return sorted(
        work / os.fsdecode(path)
        for path, stamp in _stamps(os.fsencode(work))
        if files.get(path.decode("latin-1")) != stamp
    )


def stamps_path(work: Path) -> Path:
    """The file that remembers how each file of the copy `work` was left."""
    return work.with_name(f"{work.name}.stamps.json")


def _make_new(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            return
        reason = "there are files already"
    except OSError as error:
        reason = error.strerror or str(error)
    text = f"the copy of the source cannot be made: {reason}"
    raise MachineError("copy-failed", text, where=str(folder))


def _write(source: Source, destination: Path) -> None:
    if source.kind == "git":
        _check_out(source, destination)
    elif (tree := unpack(source.store, destination)) != source.tree:
        raise IntegrityError(
            "bad-archive",
            f"the archive holds tree {tree}, not {source.tree}",
            where=str(source.store),
        )


def _check_out(source: Source, destination: Path) -> None:
    """Let git write the tree from a git folder of ours: no config of the user's is read."""
    private = destination.with_name(f".{destination.name}.git")
    variables = {
        "HOME": str(private),
        "XDG_CONFIG_HOME": str(private),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_DIR": str(private),
        "GIT_WORK_TREE": str(destination),
        "GIT_OBJECT_DIRECTORY": str(source.store / "objects"),
    }
    try:
        _make_git_folder(private, sha256=len(source.tree) == _SHA256_DIGITS)
        words = ["git", "read-tree", "-u", "--reset", source.tree]
        done = process.run(words, cwd=destination, env=git.environment(variables))
        if done.code != 0:
            raise _not_written(source, done)
    finally:
        remove_tree(str(private))


def _make_git_folder(folder: Path, *, sha256: bool) -> None:
    extension = "[extensions]\nobjectFormat = sha256\n" if sha256 else ""
    (folder / "info").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_bytes(b"ref: refs/heads/none\n")
    config = _CONFIG.format(version=int(sha256), extension=extension)
    (folder / "config").write_bytes(config.encode("ascii"))
    (folder / "info" / "attributes").write_bytes(_ATTRIBUTES.encode("ascii"))


def _not_written(source: Source, done: process.Completed) -> IntegrityError | MachineError:
    reason = done.error_text or f"git exited with {done.code}"
    if any(text in reason for text in ("No space left", "Permission denied", "Read-only", "quota")):
        return MachineError("copy-failed", f"the copy of the source cannot be written: {reason}")
    return IntegrityError(
        "source-lost",
        f"git cannot read the stored source (tree {source.tree}): {reason}",
        where=str(source.store),
        hint=f"`git fsck` tells what is damaged; was {source.ref} deleted?",
    )


def _save_stamps(source: Source, work: Path) -> None:
    """Not synced to disk: it is of use only as long as the copy is, which is not synced either."""
    files = {path.decode("latin-1"): stamp for path, stamp in _stamps(os.fsencode(work))}
    text = json.dumps({"schema": "reprokit/stamps/1", "tree": source.tree, "files": files})
    stamps_path(work).write_bytes(text.encode("ascii"))


def _stamps(top: bytes) -> Iterator[tuple[bytes, list[int] | None]]:
    """Path and (time of change in ns, size, inode) of each file and link below `top`."""
    todo = [b""]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(os.path.join(top, folder)) as items:
                listed = list(items)
        except FileNotFoundError:
            continue
        except PermissionError:
            yield folder, None
            continue
        for item in listed:
            path = os.path.join(folder, item.name)
            if item.is_dir(follow_symlinks=False):
                if item.name != b"__pycache__":
                    todo.append(path)
                continue
            facts = item.stat(follow_symlinks=False)
            if stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                yield path, [facts.st_mtime_ns, facts.st_size, facts.st_ino]
