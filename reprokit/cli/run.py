"""`reprokit run`."""

from pathlib import Path
from typing import Annotated

import typer

from reprokit.cli import job, options

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
) -> int:
    """Run a training (see HELP)."""
    return job.perform(
        config,
        override=override or (),
        seed=seed,
        engine=engine,
        detach=detach,
        dry_run=dry_run,
        json=json,
        quiet=quiet,
        verbose=verbose,
        workspace=workspace,
    )
