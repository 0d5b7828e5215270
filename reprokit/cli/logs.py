"""`reprokit logs`."""

from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.place import settled
from reprokit.cli.render import Output
from reprokit.cli.watcher import TerminalWatcher
from reprokit.engines import engine_named
from reprokit.follow import drain, follow

HELP = """Print what a training printed, byte for byte.

\b
  reprokit logs @last
  reprokit logs -f RUN                           until it ends; Ctrl-C only stops looking
"""


def logs(
    run: options.RunName,
    follow_it: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,  # noqa: ARG001 - a log is what was asked for
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Print a log (see HELP)."""
    paths, record = settled(workspace, run)
    if json:
        text = (
            paths.log.read_bytes().decode("utf-8", "backslashreplace") if paths.log.exists() else ""
        )
        Output(json).document("reprokit/logs/1", {"run": record["id"], "log": text})
        return
    watcher = TerminalWatcher(Output(False, False, verbose))
    if follow_it:
        follow(paths, engine_named(record["engine"]["name"]), watcher)
    elif paths.log.exists():
        with paths.log.open("rb") as log:
            drain(log, watcher.output)
    watcher.close()
