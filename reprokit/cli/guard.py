"""The one place where errors become exit codes."""

import os
import sys
from collections.abc import Callable, Sequence

from reprokit.cli.render import show_error
from reprokit.errors import InterruptedRunError, MachineError, ReproKitError


def guarded(words: Sequence[str], job: Callable[[], int]) -> int:
    """Do the job that the command line `words` asks for; return the exit code of the command.

    No traceback but with `--debug`.
    """
    as_json, debug = "--json" in words, "--debug" in words
    _open_streams()
    try:
        return job()
    except BrokenPipeError:
        _silence()
        return 0
    except (KeyboardInterrupt, EOFError):
        return _tell(InterruptedRunError("interrupted", "interrupted"), as_json=as_json)
    except Exception as error:
        if debug:
            raise
        told = error if isinstance(error, ReproKitError) else _unexpected(error)
        return _tell(told, as_json=as_json)


def _tell(error: ReproKitError, *, as_json: bool) -> int:
    try:
        return show_error(error, as_json=as_json)
    except BrokenPipeError:
        _silence()
        return error.exit_code


def _silence() -> None:
    """Whoever read our output has gone; nothing more can be said there, nor flushed at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)


def _open_streams() -> None:
    """Give a command that was started without standard streams (`>&-`) something to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _unexpected(error: Exception) -> ReproKitError:
    """What nobody foresaw, told like everything else."""
    if isinstance(error, OSError) and error.strerror:
        where = None if error.filename is None else os.fsdecode(error.filename)
        return MachineError("system", f"the system refused: {error.strerror}", where=where)
    return ReproKitError(
        "unexpected",
        f"{type(error).__name__}: {error}",
        hint="this is a mistake of ReproKit's; run it again with `--debug` and report what it prints",
    )
