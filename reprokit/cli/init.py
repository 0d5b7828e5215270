"""`reprokit init`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprokit.cli import options
from reprokit.cli.render import Output

if TYPE_CHECKING:
    from reprokit.adopt.adoption import Adoption, Locked

HELP = """Adopt a repository: find its requirements, pick a stack, write config.yaml. Nothing is overwritten.

\b
  reprokit init                                  the repository that you are in
  reprokit init projects/new --dry-run           what would be concluded, and why
  reprokit init --as-of 2023-05-01               ... with what the package index had on that day
  reprokit init --stack cpu                      ... on a stack of the workspace
"""


def init(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="The repository.")] = Path(),
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="Resolve what is open as of that day [default: the last commit's].",
        ),
    ] = None,
    stack: Annotated[
        str | None, typer.Option(help="Take this stack, whatever the files say.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="What a run starts, if not found.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")
    ] = False,
    lock: Annotated[
        bool, typer.Option("--lock/--no-lock", help="Ask the package index for exact versions.")
    ] = True,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Adopt a repository (see HELP)."""
    from reprokit.adopt import adoption as library
    from reprokit.adopt.conclude import Wanted
    from reprokit.stacks.asof import parse_day

    output = Output(json, quiet, verbose)
    wanted = Wanted(parse_day(as_of) if as_of else None, stack, run)
    adoption = library.prepare(path, workspace, wanted)
    _tell(adoption, output)
    locked = library.Locked()
    if not dry_run:
        library.carry_out(adoption)
        locked = library.lock(adoption, output.note) if lock else locked
    if json:
        output.document("reprokit/init/1", _document(adoption, locked, written=not dry_run))
        return
    _show(adoption, output, written=not dry_run)
    _next(adoption, locked, output, written=not dry_run)


def _tell(adoption: "Adoption", output: Output) -> None:
    """Everything that was found, guessed, skipped and is unknown, each with its place."""
    for kind in ("found", "guessed", "skipped", "unknown"):
        notes = [note for note in adoption.notes if note.kind == kind]
        if notes:
            output.note(f"{kind}:")
        for note in notes:
            where = f"{note.where}: " if note.where else ""
            output.note(f"  {where}{note.text}")


def _show(adoption: "Adoption", output: Output, *, written: bool) -> None:
    """The files, on standard output; with --dry-run or -v what is in them, too."""
    for draft in adoption.drafts:
        output.data(_relative(draft.path))
        if not written or output.verbose:
            output.data("".join(f"    {line}\n" for line in draft.text.splitlines()).rstrip("\n"))
    if adoption.store.ignore is not None:
        output.data(_relative(adoption.place.root / ".gitignore"))


def _next(adoption: "Adoption", locked: "Locked", output: Output, *, written: bool) -> None:
    config = _relative(adoption.place.folder / "config.yaml")
    if not written:
        output.next(f"reprokit init {_relative(adoption.place.folder)}")
    elif locked.paths and locked.error is None:
        output.next(f"reprokit run {config}")
    else:
        if locked.error:
            output.note(f"not locked: {locked.error.message}")
        day = adoption.conclusion.as_of
        target = _relative(adoption.place.folder)
        names = (
            f"{adoption.conclusion.base.name} {target}" if adoption.conclusion.base.new else target
        )
        output.next(f"reprokit lock {names}{f' --as-of {day}' if day else ''}")


def _relative(path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path)


def _document(adoption: "Adoption", locked: "Locked", *, written: bool) -> dict[str, Any]:
    root = adoption.place.root
    return {
        **adoption.conclusion.document(),
        "folder": str(adoption.place.folder),
        "workspace": {"root": str(root), "new": adoption.place.new},
        "written": written,
        "files": [str(draft.path.relative_to(root)) for draft in adoption.drafts],
        "gitignore": adoption.store.ignore,
        "notes": [note.document() for note in adoption.notes],
        "locks": [str(path.relative_to(root)) for path in locked.paths],
        "lock_error": locked.error.document()["error"] if locked.error else None,
    }
