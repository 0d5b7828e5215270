"""What a person sees while a run is on its way: its output, and in a terminal a bar with epoch and loss."""

import sys
from collections.abc import Mapping
from typing import Any

from reprokit.cli.render import Output


class TerminalWatcher:
    """Shows a run on standard output and error; the bar is on standard error, and only in a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.terminal = sys.stderr.isatty() and not output.quiet and not output.as_json
        self._bar: Any = None
        self._rest = b""
        self._task: Any = None

    def notice(self, text: str) -> None:
        """Something worth a line."""
        self._output.note(text)

    def building(self, line: str) -> None:
        """A line of the environment's build."""
        self._output.note(f"  {line}")

    def output(self, data: bytes) -> None:
        """The training's own bytes: standard output, or standard error when that belongs to `--json`."""
        if self._output.quiet:
            return
        stream = sys.stderr if self._output.as_json else sys.stdout
        if self._bar is not None and stream.isatty():
            self._above_bar(data)
            return
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()

    def _above_bar(self, data: bytes) -> None:
        """Print whole lines above the bar, which shares the terminal with them."""
        from rich.text import Text

        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._bar.console.print(Text.from_ansi(line.decode("utf-8", "replace")))

    def progress(self, state: Mapping[str, Any]) -> None:
        """Move the bar; the first call makes it."""
        if self._bar is None:
            self._start()
        done, total = _number(state, "step"), _number(state, "steps")
        epoch, epochs, loss = (_number(state, key) for key in ("epoch", "epochs", "loss"))
        words = f"epoch {epoch:.0f}/{epochs:.0f}" + (
            f"  loss {loss:.4f}" if "loss" in state else ""
        )
        self._bar.update(self._task, completed=done, total=total or None, description=words)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("")
        self._bar.start()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self.output(self._rest)
            self._rest = b""


def _number(state: Mapping[str, Any], key: str) -> float:
    value = state.get(key)
    return float(value) if isinstance(value, (int, float)) else 0.0
