"""Locking a workspace: which stacks and projects there are, what of them is stale, and writing them anew."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from reprokit.config import load_config
from reprokit.errors import NotFoundError, Problem, ReproKitError
from reprokit.plan import stack_name
from reprokit.stacks import locks
from reprokit.values import dataclass
from reprokit.workspace import Workspace

RESOLVERS = ("uv", "pip-tools")


@dataclass(frozen=True)
class Targets:
    """What a call is about: stacks by name, and projects as (folder, stack)."""

    stacks: tuple[str, ...]
    projects: tuple[tuple[Path, str], ...]


def targets(workspace: Workspace, names: Sequence[str]) -> Targets:
    """What `names` mean: nothing is everything; a stack brings the projects on it; a path is one project.

    Raises:
        ConfigError: a project's config is not valid.
        NotFoundError: a name is neither a stack nor the folder of a project.
    """
    configs = sorted(workspace.root.glob("projects/*/config.yaml"))
    known = [(path.parent, stack_name(load_config(path))) for path in configs]
    stacks = sorted(path.parent.name for path in workspace.stacks.glob("*/stack.yaml"))
    if not names:
        return Targets(tuple(stacks), tuple(known))
    chosen = [name for name in names if name in stacks]
    projects = [_project(Path(name)) for name in names if name not in stacks]
    return Targets(
        tuple(chosen),
        tuple(dict.fromkeys([item for item in known if item[1] in chosen] + projects)),
    )


def check(workspace: Workspace, what: Targets) -> list[Problem]:
    """Every lock of `what` that is missing, stale or not safe. Reads files only."""
    looks: list[Callable[[], object]] = [
        partial(locks.check_dev_lock, workspace.root, stack) for stack in what.stacks
    ]
    looks += [
        partial(locks.load_locked, workspace.root, stack, project)
        for project, stack in what.projects
    ]
    return list(dict.fromkeys(problem for look in looks for problem in _complaint(look)))


def write(
    workspace: Workspace,
    what: Targets,
    *,
    resolver: str,
    upgrade: bool,
    as_of: str | None = None,
    notice: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Resolve and write every lock of `what`, stacks first; a lock that says the same is left alone.

    Returns:
        For each lock: its path, how many pins it has, whether it changed.
    """
    results: list[locks.LockResult] = []
    for stack in what.stacks:
        notice(f"locking stack {stack} with {resolver}")
        results += locks.lock_stack(
            workspace.root, stack, resolver=resolver, upgrade=upgrade, as_of=as_of
        )
    for project, stack in what.projects:
        notice(f"locking project {project.name} on {stack} with {resolver}")
        result = locks.lock_project(
            workspace.root, stack, project, resolver=resolver, upgrade=upgrade, as_of=as_of
        )
        results += [result] if result else []
    return [_line(workspace, result, notice) for result in results]


def _line(
    workspace: Workspace, result: locks.LockResult, notice: Callable[[str], None]
) -> dict[str, Any]:
    path = str(result.path.relative_to(workspace.root))
    pins = len(result.lock.pins)
    as_of = result.lock.header.as_of
    state = f"{'written' if result.written else 'unchanged'}{f', as of {as_of}' if as_of else ''}"
    notice(f"  {path}: {pins} packages, {state}")
    return {"path": path, "packages": pins, "written": result.written, "as_of": as_of}


def _complaint(look: Callable[[], object]) -> list[Problem]:
    try:
        look()
    except ReproKitError as error:
        return [Problem(error.where or "", error.message, error.hint)]
    return []


def _project(folder: Path) -> tuple[Path, str]:
    config = folder / "config.yaml"
    if not config.is_file():
        raise NotFoundError(
            "no-target",
            f"`{folder.name}` is neither a stack nor a project",
            where=str(config),
            hint="name a folder of `envs/`, or a project's folder",
        )
    return folder, stack_name(load_config(config))
