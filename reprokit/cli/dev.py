"""`reprokit dev`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprokit.cli import options
from reprokit.cli.render import Output
from reprokit.config import load_config
from reprokit.errors import ConfigError
from reprokit.workspace import find

if TYPE_CHECKING:
    from reprokit.dev.session import Session

HELP = """Open a shell or Jupyter in the dev container of a project, its source mounted to be edited.

\b
  reprokit dev projects/digits/config.yaml       a shell
  reprokit dev CONFIG --jupyter                  Jupyter, on this machine's own address
  reprokit dev CONFIG -- python train.py         one command
  reprokit dev CONFIG --dry-run                  print the command; build and write nothing

It also writes .devcontainer/devcontainer.json, by which editors open the same container.
"""


def dev(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The project's config.yaml.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="Instead of a shell.")
    ] = None,
    shell: Annotated[bool, typer.Option("--shell", help="A shell; the default.")] = False,
    jupyter: Annotated[bool, typer.Option("--jupyter", help="Jupyter, with a token.")] = False,
    port: Annotated[int, typer.Option(help="Where Jupyter answers; 0 takes a free one.")] = 8888,
    dry_run: Annotated[bool, typer.Option(help="Print the exact command; run nothing.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> int:
    """Work in the dev container (see HELP)."""
    from reprokit.cli.buildbar import BuildBar
    from reprokit.dev.session import Wish, prepare, start

    if shell + jupyter + bool(command) > 1:
        raise ConfigError("usage", "a shell, Jupyter or a command: one of them", where="dev")
    output = Output(json, quiet, verbose)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not json
    with BuildBar(output) as bar:
        session = prepare(
            find(workspace or config.absolute().parent),
            load_config(config),
            config.absolute().parent,
            Wish(tuple(command or ()), jupyter, port, terminal),
            dry_run=dry_run,
            on_step=bar.step,
            on_bytes=bar.amount,
        )
    _show(output, session, dry_run=dry_run)
    # With --json, standard output belongs to the document.
    return 0 if dry_run else start(session, stdout=sys.stderr.fileno() if json else None)


def _show(output: Output, session: "Session", *, dry_run: bool) -> None:
    if output.as_json:
        file = session.file
        output.document(
            "reprokit/dev/1",
            {
                "command": list(session.argv),
                "image": session.image,
                "built": session.built,
                "url": None if dry_run else session.address,
                "devcontainer": file and {"path": str(file.path), "state": file.state},
            },
        )
        return
    if dry_run:
        import shlex

        output.data(shlex.join(session.argv))
        return
    output.note(f"image {session.image}")
    if session.file is not None:
        output.note(f"{session.file.path}: {_STATES[session.file.state]}")
    if session.address is not None:
        output.data(session.address)


_STATES = {
    "written": "written",
    "unchanged": "up to date",
    "foreign": "is not ours, left alone",
    "elsewhere": "not written: its Dockerfile finds only projects in projects/",
}
