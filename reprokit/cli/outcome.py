"""A run on its way -> what a person or a program sees of it, to its end."""

from typing import Any

from reprokit.cli.render import Output, duration
from reprokit.cli.times import seconds_of
from reprokit.cli.watcher import TerminalWatcher
from reprokit.errors import InterruptedRunError, ReproKitError, TrainingFailedError
from reprokit.follow import follow
from reprokit.interrupts import Interrupts
from reprokit.launch import Ready
from reprokit.layout import RunPaths
from reprokit.runs.store import read_raw


def watch(output: Output, watcher: TerminalWatcher, started: Ready, interrupts: Interrupts) -> int:
    """Show a run until it ends, then how it ended; the exit code of the command. Ctrl-C stops the training.

    Raises:
        ReproKitError: it failed or was stopped, and a person is told so (with `--json`, the
            document tells it).
    """
    paths = started.launch.paths
    try:
        record = follow(paths, started.engine, watcher, interrupts)
    finally:
        watcher.close()
    error = end_error(record)
    if output.as_json:
        output.document("reprokit/run-result/1", {"folder": str(paths.root), "run": record})
        return error.exit_code if error else 0
    if error:
        raise error
    output.note(f"{record['exit']['reason']} in {duration(seconds_of(record))}")
    output.next(f"reprokit show {record['id']}")
    return 0


def show_detached(output: Output, paths: RunPaths) -> int:
    """Say which run goes on by itself."""
    if output.as_json:
        output.document(
            "reprokit/run-result/1", {"folder": str(paths.root), "run": read_raw(paths)}
        )
    elif output.quiet:
        output.data(paths.root.name)
    output.next(f"reprokit logs -f {paths.root.name}")
    return 0


def end_error(record: dict[str, Any]) -> ReproKitError | None:
    """The error that a run's end is to whoever asked for it; None for a completed one."""
    end = record["exit"]
    hint = f"`reprokit logs {record['id']}` shows what it printed"
    if record["state"] == "completed":
        return None
    if record["state"] == "stopped":
        return InterruptedRunError("stopped", f"the training was {end['message']}", hint=hint)
    message = f"the training failed: {end['message']}"
    where = None if end["code"] is None else f"exit code {end['code']}"
    return TrainingFailedError(end["reason"], message, where=where, hint=hint)
