"""`reprokit schema`."""

from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.render import Output
from reprokit.errors import NotFoundError

HELP = """Print the JSON Schema of the files that ReproKit writes.

\b
  reprokit schema                                all of them, by schema id
  reprokit schema reprokit/run/1                 one
"""


def schema(
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="A schema id.")] = None,
    json: options.Json = False,  # noqa: ARG001 - a schema is JSON in any case
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,  # noqa: ARG001 - every command has it
) -> None:
    """Print schemas (see HELP)."""
    from reprokit.runs.schema import schemas

    known = schemas()
    if name is None:
        Output(True, quiet, verbose).document("reprokit/schemas/1", {"schemas": known})
    elif name in known:
        Output(True, quiet, verbose).data(to_text(known[name]))
    else:
        from reprokit.suggest import did_you_mean

        raise NotFoundError(
            "no-schema", f"there is no schema `{name}`", hint=did_you_mean(name, known)
        )


def to_text(value: object) -> str:
    """JSON for people."""
    from reprokit.inside.files import json_text

    return json_text(value).rstrip("\n")
