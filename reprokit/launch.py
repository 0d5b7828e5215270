"""config -> plan -> environment -> launch: from what the user typed to a training that is on its way.

Nothing of a run is visible in the store before all that it needs is there; then its folder appears at once, complete,
and the engine starts it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
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
from reprokit.plan import Plan, make_plan, refuse_secrets
from reprokit.redact import cut
from reprokit.runs import outputs, store
from reprokit.runs.model import SCHEMA, EngineRecord, EnvironmentRecord, RunRecord
from reprokit.source import Source, capture, materialise
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
    """A run that only needs to be started."""

    engine: Engine
    launch: Launch
    record: RunRecord


@contextmanager
def ready(workspace: Workspace, request: Request, watcher: Watcher) -> Iterator[Ready]:
    """Prepare a run in a hidden folder, with its lock held; what is not started vanishes without a trace.

    Raises:
        ReproKitError: whatever stands in the way; nothing is recorded then.
    """
    config = load_config(request.config, request.overrides)
    project = request.config.absolute().parent
    name, reason = choose_engine(request.engine)
    if request.engine == "auto":
        watcher.notice(f"engine {name}: {reason}")
    environment = provide(workspace, config, project, name, watcher.building)
    located = {key: item.locate(project, workspace.root) for key, item in config.data.items()}
    data = _manifests(located, workspace.store)
    run_id, paths = store.reserve(workspace.store, config.project)
    try:
        with files.exclusive(paths.lock) as lock:
            source = _source(workspace, config, project, run_id, paths, located.values())
            plan = make_plan(
                config,
                run_id=run_id,
                engine=name,
                cwd=source.prefix / workspace.inside(project),
                data=located,
                places=_places(workspace, source, located.values()),
                environment=environment.id,
                locks=environment.locks,
                host=os.environ,
            )
            refuse_secrets(plan, os.environ)
            link = name == "venv"
            outputs.connect(paths, paths.work / plan.cwd, plan.keep, link=link)
            outputs.connect_data(paths.work, plan.places, link=link)
            launch = _launch(
                plan, paths, environment, _facts(plan, environment, source, data), lock, watcher
            )
            record = _record(plan, environment, reason)
            _write(launch, record, config, environment, source, data)
            yield Ready(engine_named(name), launch, record)
    finally:
        shutil.rmtree(paths.root, ignore_errors=True)


def start(prepared: Ready) -> Ready:
    """Make a prepared run visible and start it.

    Raises:
        MachineError: the engine refused; the record says so.
    """
    paths = store.publish(prepared.launch.paths)
    launch = replace(prepared.launch, paths=paths)
    record = prepared.record

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
    return replace(prepared, launch=launch)


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
    environment: Environment,
    facts: Mapping[str, Any],
    lock: int,
    watcher: Watcher,
) -> Launch:
    return Launch(
        plan=plan,
        paths=paths,
        kit=ensure_kit(layout.home()),
        location=environment.location,
        secrets={name: os.environ[name] for name in plan.passed},
        facts=facts,
        lock=lock,
        watched=watcher.terminal,
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
    launch: Launch,
    record: RunRecord,
    config: ProjectConfig,
    environment: Environment,
    source: Source,
    data: "Mapping[str, DatasetManifest]",
) -> None:
    """Every file of the record that is known before the start. The folder is hidden still; the disk comes later."""
    paths = launch.paths
    texts = {
        paths.plan: json_text(launch.plan.document()),
        paths.config: config.to_yaml(),
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
            "params": dict(plan.params),
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
