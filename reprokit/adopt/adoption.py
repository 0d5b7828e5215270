"""Adopting a repository: what is concluded about it -> new files in it, and their locks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reprokit import files, strictyaml
from reprokit.adopt import compose
from reprokit.adopt.conclude import Conclusion, Wanted, conclude
from reprokit.adopt.model import Note
from reprokit.adopt.place import Place, Store, find_place, make_store, with_line
from reprokit.adopt.writing import Draft, create_all, refuse_existing
from reprokit.config import parse_config
from reprokit.errors import ReproKitError
from reprokit.stacks import locks
from reprokit.stacks.find import STACK_FILE
from reprokit.stacks.inputs import REQUIREMENTS_FILE
from reprokit.stacks.model import parse_stack
from reprokit.stacks.resolution import resolve_stack


@dataclass(frozen=True)
class Adoption:
    """What `reprokit init` is about to do.

    Attributes:
        place: where.
        conclusion: what it is about.
        drafts: the files that it writes, in this order.
        store: what a repository gets that becomes a workspace.
    """

    place: Place
    conclusion: Conclusion
    drafts: tuple[Draft, ...]
    store: Store

    @property
    def notes(self) -> tuple[Note, ...]:
        """Everything that is worth telling."""
        return (*self.conclusion.notes, *self.store.notes)


@dataclass(frozen=True)
class Locked:
    """The locks that were written, or why there are none."""

    paths: tuple[Path, ...] = ()
    error: ReproKitError | None = None


def prepare(folder: Path, workspace: Path | None, wanted: Wanted) -> Adoption:
    """Look at a repository and draft its files. Writes nothing.

    Args:
        folder: the repository, or a project inside a workspace.
        workspace: the workspace; None: the one around `folder`, else `folder` becomes one.
        wanted: what the caller has decided.

    Raises:
        ConfigError: a file is in the way, or the repository says too little or contradicts itself.
        NotFoundError: there is no such folder or stack, or nothing to adopt.
    """
    place = find_place(folder, workspace)
    names = ("config.yaml", REQUIREMENTS_FILE)
    refuse_existing([Draft(place.folder / name, "") for name in names])
    conclusion = conclude(place.folder, place.root, wanted)
    store = make_store(place)
    drafts = (*_stack_drafts(place, conclusion), *store.drafts, *_project_drafts(place, conclusion))
    refuse_existing(drafts)
    return Adoption(place, conclusion, drafts, store)


def carry_out(adoption: Adoption) -> tuple[Path, ...]:
    """Write the drafts, all or none.

    Returns:
        The files that are new or, for .gitignore, longer.

    Raises:
        ConfigError: a place was taken in the meantime.
        MachineError: the file system refused. Nothing is left behind.
    """
    create_all(adoption.drafts)
    paths = [draft.path for draft in adoption.drafts]
    if adoption.store.ignore is not None:
        path = adoption.place.root / ".gitignore"
        files.write_bytes(path, with_line(path.read_bytes(), adoption.store.ignore))
        paths.append(path)
    return tuple(paths)


def lock(adoption: Adoption, notice: Callable[[str], None]) -> Locked:
    """Lock the stack, where it is new or has no lock, and the project.

    An index that does not answer, or requirements that contradict one another, undo nothing: the
    files are written, and `reprokit lock` goes on from there.
    """
    root, conclusion = adoption.place.root, adoption.conclusion
    stack, day = conclusion.base.name, conclusion.as_of
    results: list[locks.LockResult] = []
    try:
        if conclusion.base.new or not locks.stack_lock_path(root, stack).exists():
            notice(f"locking stack {stack}")
            since = day if conclusion.base.new else None
            results += locks.lock_stack(root, stack, as_of=since)
        notice(f"locking project {conclusion.project} on {stack}")
        project = locks.lock_project(root, stack, adoption.place.folder, as_of=day)
        results += [project] if project else []
    except ReproKitError as error:
        return Locked(tuple(result.path for result in results), error)
    return Locked(tuple(result.path for result in results))


def _stack_drafts(place: Place, conclusion: Conclusion) -> list[Draft]:
    base = conclusion.base
    if not base.new:
        return []
    path = place.root / "envs" / base.name / STACK_FILE
    text = compose.stack_yaml(conclusion)
    # What is written must be what is meant, and a base that exists.
    resolve_stack(
        parse_stack(strictyaml.parse(text.encode(), str(path)), base.name, where=str(path))
    )
    return [Draft(path, text)]


def _project_drafts(place: Place, conclusion: Conclusion) -> list[Draft]:
    path = place.folder / "config.yaml"
    text = compose.config_yaml(conclusion)
    parse_config(text.encode(), path)
    requirements = compose.requirements_in(conclusion)
    return [Draft(place.folder / REQUIREMENTS_FILE, requirements), Draft(path, text)]
