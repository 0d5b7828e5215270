"""What killed commands left behind in a workspace: found, listed and, when asked to, removed.

Two kinds: hidden run folders (`.new-ID`) that nobody prepares any more, and references to the source of
a run (`refs/reprokit/runs/ID`) whose folder is in no store. A reference is all that keeps the code of a
run, and all checkouts of a repository share them; so one is only called dead when every store of every
checkout was looked into.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit import files
from reprokit.errors import LockedError, MachineError, ReproKitError
from reprokit.layout import RunPaths
from reprokit.runs import store
from reprokit.source import forget, git
from reprokit.workspace import Workspace, find

REFS = "refs/reprokit/runs/"
WORKSPACE_FILES = (":(glob)**/envs/*/stack.yaml", ":(glob)**/reprokit.yaml")


@dataclass(frozen=True)
class DeadRef:
    """A reference to the source of a run that is gone.

    Attributes:
        name: the whole reference.
        commit: what it names; `git update-ref NAME COMMIT` brings it back while git still has it.
    """

    name: str
    commit: str

    @property
    def run_id(self) -> str:
        """The run that it belonged to."""
        return self.name.removeprefix(REFS)


@dataclass(frozen=True)
class Litter:
    """What can be removed.

    Attributes:
        hidden: folders of runs that were never started.
        refs: references of runs that are gone.
        stores: every folder of runs that was looked into for them.
        left_alone: why references of runs that are not in the store stay, if some do.
    """

    hidden: tuple[RunPaths, ...] = ()
    refs: tuple[DeadRef, ...] = ()
    stores: tuple[Path, ...] = ()
    left_alone: str | None = None

    def summary(self) -> str:
        """One line for people."""
        folders = f"hidden run folders of killed commands ({len(self.hidden)})"
        refs = f"stored code of runs that are gone ({len(self.refs)})"
        return " and ".join([*([folders] if self.hidden else []), *([refs] if self.refs else [])])


def find_litter(workspace: Workspace) -> Litter:
    """Look for litter; nothing is changed.

    Raises:
        MachineError: git fails, or does not trust the repository.
    """
    # References first: a run that begins after this look is in none of them.
    candidates = _references(workspace)
    hidden = _abandoned(workspace.store)
    leaving = {store.hidden_id(paths) for paths in hidden}
    missing = [
        ref
        for ref in candidates
        if ref.run_id not in leaving and not is_alive(ref.run_id, [workspace.store])
    ]
    if not missing:
        return Litter(hidden)
    try:
        stores = every_store(workspace)
    except ReproKitError as error:
        reason = f"the stored code of {len(missing)} runs of no known store is left alone: {error.message}"
        return Litter(hidden, left_alone=f"{reason} ({error.where})" if error.where else reason)
    dead = tuple(ref for ref in missing if not is_alive(ref.run_id, stores))
    return Litter(hidden, dead, stores)


def remove_hidden(workspace: Workspace, hidden: RunPaths) -> bool:
    """Remove a hidden folder and its reference; false when somebody uses or removed it after all.

    Raises:
        MachineError: the file system or git refuses.
    """
    if not hidden.root.is_dir():
        return False
    run_id = store.hidden_id(hidden)
    try:
        with files.exclusive(hidden.lock, wait=False):
            published = os.path.lexists(hidden.root.with_name(run_id))
            if not published:
                forget(workspace.root, run_id)
            shutil.rmtree(hidden.root)
            return not published
    except LockedError:
        return False
    except OSError as error:
        raise MachineError(
            "cannot-remove",
            f"cannot remove what a killed command left: {error.strerror}",
            where=str(error.filename or hidden.root),
        ) from error


def remove_ref(workspace: Workspace, ref: DeadRef, stores: Sequence[Path]) -> bool:
    """Remove a dead reference, unless it, or a run of its name, has appeared since.

    Raises:
        MachineError: git fails.
    """
    repository = git.discover(workspace.root)
    if repository is None or is_alive(ref.run_id, stores):
        return False
    git.tell(repository.top, "update-ref", "-d", ref.name, ref.commit)
    return True


def is_alive(run_id: str, stores: Sequence[Path]) -> bool:
    """Whether a store has this run, under its name or, while it is being prepared, under the hidden one.

    The hidden name first: a folder that gets its name between the two looks is then seen at the second.
    """
    return any(
        os.path.lexists(project / name)
        for folder in stores
        for name in (store.UNFINISHED + run_id, run_id)
        for project in _projects(folder)
    )


def every_store(workspace: Workspace) -> tuple[Path, ...]:
    """The folders of runs of all workspaces in all checkouts of the repository.

    Raises:
        MachineError: one of them cannot be looked into: a checkout or a store that is away.
        ConfigError: the settings of one are not valid.
    """
    repository = git.discover(workspace.root)
    if repository is None:
        return (workspace.store,)
    found = {workspace.root: workspace}
    for top in _checkouts(repository):
        for root in _workspaces(top):
            found.setdefault(root, find(root))
    for each in found.values():
        _need_store(each)
    return tuple(dict.fromkeys(each.store for each in found.values()))


def _references(workspace: Workspace) -> list[DeadRef]:
    repository = git.discover(workspace.root)
    if repository is None:
        return []
    said = git.tell(repository.top, "for-each-ref", "--format=%(refname) %(objectname)", REFS)
    return [DeadRef(*line.split(" ")) for line in said.text.splitlines()]


def _abandoned(folder: Path) -> tuple[RunPaths, ...]:
    found = [
        paths for project in _projects(folder) for paths in store.abandoned(folder, project.name)
    ]
    return tuple(sorted(found, key=lambda paths: paths.root))


def _projects(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


def _checkouts(repository: git.Repository) -> list[Path]:
    """The folders of all worktrees; each must be there."""
    said = git.tell(repository.top, "worktree", "list", "--porcelain").text
    blocks = [block.splitlines() for block in said.split("\n\n") if block.strip()]
    tops = [Path(lines[0].removeprefix("worktree ")) for lines in blocks if "bare" not in lines]
    for top in tops:
        if not top.is_dir():
            raise MachineError(
                "no-worktree", "a worktree of this repository is not there", where=str(top)
            )
    return tops


def _workspaces(top: Path) -> set[Path]:
    """The workspaces in a checkout, committed or not."""
    words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    names = git.tell(top, *words, *WORKSPACE_FILES).text.split("\0")
    paths = [top / name for name in names if name]
    there = [path for path in paths if path.is_file()]
    return {path.parent if path.name == "reprokit.yaml" else path.parents[2] for path in there}


def _need_store(workspace: Workspace) -> None:
    """Refuse a store that may only be away: one that was moved to another disk, or is a link to one.

    The folder `runs` of the workspace itself is believed when it is empty or gone.
    """
    folder = workspace.store
    usual = folder == workspace.root / "runs" and not folder.is_symlink()
    if not usual and not _projects(folder):
        raise MachineError("store-away", "a store of runs is empty or away", where=str(folder))
