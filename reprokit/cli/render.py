"""The only printer. Standard output is data; standard error is everything else."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from reprokit.errors import ReproKitError
from reprokit.values import dataclass

CYAN, RED, BOLD, DIM = "36", "31", "1", "2"


def style(text: str, code: str, stream: TextIO) -> str:
    """`text` in a colour, where the stream is a terminal that wants colours."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


def write(stream: TextIO, text: str) -> None:
    """Print a line, whatever the terminal's encoding can show."""
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def write_json(stream: TextIO, value: Mapping[str, Any]) -> None:
    """Print a JSON document; characters that the stream cannot show are escaped as JSON escapes them."""
    ascii_only = (stream.encoding or "ascii").lower().replace("-", "") != "utf8"
    write(stream, json.dumps(value, indent=1, ensure_ascii=ascii_only))


@dataclass(frozen=True)
class Output:
    """Where a command shows what its library function returned."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def document(self, schema: str, value: Mapping[str, Any]) -> None:
        """The one JSON document of a `--json` call."""
        write_json(sys.stdout, {"schema": schema, **value})

    def data(self, text: str) -> None:
        """What was asked for."""
        write(sys.stdout, text)

    def note(self, text: str) -> None:
        """What is worth a line for a person."""
        if not self.quiet:
            write(sys.stderr, text)

    def next(self, command: str) -> None:
        """The command that most people want next; the last line of a command."""
        self.note(style(f"next: `{command}`", CYAN, sys.stderr))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows in aligned columns; the first one is the heading."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.data(style(line.rstrip(), BOLD, sys.stdout) if number == 0 else line.rstrip())

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Names and values, one a line."""
        width = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            self.data(f"{name.ljust(width)}  {value}")


def show_error(error: ReproKitError, *, as_json: bool) -> int:
    """Print an error: what happened, where, and what fixes it; return its exit code."""
    if as_json:
        write_json(sys.stdout, error.document())
        return error.exit_code
    head = style(f"error[{error.code}]", RED, sys.stderr)
    lines = [f"{head}: {error.message}"]
    if error.where:
        lines.append(f"  {error.where}")
    for problem in error.problems:
        lines.append(f"  {problem.where}: {problem.message}")
        if problem.hint:
            lines.append("    " + style(f"hint: {problem.hint}", CYAN, sys.stderr))
    if error.hint and error.hint not in [problem.hint for problem in error.problems]:
        lines += ["", style(f"hint: {error.hint}", CYAN, sys.stderr)]
    write(sys.stderr, "\n".join(lines))
    return error.exit_code


def duration(seconds: float | None) -> str:
    """Seconds for people: `0.4 s`, `2 min 5 s`, `3 h 20 min`."""
    if seconds is None:
        return "-"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def size(count: float) -> str:
    """Bytes for people, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 - the next unit
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
