"""Ctrl-C, counted: from its start on, a training is stopped by asking for it, never by breaking off whoever watches."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Whoever presses it this often wants the terminal back, whatever hangs.
ENOUGH = 3


class Interrupts:
    """How often Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """One more."""
        self.count += 1
        if self.count >= ENOUGH:
            raise KeyboardInterrupt


@contextmanager
def counted() -> Iterator[Interrupts]:
    """Count Ctrl-C within, where it would otherwise raise KeyboardInterrupt; the third one does."""
    interrupts = Interrupts()
    before = signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
