"""What a training measures, put where people look: metrics, TensorBoard, progress, log."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from reprokit.core.errors import CoreError, NonFiniteLossError
from reprokit.core.metrics import MetricsFile, Row
from reprokit.core.progress import (
    FILE_EVERY_S,
    LINE_EVERY_S,
    Progress,
    ProgressFile,
    epoch_line,
    finite,
    step_line,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from torch import Tensor

    from reprokit.core.context import Run

# A loss stays the tensor that it is until rows are written: reading it earlier would make the CPU
# wait for the GPU at every step. At most this many wait, and hardly longer than FILE_EVERY_S.
BUFFERED_STEPS = 512


class Recorder:
    """Takes the numbers of a training; a context manager, so that the last ones are written."""

    def __init__(
        self,
        run: Run,
        *,
        epochs: int,
        steps_per_epoch: int,
        tensorboard: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the files of `run`.

        Args:
            run: whose folder the files are in. A run that was started by hand replaces those of
                the one before.
            epochs: how many there will be.
            steps_per_epoch: how many optimiser steps each has.
            tensorboard: also write event files.
            clock: seconds that never go back.

        Raises:
            CoreError: TensorBoard is wanted and not installed.
        """
        self._epochs, self._per_epoch = epochs, steps_per_epoch
        self._watched, self._clock = run.watched, clock
        self._events = _event_writer(run) if tensorboard else None
        self._metrics = MetricsFile(run.path("metrics.jsonl"), fresh=not run.managed)
        self._progress = ProgressFile(run.path("progress.json"))
        self._waiting: list[tuple[int, float, Mapping[str, float | Tensor]]] = []
        self._step, self._loss = 0, math.nan
        self._begun = self._file_at = self._line_at = clock()
        self._started = time.time()
        self._progress.write(self._now())

    def step(self, step: int, **values: float | Tensor) -> None:
        """Note the training's numbers at `step` (from 1), `loss` among them; no GPU is waited for.

        Raises:
            NonFiniteLossError: a loss since the last look was NaN or infinite; it has been written.
        """
        self._step = step
        self._waiting.append((step, time.time(), values))
        if len(self._waiting) >= BUFFERED_STEPS or self._clock() - self._file_at >= FILE_EVERY_S:
            self.flush()

    def epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note what validation measured after `step`, which ended an epoch."""
        self.flush()
        self.log("validation", step, metrics)
        self._say(epoch_line(self._now(), metrics))

    def log(self, phase: str, step: int, metrics: Mapping[str, float]) -> None:
        """Write numbers of any phase (`validation`, `test`, ...) at once."""
        self._write([Row(phase, self._epoch_of(step), step, dict(metrics))])

    def flush(self) -> None:
        """Write the numbers that wait, and how far the training is.

        Raises:
            NonFiniteLossError: as told at `step`.
        """
        waiting, self._waiting = self._waiting, []
        rows = [
            Row("train", self._epoch_of(step), step, _numbers(values), moment)
            for step, moment, values in waiting
        ]
        self._write(rows)
        losses = [(row.step, row.values["loss"]) for row in rows if "loss" in row.values]
        if losses:
            self._loss = losses[-1][1]
        self._tell()
        for step, loss in losses:
            if not math.isfinite(loss):
                raise NonFiniteLossError(step, loss)

    def close(self) -> None:
        """Write what is left and close the files."""
        try:
            self.flush()
        finally:
            self._metrics.close()
            if self._events is not None:
                self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except NonFiniteLossError:
            # What ended the training is already being told; a bad last loss is in the file.
            if error is None:
                raise

    def _write(self, rows: list[Row]) -> None:
        """Write rows to both places."""
        if not rows:
            return
        self._metrics.write(rows)
        if self._events is None:
            return
        for row in rows:
            for name, value in row.values.items():
                self._events.add_scalar(f"{name}/{row.phase}", value, row.step, row.time)

    def _tell(self) -> None:
        """Say how far the training is, in the file, and in the log if it is time."""
        moment = self._clock()
        now = self._now()
        self._progress.write(now)
        self._file_at = moment
        if moment - self._line_at >= LINE_EVERY_S:
            self._say(step_line(now, moment - self._begun))

    def _say(self, line: str) -> None:
        """A line of the log, for when nobody watches the file."""
        self._line_at = self._clock()
        if not self._watched:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def _now(self) -> Progress:
        return Progress(
            epoch=self._epoch_of(max(self._step, 1)),
            epochs=self._epochs,
            step=self._step,
            steps=self._epochs * self._per_epoch,
            loss=finite(self._loss),
            started=utc(self._started),
            updated=utc(time.time()),
        )

    def _epoch_of(self, step: int) -> int:
        """The epoch, from 1, that a step, from 1, belongs to."""
        return (step - 1) // self._per_epoch + 1


def _numbers(values: Mapping[str, float | Tensor]) -> dict[str, float]:
    """Plain numbers; those on a GPU are waited for here."""
    return {name: float(value) for name, value in values.items()}


def _event_writer(run: Run) -> Any:
    """TensorBoard's writer for a run; events of an earlier run by hand are removed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise CoreError(
            "no-tensorboard",
            "TensorBoard is not installed in this environment",
            hint="add `tensorboard` to requirements.in, or pass tensorboard=False",
        ) from error
    folder = run.path("tensorboard")
    if not run.managed:
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
    return SummaryWriter(log_dir=str(folder))
