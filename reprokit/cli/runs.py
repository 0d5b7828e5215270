"""`reprokit runs`."""

from typing import Annotated, Any

import typer

from reprokit.cli import options
from reprokit.cli.place import here
from reprokit.cli.render import Output, duration
from reprokit.cli.times import ago, seconds_of
from reprokit.errors import ConfigError
from reprokit.runs.listing import list_runs
from reprokit.runs.model import STATES
from reprokit.suggest import did_you_mean

HELP = """List runs, the latest last.

\b
  reprokit runs
  reprokit runs --project digits --state failed
"""


def runs(
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="At most so many.")] = 50,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """List runs (see HELP)."""
    output = Output(json, quiet, verbose)
    if state is not None and state not in STATES:
        raise ConfigError(
            "no-state", f"there is no state `{state}`", hint=did_you_mean(state, STATES)
        )
    found = list_runs(here(workspace).store, project=project, state=state)[-last:]
    if json:
        output.document("reprokit/runs/1", {"runs": found})
    elif quiet:
        for record in found:
            output.data(record["id"])
    elif found:
        output.table([("RUN", "PROJECT", "STATE", "STARTED", "TOOK", "RESULT"), *map(_row, found)])
    else:
        output.note("no runs yet")
        output.next("reprokit run projects/digits/config.yaml")


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    if "broken" in record:
        return record["id"], record["project"], "unreadable", "-", "-", record["broken"]
    end = record.get("exit") or {}
    note = record.get("unsettled") or end.get("message") or ""
    started = ago(record["started"]) if record.get("started") else "-"
    took = duration(seconds_of(record))
    return record["id"], record["project"], record["state"], started, took, note[:60]
