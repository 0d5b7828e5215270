"""`reprokit doctor`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprokit.cli import options
from reprokit.cli.place import here
from reprokit.cli.render import BOLD, CYAN, RED, Output, style
from reprokit.errors import ConfigError, NotFoundError, ReproKitError
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprokit.doctor.checkup import Result
    from reprokit.doctor.litter import Litter

HELP = """Look for what stands between this machine and a run, and say what fixes it.

\b
  reprokit doctor                                look at this machine and workspace; open no connection
  reprokit doctor --online                       ... and ask the package indexes whether they answer
  reprokit doctor --fix                          list what killed commands left behind, and remove it
"""
FAILED = 4


def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Ask the package indexes whether they answer.")
    ] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Remove hidden run folders and stored code that no run owns."),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Examine this machine (see HELP)."""
    from reprokit.doctor.checkup import examine, worst

    output = Output(json, quiet, verbose)
    place, trouble = _place(workspace)
    removed = _fix(output, place, trouble) if fix else []
    results = examine(place, online=online, trouble=trouble)
    status = worst(results)
    if json:
        checks = [result.document() for result in results]
        document = {"status": status, "checks": checks, "removed": removed}
        output.document("reprokit/doctor/1", document)
    else:
        _show(output, results)
    if status == "fail":
        raise typer.Exit(FAILED)


def _place(workspace: Path | None) -> tuple[Workspace | None, ReproKitError | None]:
    """The workspace; without one there is still a machine to look at."""
    try:
        return here(workspace), None
    except NotFoundError:
        if workspace is not None:
            raise
        return None, None
    except ConfigError as error:
        return None, error


def _fix(
    output: Output, place: Workspace | None, trouble: ReproKitError | None
) -> list[dict[str, Any]]:
    """List what killed commands left behind, then remove it; what was really removed."""
    from reprokit.doctor.litter import find_litter, remove_hidden, remove_ref

    if place is None:
        raise trouble or NotFoundError(
            "no-workspace",
            "no workspace here to clean",
            hint="go into it, or name it with `--workspace DIR`",
        )
    litter = find_litter(place)
    _list(output, litter)
    gone: list[dict[str, Any]] = [
        {"kind": "folder", "path": str(hidden.root)}
        for hidden in litter.hidden
        if remove_hidden(place, hidden)
    ]
    gone += [
        {"kind": "ref", "ref": ref.name, "commit": ref.commit}
        for ref in litter.refs
        if remove_ref(place, ref, litter.stores)
    ]
    if gone:
        output.note(f"removed {len(gone)}")
    return gone


def _list(output: Output, litter: "Litter") -> None:
    for hidden in litter.hidden:
        output.note(f"to remove: {hidden.root}")
    for ref in litter.refs:
        output.note(f"to remove: {ref.name} ({ref.commit})")
    if litter.refs:
        output.note("`git update-ref NAME COMMIT` brings one back, until git's next housekeeping")
    if litter.left_alone:
        output.note(litter.left_alone)
    if not litter.hidden and not litter.refs:
        output.note("killed commands left nothing behind")


def _show(output: Output, results: "Sequence[Result]") -> None:
    """A line a check, what fixes it under it; with `--quiet` only what is not well."""
    shown = [
        item for item in results if not output.quiet or item.finding.status in ("warn", "fail")
    ]
    width = max((len(item.title) for item in shown), default=0)
    for item in shown:
        _line(output, item, width)
    counts = {
        word: sum(item.finding.status == word for item in results) for word in ("fail", "warn")
    }
    if counts["fail"]:
        output.note(f"{counts['fail']} failed, {counts['warn']} with a warning")
    elif counts["warn"]:
        output.note(f"it works, with {counts['warn']} warning{'s' * (counts['warn'] > 1)}")
    else:
        output.note("all is well")


def _line(output: Output, item: "Result", width: int) -> None:
    colours = {"fail": RED, "warn": BOLD}
    finding = item.finding
    word = finding.status.ljust(4)
    if finding.status in colours:
        word = style(word, colours[finding.status], sys.stdout)
    output.data(f"{word}  {item.title.ljust(width)}  {finding.message}")
    indent = " " * (width + 8)
    if output.verbose or finding.status in ("warn", "fail"):
        for detail in finding.details:
            output.data(indent + detail)
    if finding.fix:
        output.data(indent + style(f"fix: {finding.fix}", CYAN, sys.stdout))
