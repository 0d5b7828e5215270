"""config -> plan -> environment -> launch: from what the user typed to a training that is on its way.

Nothing of a run is visible in the store before all that it needs is there; then its folder appears at once, complete,
and the engine starts it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from reprokit import __version__, files, layout
from reprokit.config import ProjectConfig, load_config
from reprokit.engines import engine_named
from reprokit.engines.base import Engine, Handle, Launch
from reprokit.engines.kit import ensure_kit
from reprokit.environments.provide import Environment, choose_engine, provide
from reprokit.errors import ReproKitError
from reprokit.inside import ending
from reprokit.inside.files import json_text
from reprokit.layout import RunPaths
from reprokit.plan import Plan, in_source, make_plan, refuse_secrets
from reprokit.redact import cut, cut_all
from reprokit.runs import outputs, store
from reprokit.runs.model import SCHEMA, EngineRecord, EnvironmentRecord, RunRecord
from reprokit.source import Source, capture, forget, materialise
from reprokit.values import asdict, dataclass, replace
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
    config = load_config(request.config, request.overrides)
    project = request.config.absolute().parent
    name, reason = choose_engine(request.engine)
    if request.engine == "auto":
        watcher.notice(f"engine {name}: {reason}")
    engine = engine_named(name)
    engine.check(config.resources)
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
            source = _source(workspace, config, project, run_id, hidden, located.values())
            plan = in_source(plan, source.prefix, _places(workspace, source, located.values()))
            link = name == "venv"
            outputs.connect(hidden, hidden.work / plan.cwd, plan.keep, link=link)
            outputs.connect_data(hidden.work, plan.places, link=link)
            launch = replace(
                launch,
                plan=plan,
                facts=_facts(plan, environment, source, data),
                origin=_top(workspace, source),
            )
            record = _record(plan, environment, reason)
            _write(hidden, plan, record, config, environment, source, data)
            yield Ready(engine, launch, record, hidden)
    finally:
        engine.abandon(store.published(hidden))
        if hidden.root.exists():
            _vanish(workspace, hidden)


def _vanish(workspace: Workspace, hidden: RunPaths) -> None:
    """Undo the preparation of a run that was not started; its folder goes last, so that a death leaves it to be found."""
    forget(workspace.root, store.hidden_id(hidden))
    shutil.rmtree(hidden.root, ignore_errors=True)


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


def _source(
    workspace: Workspace,
    config: ProjectConfig,
    project: Path,
    run_id: str,
    paths: RunPaths,
    data: Iterable[Path],
) -> Source:
    """Store the exact code and lay out the copy that the run executes; runs, outputs and data are no code."""
    within = workspace.inside(project)
    exclude = [
        *_below(workspace, [workspace.store, *data]),
        *(within / name for name in config.outputs.keep),
    ]
    source = capture(
        workspace.root, run_id=run_id, exclude=exclude, archive=paths.root / "source.tar"
    )
    materialise(source, paths.work)
    return source


def _below(workspace: Workspace, paths: Iterable[Path]) -> list[PurePosixPath]:
    """Those of `paths` that lie in the workspace, relative to it."""
    return [
        PurePosixPath(path.relative_to(workspace.root))
        for path in paths
        if path.is_relative_to(workspace.root)
    ]


def _top(workspace: Workspace, source: Source) -> Path:
    """The user's own folder that the copy of the source is a copy of: the workspace, or the repository around it."""
    return (
        workspace.root.parents[len(source.prefix.parts) - 1]
        if source.prefix.parts
        else workspace.root
    )


def _places(workspace: Workspace, source: Source, data: Iterable[Path]) -> dict[str, Path]:
    return {str(source.prefix / path): workspace.root / path for path in _below(workspace, data)}


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


def _record(plan: Plan, environment: Environment, reason: str) -> RunRecord:
    return RunRecord(
        schema=SCHEMA,
        id=plan.run_id,
        project=plan.project,
        state="preparing",
        created=ending.now(),
        argv=[cut(word) for word in plan.argv],
        engine=EngineRecord(plan.engine, reason),
        environment=EnvironmentRecord(
            environment.id,
            environment.kind,
            environment.location,
            environment.digest,
            environment.base,
        ),
        reprokit=__version__,
        host=os.uname().nodename,
    )


def _write(
    paths: RunPaths,
    plan: Plan,
    record: RunRecord,
    config: ProjectConfig,
    environment: Environment,
    source: Source,
    data: "Mapping[str, DatasetManifest]",
) -> None:
    """Every file of the record that is known before the start. The folder is hidden still; the disk comes later."""
    texts = {
        paths.plan: json_text(plan.document()),
        paths.config: cut(config.to_yaml()),
        paths.source: json_text({"schema": "reprokit/source/1", **source.to_json()}),
        paths.data: json_text({name: dataset.summary() for name, dataset in data.items()}),
        paths.requirements: environment.requirements,
        paths.record: json_text(asdict(record)),
    }
    if environment.dockerfile is not None:
        texts[paths.dockerfile] = environment.dockerfile
    for path, text in texts.items():
        path.write_text(text, "utf-8", "surrogateescape")
    for folder in (paths.log.parent, paths.observed):
        folder.mkdir(parents=True, exist_ok=True)


def _facts(
    plan: Plan, environment: Environment, source: Source, data: "Mapping[str, DatasetManifest]"
) -> dict[str, Any]:
    """What the host itself observed, for the layers of the snapshot that cannot be seen from inside."""
    return {
        "code": source.to_json(),
        "data": {name: dataset.summary() for name, dataset in data.items()},
        "config": {
            "seed": plan.seed,
            "determinism": plan.determinism,
            "params": cut_all(plan.params),
            "resources": asdict(plan.resources),
        },
        "environment": {
            "id": environment.id,
            "kind": environment.kind,
            "engine": plan.engine,
            "digest": environment.digest,
            "base": environment.base,
            "locks": dict(environment.locks),
        },
    }
