"""Every run of a store at a glance, each settled first."""

from pathlib import Path
from typing import Any

from reprokit.errors import ReproKitError
from reprokit.layout import RunPaths
from reprokit.runs.settle import settle
from reprokit.runs.store import all_runs


def list_runs(
    store: Path, *, project: str | None = None, state: str | None = None
) -> list[dict[str, Any]]:
    """The records, oldest first; one that cannot be read is marked `broken` and does not hide the others."""
    records = [_record(paths) for paths in all_runs(store)]
    return [
        record
        for record in records
        if project in (None, record["project"]) and state in (None, record.get("state"))
    ]


def _record(paths: RunPaths) -> dict[str, Any]:
    try:
        return settle(paths)
    except (ReproKitError, OSError, KeyError, TypeError) as error:
        reason = error.message if isinstance(error, ReproKitError) else f"it is damaged: {error!r}"
        return {"id": paths.root.name, "project": paths.root.parent.name, "broken": reason}
