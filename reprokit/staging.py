"""The exact code of a run, and all that is known before its start -> the run's folder, hidden still.

Imported only when the environment has been told to come up: the one takes as long as the other.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from reprokit import __version__
from reprokit.config import ProjectConfig
from reprokit.engines.base import Launch
from reprokit.environments.provide import Environment
from reprokit.inside import ending
from reprokit.inside.files import json_text
from reprokit.layout import RunPaths
from reprokit.plan import Plan, in_source
from reprokit.redact import cut, cut_all
from reprokit.runs import outputs
from reprokit.runs.model import SCHEMA, EngineRecord, EnvironmentRecord, RunRecord
from reprokit.runs.store import published
from reprokit.source import Look, Source, capture, materialise
from reprokit.values import asdict, replace
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.data import DatasetManifest


def stage(
    launch: Launch,
    hidden: RunPaths,
    *,
    workspace: Workspace,
    config: ProjectConfig,
    environment: Environment,
    data: "Mapping[str, DatasetManifest]",
    reason: str,
    unenforced: tuple[str, ...],
    look: Look,
) -> tuple[Launch, RunRecord]:
    """Store the source, lay out its copy with all that it reads and writes, and write the record.

    Args:
        launch: as far as it is known without the source.
        hidden: the run's folder.
        workspace: what the source is of.
        config: what is run.
        environment: where.
        data: dataset name -> its manifest.
        reason: why this engine.
        unenforced: what of the plan this engine cannot enforce.
        look: what git was asked about the workspace.

    Raises:
        ReproKitError: the source cannot be stored, or the folder not be written.
    """
    source = _source(workspace, launch.plan, hidden, look)
    places = _places(workspace, source, launch.plan.data.values())
    plan = in_source(launch.plan, source.prefix, places)
    link = plan.engine == "venv"
    outputs.connect(hidden, hidden.work / plan.cwd, plan.keep, link=link)
    outputs.connect_data(hidden.work, plan.places, link=link)
    record = _record(plan, environment, reason, unenforced)
    _write(hidden, plan, record, config, environment, source, data)
    facts = _facts(plan, environment, source, data)
    return replace(launch, plan=plan, facts=facts, origin=_top(workspace, source)), record


def _source(workspace: Workspace, plan: Plan, paths: RunPaths, look: Look) -> Source:
    """Store the exact code and lay out the copy that the run executes; runs, outputs and data are no code."""
    source = capture(
        workspace.root,
        run_id=plan.run_id,
        exclude=_below(workspace, [workspace.store, *plan.data.values()]),
        outputs=[plan.cwd / name for name in plan.keep],
        archive=paths.root / "source.tar",
        look=look,
    )
    materialise(source, paths.work)
    if source.kind == "archive":
        # Where it will be once the run is visible.
        return replace(source, store=published(paths).root / source.store.name)
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


def _record(
    plan: Plan, environment: Environment, reason: str, unenforced: tuple[str, ...]
) -> RunRecord:
    return RunRecord(
        schema=SCHEMA,
        id=plan.run_id,
        project=plan.project,
        state="preparing",
        created=ending.now(),
        argv=[cut(word) for word in plan.argv],
        engine=EngineRecord(plan.engine, reason, unenforced=unenforced),
        environment=EnvironmentRecord(
            environment.id,
            environment.kind,
            environment.location,
            environment.digest,
            environment.base,
            environment.mirror,
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
        paths.data: json_text(
            {
                "schema": "reprokit/data/1",
                "datasets": {name: dataset.summary() for name, dataset in data.items()},
            }
        ),
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
