"""Everything that a run's folder says, read and checked, as one value."""

from typing import Any

from reprokit.errors import IntegrityError, NotFoundError
from reprokit.files import read_json
from reprokit.layout import RunPaths
from reprokit.runs.store import read_record
from reprokit.snapshot import model
from reprokit.values import asdict

WHEN = ("time", "epoch", "step")


def read_details(paths: RunPaths) -> dict[str, Any]:
    """The record, plan, source, data, snapshot (with its summary) and last metrics of a run.

    Raises:
        IntegrityError: one of the files is not what a record holds.
    """
    record = asdict(read_record(paths))
    details: dict[str, Any] = {"folder": str(paths.root), "run": record}
    for name, path in (("plan", paths.plan), ("source", paths.source), ("data", paths.data)):
        details[name] = _object(path)
    snapshot = _snapshot(paths)
    details["snapshot"] = None if snapshot is None else asdict(snapshot)
    details["summary"] = None if snapshot is None else asdict(model.summarize(snapshot))
    details["unknown"] = {} if snapshot is None else snapshot.unknown
    details["metrics"] = last_metrics(paths)
    return details


def last_metrics(paths: RunPaths) -> dict[str, Any]:
    """The last value of each number in `metrics.jsonl`; a last line that was cut by a death is left out."""
    import json

    found: dict[str, Any] = {}
    if not paths.metrics.is_file():
        return found
    try:
        with paths.metrics.open("rb") as stream:
            for line in stream:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                found.update(_numbers(entry))
    except OSError:
        return {}
    return found


def _numbers(entry: Any) -> dict[str, float]:
    """The measurements of a line, each under its phase (`test accuracy`); not where and when it was taken."""
    if not isinstance(entry, dict):
        return {}
    phase = f"{entry['phase']} " if isinstance(entry.get("phase"), str) else ""
    return {
        f"{phase}{name}": value
        for name, value in entry.items()
        if isinstance(value, (int, float)) and name not in WHEN
    }


def _snapshot(paths: RunPaths) -> model.Snapshot | None:
    try:
        return model.load(paths.snapshot)
    except NotFoundError:
        return None


def _object(path: Any) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise IntegrityError(
            "bad-record", "a file of the record cannot be read", where=str(path)
        ) from error
