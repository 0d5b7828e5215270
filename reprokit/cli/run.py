"""`reprokit run`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprokit import launch
from reprokit.cli import options
from reprokit.cli.render import Output, duration
from reprokit.cli.times import seconds_of
from reprokit.cli.watcher import TerminalWatcher
from reprokit.engines import checked_name
from reprokit.errors import InterruptedRunError, ReproKitError, TrainingFailedError
from reprokit.follow import follow
from reprokit.layout import RunPaths
from reprokit.runs.store import read_raw
from reprokit.workspace import find

if TYPE_CHECKING:
    from reprokit.launch import Ready

HELP = """Run a project's training in its pinned environment, and record it.

\b
  reprokit run projects/digits/config.yaml
  reprokit run CONFIG -o params.lr=0.01 --seed 7
  reprokit run CONFIG --engine venv --detach
  reprokit run CONFIG --dry-run                  print what would run
"""


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The project's config.yaml.")],
    override: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--override", metavar="KEY=VALUE", help="Change the config for this run."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same as `-o seed=N`.")] = None,
    engine: options.EngineName = "auto",
    detach: Annotated[
        bool, typer.Option(help="Start it and return; it goes on by itself.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the exact command; run nothing.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Run a training (see HELP)."""
    output = Output(json, quiet, verbose)
    watcher = TerminalWatcher(output)
    overrides = [*(override or ()), *([] if seed is None else [f"seed={seed}"])]
    request = launch.Request(config, overrides, checked_name(engine))
    place = find(workspace or config.absolute().parent)
    with launch.ready(place, request, watcher) as ready:
        if dry_run:
            _show_command(output, ready)
            return
        started = launch.start(ready)
    paths, run_id = started.launch.paths, started.record.id
    output.note(f"run {run_id}")
    if detach:
        _show_detached(output, paths)
        return
    try:
        record = follow(paths, started.engine, watcher)
    finally:
        watcher.close()
    _show_end(output, paths, record)


def _show_command(output: Output, ready: "Ready") -> None:
    command = ready.engine.command(ready.launch)
    if output.as_json:
        plan = ready.launch.plan.document()
        output.document("reprokit/dry-run/1", {"command": command, "plan": plan})
    else:
        output.data(shlex.join(command))


def _show_detached(output: Output, paths: RunPaths) -> None:
    if output.as_json:
        output.document(
            "reprokit/run-result/1", {"folder": str(paths.root), "run": read_raw(paths)}
        )
    elif output.quiet:
        output.data(paths.root.name)
    output.next(f"reprokit logs -f {paths.root.name}")


def _show_end(output: Output, paths: RunPaths, record: dict[str, Any]) -> None:
    """Say how the run ended: in words or JSON, and as an exit code."""
    run_id, end = record["id"], record["exit"]
    error = end_error(record)
    if output.as_json:
        output.document("reprokit/run-result/1", {"folder": str(paths.root), "run": record})
        raise typer.Exit(error.exit_code if error else 0)
    if error:
        raise error
    output.note(f"{end['reason']} in {duration(seconds_of(record))}")
    output.next(f"reprokit show {run_id}")


def end_error(record: dict[str, Any]) -> ReproKitError | None:
    """The error that a run's end is to whoever asked for it; None for a completed one."""
    end = record["exit"]
    hint = f"`reprokit logs {record['id']}` shows what it printed"
    if record["state"] == "completed":
        return None
    if record["state"] == "stopped":
        return InterruptedRunError("stopped", f"the training was {end['message']}", hint=hint)
    message = f"the training failed: {end['message']}"
    where = None if end["code"] is None else f"exit code {end['code']}"
    return TrainingFailedError(end["reason"], message, where=where, hint=hint)
