"""`metrics.jsonl`: a JSON object a line, of what was measured in which phase at which step.

`{"time": 1795184103.2, "phase": "train", "epoch": 1, "step": 12, "loss": 0.3}`: `time` in seconds
since 1970, `epoch` and `step` counted from 1. JSON has no word for NaN and infinities: they are the
texts "NaN", "Infinity" and "-Infinity", as in Protocol Buffers' JSON.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reprokit.core.errors import CoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RESERVED = frozenset({"time", "phase", "epoch", "step"})


@dataclass(frozen=True)
class Row:
    """What was measured at one step: plain numbers by name."""

    phase: str
    epoch: int
    step: int
    values: Mapping[str, float]
    time: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        taken = RESERVED.intersection(self.values)
        if taken:
            raise CoreError(
                "reserved-name", f"a metric cannot be called {', '.join(sorted(taken))}"
            )

    def line(self) -> str:
        """The row as a line of `metrics.jsonl`."""
        head = {"time": round(self.time, 3), "phase": self.phase}
        numbers = {name: portable(value) for name, value in self.values.items()}
        return json.dumps({**head, "epoch": self.epoch, "step": self.step, **numbers}) + "\n"


def portable(value: float) -> float | str:
    """A number as JSON can hold it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


class MetricsFile:
    """The file that rows are added to; a reader meets whole lines, all that `write` was given."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._stream = path.open("wb" if fresh else "ab")

    def write(self, rows: Sequence[Row]) -> None:
        """Add `rows` and hand them to the operating system; they outlive this process.

        Raises:
            OSError: the disk refused.
        """
        self._stream.write("".join(row.line() for row in rows).encode("utf-8"))
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
