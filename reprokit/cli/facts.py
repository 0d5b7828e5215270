"""`reprokit facts`."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from reprokit.cli import options
from reprokit.cli.render import Output
from reprokit.errors import NotFoundError

HELP = """Print what is known of PyTorch releases, CUDA, drivers, GPUs and base images, with its sources.

\b
  reprokit facts                                 the tables
  reprokit facts gpus                            one of them
  reprokit facts builds -v                       with the source of each row
"""

TABLES = (
    "releases",
    "builds",
    "limits",
    "toolkits",
    "minor_versions",
    "architectures",
    "branches",
    "dropped",
    "gpus",
    "images",
    "systems",
    "rules",
    "conflicts",
)


def facts(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="One table.")] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,  # noqa: ARG001 - every command has it
) -> None:
    """Print tables (see HELP)."""
    from reprokit.stacks import facts as known

    if table is not None and table not in TABLES:
        from reprokit.suggest import did_you_mean

        raise NotFoundError(
            "no-table", f"there is no table `{table}`", hint=did_you_mean(table, TABLES)
        )
    output = Output(json, quiet, verbose)
    readers: dict[str, Callable[[], Any]] = {name: getattr(known, name) for name in TABLES}
    rows = {name: readers[name]() for name in ([table] if table else TABLES)}
    if json:
        tables = {name: [_plain(row) for row in rows[name]] for name in rows}
        output.document("reprokit/facts/1", {"tables": tables, "sources": known.sources()})
    elif table is None:
        output.table([("table", "rows"), *((name, str(len(rows[name]))) for name in rows)])
        output.next("reprokit facts builds")
    else:
        _show(output, rows[table], known.sources())


def _plain(value: Any) -> Any:
    """A row as JSON; what is unknown is null."""
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _show(output: Output, rows: Any, sources: Mapping[str, str]) -> None:
    hidden = () if output.verbose else ("source", "commit", "note")
    columns = [name for name in rows[0]._fields if name not in hidden]
    lines = [[_cell(getattr(row, name)) for name in columns] for row in rows]
    output.table([[name.replace("_", " ") for name in columns], *lines])
    if output.verbose:
        used = sorted({key for row in rows for key in row.source})
        output.facts([(key, sources[key]) for key in used])


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if hasattr(value, "sass"):
        ptx = f" + PTX {' '.join(value.ptx)}" if value.ptx else ""
        return " ".join(value.sass) + ptx
    if hasattr(value, "_asdict"):
        return "; ".join(f"{key} {_cell(item)}" for key, item in value._asdict().items())
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return " ".join(map(_cell, value)) or "-"
    return str(value)
