"""`reprokit dockerfile`."""

from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.place import here
from reprokit.cli.render import Output
from reprokit.errors import ConfigError

HELP = """Write the dev and prod Dockerfiles of stacks. The same input always gives the same bytes.

\b
  reprokit dockerfile                            of every stack
  reprokit dockerfile cpu --check                say whether they are up to date; write nothing
"""


def dockerfile(
    stacks: Annotated[list[str] | None, typer.Argument(metavar="[STACK]...")] = None,
    check: Annotated[bool, typer.Option(help="Only say what differs (exit 2).")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Write Dockerfiles (see HELP)."""
    from reprokit.stacks.dockerfiles import write_dockerfiles
    from reprokit.stacks.model import load_stack

    output = Output(json, quiet, verbose)
    place = here(workspace)
    names = stacks or sorted(path.parent.name for path in place.stacks.glob("*/stack.yaml"))
    files = [
        file
        for name in names
        for file in write_dockerfiles(place.root, load_stack(place.root, name), check=check)
    ]
    paths = [str(file.path.relative_to(place.root)) for file in files if file.changed]
    if json:
        output.document("reprokit/dockerfile/1", {"changed": paths, "written": not check})
    for path in paths if not json else ():
        output.note(f"{path}: {'differs' if check else 'written'}")
    if check and paths:
        raise (
            typer.Exit(2)
            if json
            else ConfigError(
                "stale-dockerfile", "Dockerfiles are stale", hint="`reprokit dockerfile`"
            )
        )
    if not paths:
        output.note("every Dockerfile is up to date")
