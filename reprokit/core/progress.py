"""How far a training is: `progress.json` for whoever watches, log lines for when nobody does."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from reprokit.core.files import replace_undurably

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_EVERY_S = 0.25
LINE_EVERY_S = 60.0


@dataclass(frozen=True)
class Progress:
    """A moment of a training: `step` of `steps` steps are done, in `epoch` (from 1) of `epochs`.

    `loss` is of the last step that was looked at; the file lacks it while there is none, or none
    that is a finite number. `started` and `updated` are in UTC, ISO 8601.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float | None
    started: str
    updated: str

    def bytes(self) -> bytes:
        """The content of `progress.json`."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return (json.dumps(known) + "\n").encode("ascii")


def finite(loss: float | None) -> float | None:
    """The loss, if it is a number that JSON has."""
    return loss if loss is not None and math.isfinite(loss) else None


def utc(seconds: float) -> str:
    """Seconds since 1970 as UTC in ISO 8601, with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def step_line(now: Progress, seconds: float) -> str:
    """The log line of a moment, `seconds` after the start."""
    rate = now.step / seconds if seconds > 0 else 0.0
    loss = "not finite" if now.loss is None else f"{now.loss:.4f}"
    return f"{_place(now)}  loss {loss}  {rate:.1f} steps/s"


def epoch_line(now: Progress, metrics: Mapping[str, float]) -> str:
    """The log line of an epoch that was validated."""
    loss = "not finite" if now.loss is None else f"{now.loss:.4f}"
    measured = "".join(f"  {name} {value:.4f}" for name, value in metrics.items())
    return f"{_place(now)}  loss {loss}  validation:{measured}"


def _place(now: Progress) -> str:
    return f"epoch {now.epoch}/{now.epochs}  step {now.step}/{now.steps}"


class ProgressFile:
    """`progress.json`: always whole, never worth dying for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble: OSError | None = None

    def write(self, now: Progress) -> None:
        """Replace the file; after the first failure, noted in `trouble`, nothing is tried again."""
        if self.trouble is not None:
            return
        try:
            replace_undurably(self._path, now.bytes())
        except OSError as error:
            self.trouble = error
