"""Settling: finding the truth about a run whose end nobody has written down yet.

The supervisor writes the end of its run. Where it could not (it was killed, the engine or the machine died), the
next look at the run settles it here: still running, ended with its true exit code, or lost.
"""

import os
from pathlib import Path
from typing import Any

from reprokit import files
from reprokit.engines import engine_named
from reprokit.engines.base import Ended, Engine
from reprokit.errors import LockedError, MachineError
from reprokit.inside import ending
from reprokit.inside.processes import boot
from reprokit.layout import RunPaths
from reprokit.runs import outputs
from reprokit.runs.model import FINAL
from reprokit.runs.store import read_raw


def settle(paths: RunPaths, engine: Engine | None = None) -> dict[str, Any]:
    """Bring a run's record up to the truth and return it.

    A run of another machine (a store on a shared disk) is left to that machine; so is one whose engine does not answer
    now: `unsettled` then says why.
    """
    raw = read_raw(paths)
    if raw["state"] in FINAL and raw["engine"]["released"] and outputs.is_tidy(paths):
        return raw
    if raw["engine"]["name"] == "venv" and raw["host"] != os.uname().nodename:
        return raw | {"unsettled": f"it was started on {raw['host']}"}
    engine = engine or engine_named(raw["engine"]["name"])
    try:
        ended = engine.ended(raw["engine"]["handle"], paths, wait_s=0)
        if ended is None:
            return raw
        with files.exclusive(paths.lock, wait=False):
            return _write_end(paths, engine, ended)
    except LockedError:
        return read_raw(paths)
    except MachineError as error:
        return raw | {"unsettled": error.message}


def _write_end(paths: RunPaths, engine: Engine, ended: Ended) -> dict[str, Any]:
    raw = read_raw(paths)
    if raw["state"] not in FINAL:
        raw = ending.finish(str(paths.root), end_of(raw, paths, ended))
    if not raw["engine"]["released"]:
        engine.release(raw["engine"]["handle"])
        raw["engine"]["released"] = True
        files.write_json(paths.record, raw)
    outputs.tidy(paths)
    if private := (raw.get("process") or {}).get("private"):
        # Its supervisor removes it, unless it was killed.
        files.drop_private_folder(Path(private))
    return raw


def end_of(raw: dict[str, Any], paths: RunPaths, ended: Ended) -> dict[str, Any]:
    """State and exit of a run that ended without its supervisor's word."""
    stopped = ending.stop_asked(str(paths.root))
    if ended.code is not None:
        # An engine says 128 + n for a signal, as a shell does.
        code = ending.KILLED - ended.code if ended.code > ending.KILLED else ended.code
        state, end = ending.describe(
            code, stopped, ending.tail_of(str(paths.log)), out_of_memory=ended.out_of_memory
        )
        return {"state": state, "exit": end}
    if stopped:
        message = f"stopped by {stopped}; nobody saw the exit code"
        return {"state": "stopped", "exit": _unseen("stopped", message)}
    if raw["state"] == "preparing":
        return {
            "state": "lost",
            "exit": _unseen("not-launched", "it died before the training started"),
        }
    return {"state": "lost", "exit": _unseen("lost", _cause(raw))}


def _cause(raw: dict[str, Any]) -> str:
    process = raw.get("process") or {}
    if process.get("boot") not in (None, boot()):
        return "the machine was restarted while it ran; nobody saw the exit code"
    if raw["engine"]["name"] == "docker":
        return "its container is gone; nobody saw the exit code"
    return "its supervisor was killed; nobody saw the exit code"


def _unseen(reason: str, message: str) -> dict[str, Any]:
    return {"code": None, "signal": None, "reason": reason, "message": message}


def ask_to_stop(paths: RunPaths, engine: Engine, *, now: bool) -> None:
    """Stop a training; the wish is written down first, so that its end is known as one that was wanted."""
    raw = read_raw(paths)
    if raw["state"] in FINAL:
        return
    number = "SIGKILL" if now else "SIGINT"
    wish = {"schema": "reprokit/stop/1", "signal": number, "at": ending.now()}
    files.write_json(paths.stop, wish)
    engine.stop(raw["engine"]["handle"], paths, now=now)


def wait_for_end(paths: RunPaths, engine: Engine) -> dict[str, Any]:
    """Wait until a run has ended; return its settled record."""
    handle = read_raw(paths)["engine"]["handle"]
    while engine.ended(handle, paths, wait_s=1.0) is None:
        pass
    return settle(paths, engine)
