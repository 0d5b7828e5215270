"""The end of a run: how it is told apart and written into `run.json`, by whoever learns of it.

The supervisor calls `finish` when the training ends; the host calls the same function for a run whose
supervisor died before it could.
"""

from __future__ import annotations

import os
import signal
import time

from reprokit.inside import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FINAL = ("completed", "failed", "stopped", "lost")
TAIL_BYTES = 16384
# A shell and every container engine say 128 + n for a program that signal n killed.
KILLED = 128

# The last line of a Python traceback: `package.module.SomeError: what happened`.
_EXCEPTION = rb"([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning))(?::\s*(.*))?"
_OUT_OF_MEMORY = (
    b"MemoryError",
    b"OutOfMemoryError",
    b"CUDA out of memory",
    b"DefaultCPUAllocator: can't allocate memory",
    b"DefaultCPUAllocator: not enough memory",
)


def finish(
    run_dir: str, end: dict[str, Any], known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write a run's end into its record, once; a record that is already final stays as it is.

    Args:
        run_dir: the run folder.
        end: `state`, `exit` and, where known, `usage`; the time is taken here.
        known: the record as it was when the training started, for a training that deleted it.

    Returns:
        The record as it is on disk afterwards.
    """
    path = os.path.join(run_dir, "run.json")
    try:
        record = files.read_json(path)
    except (OSError, ValueError):
        if known is None:
            raise
        os.makedirs(run_dir, exist_ok=True)
        record = dict(known)
    if record.get("state") in FINAL:
        return record
    record.update(end)
    record["ended"] = now()
    files.replace_json(path, record)
    return record


def started(run_dir: str, process: dict[str, Any]) -> dict[str, Any]:
    """Write into the record that the training runs, and as which process; the record as it is then."""
    path = os.path.join(run_dir, "run.json")
    record = files.read_json(path)
    record.update(state="running", started=now(), process=process)
    files.replace_json(path, record, durable=False)
    return record


def describe(
    code: int, stopped: str | None, tail: bytes, *, out_of_memory: bool
) -> tuple[str, dict[str, Any]]:
    """Tell apart how a training ended.

    Args:
        code: exit code, or minus the number of the signal that killed it.
        stopped: name of the signal by which a person asked for the stop, if one did.
        tail: the last bytes of its log.
        out_of_memory: whether the kernel or the engine says that it killed for memory.

    Returns:
        The state (`completed`, `stopped`, `failed`) and the `exit` object of the record: `code` (0-255 or
        null), `signal` (name or null), `reason` (stable word) and `message` (one line for people).
    """
    name = _signal_name(-code)
    known = {"code": code if code >= 0 else KILLED - code, "signal": name if code < 0 else None}
    if stopped:
        return "stopped", dict(known, reason="stopped", message="stopped by %s" % stopped)
    if code == 0:
        return "completed", dict(known, reason="completed", message="exit code 0")
    reason, message = _failure(code, name, tail, out_of_memory=out_of_memory)
    return "failed", dict(known, reason=reason, message=message)


def is_final(run_dir: str) -> bool:
    """Whether the record says how the run ended."""
    try:
        return files.read_json(os.path.join(run_dir, "run.json")).get("state") in FINAL
    except (OSError, ValueError):
        return False


def stop_asked(run_dir: str) -> str | None:
    """By which signal the host asked for a stop, if it did."""
    try:
        return str(files.read_json(os.path.join(run_dir, "stop.json")).get("signal", "SIGTERM"))
    except (OSError, ValueError):
        return None


def tail_of(path: str) -> bytes:
    """The last bytes of a log, or nothing where there is no log."""
    try:
        with open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            return stream.read()
    except OSError:
        return b""


def now() -> str:
    """The time in UTC with milliseconds, as every record writes it."""
    seconds = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return "%s.%03dZ" % (moment, int(seconds % 1 * 1000))


def _failure(code: int, name: str | None, tail: bytes, *, out_of_memory: bool) -> tuple[str, str]:
    kind, words = _last_exception(tail)
    if out_of_memory or any(mark in tail for mark in _OUT_OF_MEMORY):
        return "out-of-memory", "out of memory" + (": " + words if words else "")
    if kind.endswith("NonFiniteLossError"):
        return "non-finite-loss", words or "the loss is not a finite number"
    if name:
        return "signal", "killed by " + name
    if kind:
        return "python-error", "%s: %s" % (kind, words) if words else kind
    hidden = _signal_name(code - KILLED) if code > KILLED else None
    return "exit-code", "exit code %d" % code + (
        ", which is what a shell says for %s" % hidden if hidden else ""
    )


def _last_exception(tail: bytes) -> tuple[str, str]:
    if b"Traceback (most recent call last)" not in tail:
        return "", ""
    import re

    for line in reversed(tail.splitlines()):
        found = re.fullmatch(_EXCEPTION, line)
        if found:
            kind, words = (part.decode("utf-8", "replace") for part in (found[1], found[2] or b""))
            return kind, words[:500]
    return "", ""


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
