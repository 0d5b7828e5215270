"""What a person sees of an image's build: one live bar in a terminal, else a line a step."""

import sys
from types import TracebackType
from typing import Any, Self

from reprokit.cli.render import Output, size

MODES = ("auto", "bar", "lines", "none")


class BuildBar:
    """Shows a build on standard error, while its block lasts."""

    def __init__(self, output: Output, mode: str = "auto") -> None:
        if mode == "auto":
            mode = "bar" if sys.stderr.isatty() and not output.as_json else "lines"
        self._output = output
        self._mode = "none" if output.quiet else mode
        self._told: set[str] = set()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def step(self, name: str, done: int, known: int) -> None:
        """A step began or ended; how many are done, and known so far."""
        if self._mode == "bar":
            self._move(completed=done, total=known, description=name, amount="")
        # The engine's own small talk (what it loads and exports) is no step of the recipe.
        elif (
            self._mode == "lines"
            and name not in self._told
            and "load" not in name.rpartition("]")[2]
        ):
            self._told.add(name)
            self._output.note(f"  {name}")

    def amount(self, name: str, current: int, total: int) -> None:
        """Bytes on their way; only a bar has room for them."""
        if self._mode == "bar":
            self._move(description=name, amount=f"{size(current)} of {size(total)}")

    def _move(self, **fields: Any) -> None:
        if self._bar is None:
            self._start()
        self._bar.update(self._task, **fields)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.table import Column

        self._bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[amount]}"),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("", total=None, amount="")
        self._bar.start()
