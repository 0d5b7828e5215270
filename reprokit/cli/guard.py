"""The one place where errors become exit codes."""

import os
import sys
from collections.abc import Callable, Sequence

from reprokit.cli.render import show_error
from reprokit.errors import ReproKitError


def guarded(words: Sequence[str], job: Callable[[], int]) -> int:
    """Do the job that the command line `words` asks for; return the exit code of the command.

    No traceback but with `--debug`.
    """
    as_json, debug = "--json" in words, "--debug" in words
    try:
        return job()
    except ReproKitError as error:
        if debug:
            raise
        return show_error(error, as_json=as_json)
    except (KeyboardInterrupt, EOFError):
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said there, nor flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
