"""Times of a record, for people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def seconds_of(record: Mapping[str, Any]) -> float | None:
    """How long a training ran, or has run so far; None if it never started."""
    if not record.get("started"):
        return None
    end = _moment(record["ended"]) if record.get("ended") else datetime.now(UTC)
    return (end - _moment(record["started"])).total_seconds()


def ago(text: str) -> str:
    """A time as people say it: `5 min ago`, or the date when it is long ago."""
    seconds = (datetime.now(UTC) - _moment(text)).total_seconds()
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name} ago"
    return text[:10]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
