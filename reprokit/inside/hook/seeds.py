"""A library that has just been imported -> its generators seeded, its switches set."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from reprokit.inside.hook.begin import Notes


def apply(notes: Notes, name: str) -> None:
    """Seed the library `name` and set its switches; what was done goes into `notes`.

    Raises:
        Exception: whatever the library raises; what was done before stays noted.
    """
    module: Any = sys.modules[name]
    if name == "torch":
        _torch(notes, module)
    elif name == "torch._inductor.config":
        _inductor(notes, module)
    elif notes.seed is not None:
        module.seed(notes.seed)
        notes.seeded[name.partition(".")[0]] = notes.seed


def _torch(notes: Notes, torch: Any) -> None:
    if notes.seed is not None:
        torch.manual_seed(notes.seed)
        notes.seeded["torch"] = notes.seed
    steps = (_cudnn, _threads, _deterministic)
    for step in steps:
        try:
            step(notes, torch)
        except Exception as error:
            notes.failed("torch%s" % step.__name__, error)


def _cudnn(notes: Notes, torch: Any) -> None:
    """Benchmarking picks convolutions by timing them, so two runs may pick differently."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    notes.applied.update({"cudnn.benchmark": False, "cudnn.deterministic": True})


def _threads(notes: Notes, torch: Any) -> None:
    """Torch caps OMP_NUM_THREADS at the cores of the machine, and their number changes the sums.

    `set_num_threads` is not capped, so a run that had 8 threads has 8 on a laptop, too.
    """
    if notes.threads is not None:
        torch.set_num_threads(notes.threads)
        notes.applied["num_threads"] = notes.threads


def _deterministic(notes: Notes, torch: Any) -> None:
    """Deterministic algorithms only: an operation that has none is an error (strict) or a warning.

    `torch.use_deterministic_algorithms` imports Inductor first (1.0 s and 828 modules with torch
    2.13, as long as torch itself), just to set one value that matters to nobody who does not
    compile. So the switch is set where it is, and Inductor gets its value when it is imported.
    """
    warn_only = notes.determinism == "seeded"
    switch = getattr(torch._C, "_set_deterministic_algorithms", None)  # noqa: SLF001
    if switch is not None:
        switch(True, warn_only=warn_only)
    else:
        torch.use_deterministic_algorithms(True, warn_only=warn_only)
    notes.applied["deterministic_algorithms"] = "warn" if warn_only else "error"


def _inductor(notes: Notes, config: Any) -> None:
    if hasattr(config, "deterministic"):
        config.deterministic = sys.modules["torch"].are_deterministic_algorithms_enabled()
        notes.applied["inductor.deterministic"] = config.deterministic
