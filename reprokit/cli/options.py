"""Options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what was asked for.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]
WorkspaceDir = Annotated[
    Path | None,
    typer.Option(
        "--workspace", metavar="DIR", help="The workspace [default: found upwards from here]."
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run: its id, a unique part of its beginning or end, or @last."
    ),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", metavar="ENGINE", help="docker, venv, or auto: docker if it answers."),
]
