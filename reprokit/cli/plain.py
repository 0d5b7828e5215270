"""The words of a plain `reprokit run` -> what they ask for, without typer.

Importing typer takes a third of what ReproKit adds to a run. Here only words are taken that leave
no doubt; for all others (help, a slip of the pen, a rare option) the answer is None and typer reads
them. tests/cli/test_plain.py holds the two together: what is taken here, typer takes in the same way.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FLAGS = {
    "--detach": "detach",
    "--json": "json",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
}
VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--override": ("override", str),
    "-o": ("override", str),
    "--seed": ("seed", int),
    "--engine": ("engine", str),
    "--workspace": ("workspace", Path),
}


def run_options(words: Sequence[str]) -> dict[str, Any] | None:
    """The keyword arguments of `reprokit.cli.job.perform` that `words` say; None: ask typer."""
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word in FLAGS:
            options[FLAGS[word]] = True
        elif word in VALUES:
            name, kind = VALUES[word]
            value = next(rest, "-")
            if value[:1] in ("", "-") or (kind is int and not _is_number(value)):
                return None
            if name == "override":
                options.setdefault(name, []).append(value)
            else:
                options[name] = kind(value)
        elif word[:1] in ("", "-") or "config" in options:
            return None
        else:
            options["config"] = Path(word)
    return options if "config" in options else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
