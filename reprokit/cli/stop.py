"""`reprokit stop`."""

from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.place import settled
from reprokit.cli.render import Output
from reprokit.engines import engine_named
from reprokit.errors import ConfigError
from reprokit.runs.model import FINAL
from reprokit.runs.settle import ask_to_stop, wait_for_end

HELP = """Stop a training: SIGINT first, then SIGTERM, then SIGKILL.

\b
  reprokit stop @last
  reprokit stop RUN --now                        kill it
"""


def stop(
    run: options.RunName,
    now: Annotated[bool, typer.Option(help="Kill it; do not ask.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Stop a run (see HELP)."""
    output = Output(json, quiet, verbose)
    paths, record = settled(workspace, run)
    if record["state"] in FINAL:
        raise ConfigError(
            "not-running", f"the run is not running: it is {record['state']}", where=record["id"]
        )
    engine = engine_named(record["engine"]["name"])
    ask_to_stop(paths, engine, now=now)
    record = wait_for_end(paths, engine)
    if json:
        output.document("reprokit/run-result/1", {"folder": str(paths.root), "run": record})
    else:
        output.note(f"{record['state']}: {record['exit']['message']}")
        output.next(f"reprokit show {record['id']}")
