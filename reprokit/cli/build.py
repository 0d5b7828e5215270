"""`reprokit build`."""

from pathlib import Path
from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.render import Output
from reprokit.config import load_config
from reprokit.engines import checked_name
from reprokit.environments.provide import choose_engine, provide
from reprokit.workspace import find

HELP = """Make the environment of a project: an image with Docker, a virtual environment without.

\b
  reprokit build projects/digits/config.yaml
  reprokit build CONFIG --engine venv
"""


def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The project's config.yaml.")],
    engine: options.EngineName = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Make an environment (see HELP)."""
    output = Output(json, quiet, verbose)
    place = find(workspace or config.absolute().parent)
    name, reason = choose_engine(checked_name(engine))
    output.note(f"engine {name}: {reason}")
    made = provide(
        place,
        load_config(config),
        config.absolute().parent,
        name,
        lambda line: output.note(f"  {line}"),
    )
    if json:
        output.document("reprokit/environment/1", {"environment": made.document()})
    else:
        output.note(f"environment {made.id}: {made.location}")
        output.next(f"reprokit run {config}")
