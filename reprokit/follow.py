"""Watching a run until it ends. The watcher owns nothing: it can go away at any time and come back."""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

from reprokit.engines.base import Engine
from reprokit.interrupts import Interrupts
from reprokit.launch import Watcher
from reprokit.layout import RunPaths
from reprokit.runs.settle import ask_to_stop, settle
from reprokit.runs.store import read_raw

# Between two looks at the log; a person sees no difference, and a quick run is not held up: its end wakes us.
LOOK_S = 0.1
PIECE = 1 << 16


def follow(
    paths: RunPaths, engine: Engine, watcher: Watcher, interrupts: Interrupts | None = None
) -> dict[str, Any]:
    """Show a run's output and progress until it ends; return its settled record.

    With `interrupts`, the first asks for the stop ladder and the watching goes on, and a second one kills. Without,
    Ctrl-C only ends the watching.
    """
    handle = read_raw(paths)["engine"]["handle"]
    asked = 0
    # Whatever the training has done to its log by now: there is one to look at.
    paths.log.parent.mkdir(exist_ok=True)
    with paths.log.open("ab"), paths.log.open("rb") as log:
        while True:
            ended = engine.ended(handle, paths, wait_s=LOOK_S)
            drain(log, watcher.output)
            _show_progress(paths, watcher)
            if ended is not None:
                return settle(paths, engine)
            if interrupts is not None and interrupts.count > asked:
                asked = interrupts.count
                again = asked > 1
                watcher.notice("killing it" if again else "stopping it; Ctrl-C again kills it")
                ask_to_stop(paths, engine, now=again)


def drain(log: BinaryIO, write: Callable[[bytes], None]) -> None:
    """Hand on what is new in a log."""
    while piece := log.read(PIECE):
        write(piece)


def _show_progress(paths: RunPaths, watcher: Watcher) -> None:
    # A training can put a fifo there, which would make us wait for ever.
    if not watcher.terminal or not paths.progress.is_file():
        return
    try:
        state = json.loads(paths.progress.read_bytes())
    except (OSError, ValueError):
        # Not written yet, or by a script of the user's own making.
        return
    if isinstance(state, dict):
        watcher.progress(state)
