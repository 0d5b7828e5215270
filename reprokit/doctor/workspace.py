"""Check `workspace`: are locks and Dockerfiles what their inputs ask for?"""

from collections.abc import Iterator, Sized
from pathlib import Path

from reprokit import locking
from reprokit.doctor.model import Context, Finding, combined, of_error
from reprokit.errors import ReproKitError
from reprokit.workspace import Workspace

NAME = "workspace"
TITLE = "Workspace"


def run(context: Context) -> Finding:
    """Compare every lock and Dockerfile with what it was made from; reads files only."""
    if context.trouble is not None:
        return of_error(context.trouble)
    if context.workspace is None:
        return Finding(
            "skip", "no workspace here", "go into one, or name it with `--workspace DIR`"
        )
    return combined([*_locks(context.workspace), *_dockerfiles(context.workspace)])


def _locks(workspace: Workspace) -> Iterator[Finding]:
    try:
        what = locking.targets(workspace, ())
    except ReproKitError as error:
        yield of_error(error)
        return
    if not what.stacks:
        yield Finding("warn", "no stacks yet", "write `envs/NAME/stack.yaml`")
        return
    problems = locking.check(workspace, what)
    if problems:
        places = tuple(f"{_short(workspace, item.where)}: {item.message}" for item in problems)
        fixes = dict.fromkeys(item.hint for item in problems if item.hint)
        yield Finding(
            "warn",
            f"{_count(problems, 'lock')} cannot be used as they are",
            "; ".join(fixes),
            places,
        )
    else:
        yield Finding(
            "ok", f"{_count(what.stacks, 'stack')} and {_count(what.projects, 'project')} locked"
        )


def _dockerfiles(workspace: Workspace) -> Iterator[Finding]:
    from reprokit.stacks.dockerfiles import write_dockerfiles
    from reprokit.stacks.model import load_stack

    stale: list[str] = []
    for path in sorted(workspace.stacks.glob("*/stack.yaml")):
        try:
            files = write_dockerfiles(
                workspace.root, load_stack(workspace.root, path.parent.name), check=True
            )
        except ReproKitError as error:
            yield of_error(error)
            continue
        stale += [str(file.path.relative_to(workspace.root)) for file in files if file.changed]
    if stale:
        yield Finding(
            "warn",
            f"{_count(stale, 'Dockerfile')} out of date",
            "`reprokit dockerfile`",
            tuple(stale),
        )


def _short(workspace: Workspace, where: str) -> str:
    path = Path(where)
    return str(path.relative_to(workspace.root)) if path.is_relative_to(workspace.root) else where


def _count(items: Sized, noun: str) -> str:
    number = len(items)
    return f"{number} {noun}{'s' * (number != 1)}"
