"""config -> plan -> environment -> launch: from what the user typed to a training that is on its way.

Nothing of a run is visible in the store before all that it needs is there; then its folder appears at once, complete,
and the engine starts it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reprokit import files, layout, source
from reprokit.config import ProjectConfig, load_config
from reprokit.engines import engine_named
from reprokit.engines.base import Engine, Handle, Launch
from reprokit.engines.kit import ensure_kit
from reprokit.environments.provide import Environment, choose_engine, provide
from reprokit.errors import ReproKitError
from reprokit.inside import ending
from reprokit.inside.removal import remove_tree
from reprokit.layout import RunPaths
from reprokit.plan import Plan, make_plan, refuse_secrets
from reprokit.runs import store
from reprokit.runs.model import RunRecord
from reprokit.values import dataclass, replace
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.data import DatasetManifest


class Watcher(Protocol):
    """Whoever wants to see a run on its way; the library itself prints nothing."""

    terminal: bool

    def notice(self, text: str) -> None:
        """Something worth a line, such as which engine was taken and why."""
        ...

    def building(self, line: str) -> None:
        """A line of the environment's build."""
        ...

    def output(self, data: bytes) -> None:
        """The training's own output, as it comes."""
        ...

    def progress(self, state: Mapping[str, Any]) -> None:
        """Epoch, step and loss right now."""
        ...


@dataclass(frozen=True)
class Request:
    """What the user asked for: a config's path, `key=value` words that go over it, and an engine."""

    config: Path
    overrides: Sequence[str] = ()
    engine: str = "auto"


@dataclass(frozen=True)
class Ready:
    """A run that only needs to be started; until then its folder is `hidden`."""

    engine: Engine
    launch: Launch
    record: RunRecord
    hidden: RunPaths


@contextmanager
def ready(
    workspace: Workspace, request: Request, watcher: Watcher, *, dry_run: bool = False
) -> Iterator[Ready]:
    """Prepare a run in a hidden folder, with its lock held; what is not started vanishes without a trace.

    Args:
        workspace: where.
        request: what.
        watcher: who is told.
        dry_run: it will not be started.

    Raises:
        ReproKitError: whatever stands in the way; nothing is recorded then.
    """
    look = source.look(workspace.root)
    try:
        with _prepared(workspace, request, watcher, look, dry_run=dry_run) as found:
            yield found
    finally:
        look.close()


@contextmanager
def _prepared(
    workspace: Workspace, request: Request, watcher: Watcher, look: source.Look, *, dry_run: bool
) -> Iterator[Ready]:
    config = load_config(request.config, request.overrides)
    project = request.config.absolute().parent
    name, reason = choose_engine(request.engine)
    if request.engine == "auto":
        watcher.notice(f"engine {name}: {reason}")
    engine = engine_named(name)
    if request.engine == "auto" and engine.unenforced:
        watcher.notice(
            f"it cannot limit {', '.join(engine.unenforced)}: those are the machine's own"
        )
    engine.check(config.resources)
    if config.resources.gpus:
        _need_runnable(workspace, config, name)
    environment = provide(workspace, config, project, name, watcher.building)
    located = {key: item.locate(project, workspace.root) for key, item in config.data.items()}
    data = _manifests(located, workspace.store)
    for abandoned in store.abandoned(workspace.store, config.project):
        _vanish(workspace, abandoned)
    run_id, hidden = store.reserve(workspace.store, config.project)
    try:
        with files.exclusive(hidden.lock) as lock:
            plan = make_plan(
                config,
                run_id=run_id,
                engine=name,
                cwd=workspace.inside(project),
                data=located,
                environment=environment.id,
                locks=environment.locks,
                host=os.environ,
            )
            refuse_secrets(plan, os.environ)
            launch = _launch(plan, store.published(hidden), workspace, environment, lock, watcher)
            if not dry_run:
                engine.prepare(launch, hidden)
            from reprokit.staging import stage

            staged, record = stage(
                launch,
                hidden,
                workspace=workspace,
                config=config,
                environment=environment,
                data=data,
                reason=reason,
                unenforced=engine.unenforced,
                look=look,
            )
            yield Ready(engine, staged, record, hidden)
    finally:
        engine.abandon(store.published(hidden))
        if hidden.root.exists():
            _vanish(workspace, hidden)


def _need_runnable(workspace: Workspace, config: ProjectConfig, engine: str) -> None:
    """Refuse, before anything is built, a stack that cannot run on this machine's GPUs.

    Raises:
        MachineError: the facts say so; the nearest stack that can is named.
    """
    from reprokit.machine.look import here
    from reprokit.plan import stack_name
    from reprokit.stacks.compatibility import need_runnable
    from reprokit.stacks.model import load_stack
    from reprokit.subject import shipped

    stack = load_stack(workspace.root, stack_name(config))
    gpus = config.resources.gpus
    need_runnable(stack, here(), gpus=gpus, engine=engine, shipped=shipped(workspace))


def _vanish(workspace: Workspace, hidden: RunPaths) -> None:
    """Undo the preparation of a run that was not started; its folder goes last: a death leaves it to be found."""
    source.forget(workspace.root, store.hidden_id(hidden))
    remove_tree(str(hidden.root))


def command(prepared: Ready) -> list[str]:
    """The exact command line that a prepared run amounts to, for people; it works although the run is not started."""
    return prepared.engine.command(replace(prepared.launch, paths=prepared.hidden))


def start(prepared: Ready) -> Ready:
    """Make a prepared run visible and start it.

    Raises:
        MachineError: the engine refused; the record says so.
    """
    launch, record = prepared.launch, prepared.record
    paths = store.publish(prepared.hidden)

    def keep(handle: Handle) -> None:
        if handle:
            engine = replace(record.engine, handle=handle, released=False)
            store.write_record(paths, replace(record, engine=engine))

    try:
        prepared.engine.launch(launch, keep)
    except ReproKitError as error:
        end = {"code": None, "signal": None, "reason": "not-launched", "message": error.message}
        ending.finish(str(paths.root), {"state": "failed", "exit": end})
        raise
    # The training is on its way; only now is the time to wait for the disk.
    files.sync_tree(paths.root, skip=paths.work)
    return prepared


def _manifests(located: Mapping[str, Path], kept: Path) -> "dict[str, DatasetManifest]":
    """The datasets as they are now; the store keeps each manifest once, under its digest."""
    if not located:
        return {}
    from reprokit.data import keep, manifest

    cache = layout.home() / "data"
    found = {name: manifest(name, path, cache=cache) for name, path in located.items()}
    for dataset in found.values():
        keep(dataset, kept / ".datasets")
    return found


def _launch(
    plan: Plan,
    paths: RunPaths,
    workspace: Workspace,
    environment: Environment,
    lock: int,
    watcher: Watcher,
) -> Launch:
    """The launch as far as it is known without the source."""
    return Launch(
        plan=plan,
        paths=paths,
        kit=ensure_kit(layout.home()),
        location=environment.location,
        secrets={name: os.environ[name] for name in plan.passed},
        facts={},
        lock=lock,
        watched=watcher.terminal,
        origin=workspace.root,
    )
