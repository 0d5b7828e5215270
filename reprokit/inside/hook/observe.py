"""The end of a training process -> `observed/PID.json`: what was set and what was in force.

Facts are asked of modules that the process has imported; nothing is imported or started to learn
one.
"""

from __future__ import annotations

import os
import sys
import warnings

from reprokit.inside import files
from reprokit.inside.hook import lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from reprokit.inside.hook.begin import Notes

SCHEMA = "reprokit/observed/1"
RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


def write(notes: Notes) -> None:
    """Write the facts of this process atomically into the run folder.

    The disk is not waited for: the supervisor joins all of these into the snapshot, durably.
    """
    folder = os.path.join(notes.run_dir, "observed")
    os.makedirs(folder, exist_ok=True)
    text = lines.encode(facts(notes)) + "\n"
    files.replace_bytes(_free(folder), text.encode("utf-8"), durable=False)


def facts(notes: Notes) -> dict[str, object]:
    """What the hook did and what is in force now."""
    pid = os.getpid()
    in_force: dict[str, object] = {"python": _python()}
    for name, look in (("numpy", NUMPY), ("torch", TORCH)):
        if name in sys.modules:
            in_force[name] = _each(look, sys.modules[name], name, notes)
    seeded = dict(notes.seeded)
    if pid != notes.pid:
        # Python itself seeds `random` anew in every fork, from the system's entropy.
        seeded.pop("random", None)
    return {
        "schema": SCHEMA,
        "pid": pid,
        "forked_from": None if pid == notes.pid else notes.pid,
        "program": _program(),
        "ranks": {name: os.environ[name] for name in RANKS if name in os.environ},
        "seed": notes.seed,
        "determinism": notes.determinism,
        "seeded": seeded,
        "applied": notes.applied,
        "in_force": in_force,
        "errors": notes.errors,
    }


def _free(folder: str) -> str:
    """`PID.json`, or `PID.N.json` where an earlier container or another machine had that PID."""
    pid, count = os.getpid(), 0
    path = os.path.join(folder, "%d.json" % pid)
    while os.path.exists(path):
        count += 1
        path = os.path.join(folder, "%d.%d.json" % (pid, count))
    return path


def _program() -> str:
    """The script's name alone: its arguments may hold secrets."""
    words = getattr(sys, "argv", None) or [""]
    return os.fsencode(words[0]).decode("utf-8", "backslashreplace")


def _python() -> dict[str, object]:
    return {
        "version": "%d.%d.%d" % sys.version_info[:3],
        "executable": os.fsencode(sys.executable or "").decode("utf-8", "backslashreplace"),
        "hash_randomization": bool(sys.flags.hash_randomization),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "optimize": sys.flags.optimize,
        "utf8_mode": sys.flags.utf8_mode,
    }


def _each(look: dict[str, object], module: Any, library: str, notes: Notes) -> dict[str, object]:
    """Each fact asked for by itself: one that this version lacks or refuses is noted as failed.

    `look` gives for each fact the path of a value or function in the module, or a function of ours.
    """
    found: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, how in look.items():
            try:
                found[name] = how(module) if callable(how) else _ask(module, str(how))
            except Exception as error:
                notes.failed("%s.%s at exit" % (library, name), error)
    return found


def _ask(module: Any, path: str) -> object:
    value = module
    for part in path.split("."):
        value = getattr(value, part)
    value = value() if callable(value) else value
    return value if isinstance(value, (int, float)) or value is None else str(value)


def _mode(torch: Any) -> str:
    if not torch.are_deterministic_algorithms_enabled():
        return "off"
    return "warn" if torch.is_deterministic_algorithms_warn_only_enabled() else "error"


def _cuda(torch: Any) -> dict[str, object]:
    """CUDA as this process used it.

    Asking whether it is available would start the driver, so a process that never asked has
    `available` None, and only a process that used it has devices.
    """
    cuda = torch.cuda
    used = bool(cuda.is_initialized())
    counted = getattr(cuda, "_cached_device_count", None)
    built = torch.version.cuda is not None or getattr(torch.version, "hip", None) is not None
    available = True if used else (None if counted is None else counted > 0) if built else False
    devices = [_device(torch, index) for index in range(cuda.device_count())] if used else []
    return {"built": built, "initialized": used, "available": available, "devices": devices}


def _device(torch: Any, index: int) -> dict[str, object]:
    about = torch.cuda.get_device_properties(index)
    return {
        "index": index,
        "name": about.name,
        "uuid": str(getattr(about, "uuid", "")) or None,
        "compute_capability": "%d.%d" % (about.major, about.minor),
        "memory_bytes": about.total_memory,
        "peak_bytes": torch.cuda.max_memory_allocated(index),
    }


NUMPY: dict[str, object] = {"version": "__version__", "path": "__file__"}
TORCH: dict[str, object] = {
    "version": "__version__",
    "git_version": "version.git_version",
    "initial_seed": "initial_seed",
    "deterministic_algorithms": _mode,
    "cudnn.benchmark": "backends.cudnn.benchmark",
    "cudnn.deterministic": "backends.cudnn.deterministic",
    "cudnn.allow_tf32": "backends.cudnn.allow_tf32",
    "cuda.matmul.allow_tf32": "backends.cuda.matmul.allow_tf32",
    "float32_matmul_precision": "get_float32_matmul_precision",
    "num_threads": "get_num_threads",
    "num_interop_threads": "get_num_interop_threads",
    "cpu_capability": "backends.cpu.get_cpu_capability",
    "mkldnn": "backends.mkldnn.enabled",
    "default_dtype": "get_default_dtype",
    "cuda": _cuda,
}
