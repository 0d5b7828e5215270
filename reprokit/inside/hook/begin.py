"""The start of a Python process of a training: what it notes is set up and written at its exit.

This is on the way of every Python that a training starts, `python -c pass` included, so it imports
nothing that Python has not imported already.
"""

from __future__ import annotations

import atexit
import os
import sys

from reprokit.inside.hook.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WORTH_A_FILE = ("random", "numpy", "torch")
MODES = ("strict", "seeded", "off")


class Notes:
    """What the hook did in this process, and what it could not do.

    Attributes:
        pid: the process that the hook started in; a fork has another one.
        determinism: `strict`, `seeded` or `off`.
        seed: the run's seed, or None.
        seeded: library -> the seed that it got.
        applied: switch -> the value that it got.
        errors: one line for each thing that failed.
    """

    def __init__(self, run_dir: str, environment: dict[str, str]) -> None:
        self.run_dir = run_dir
        self.pid = os.getpid()
        self.errors: list[str] = []
        self.seeded: dict[str, int] = {}
        self.applied: dict[str, object] = {}
        self.determinism = self._mode(environment.get("REPROKIT_DETERMINISM", "off"))
        self.seed = self._seed(environment.get("REPROKIT_SEED", ""))
        self.threads = self._threads(environment.get("OMP_NUM_THREADS", ""))

    def failed(self, what: str, error: BaseException) -> None:
        """Note that something did not work."""
        self.errors.append("%s: %s: %s" % (what, type(error).__name__, error))

    def _mode(self, word: str) -> str:
        if word in MODES:
            return word
        self.errors.append("REPROKIT_DETERMINISM is no mode: nothing was set")
        return "off"

    def _seed(self, digits: str) -> int | None:
        if digits.isdigit() and int(digits) < 1 << 32:
            return int(digits)
        if self.determinism != "off":
            self.errors.append("REPROKIT_SEED is no seed: nothing was seeded")
        return None

    def _threads(self, value: str) -> int | None:
        """The outermost level of OMP_NUM_THREADS, which may be a list."""
        first = value.partition(",")[0].strip()
        return int(first) if first.isdigit() and int(first) else None


_begun: Notes | None = None


def begin(run_dir: str, fallback: Callable[[str, str], None]) -> Notes:
    """Seed what is imported already, watch for the rest, and write the facts at exit.

    Args:
        run_dir: the run folder.
        fallback: writes one line about a failure into a run folder where the hook itself cannot.

    Returns:
        What was done so far; the same for every call in this process.
    """
    global _begun  # noqa: PLW0603 - one hook a process
    if _begun is not None:
        return _begun
    notes = _begun = Notes(run_dir, dict(os.environ))
    atexit.register(_end, notes, fallback)
    if notes.determinism != "off":
        watch = Watch(lambda name: _came_in(notes, name), notes.failed)
        watch.notice(sys.modules)
        watch.start()
    return notes


def _came_in(notes: Notes, name: str) -> None:
    """A watched library has just been imported."""
    try:
        from reprokit.inside.hook import seeds

        seeds.apply(notes, name)
    except Exception as error:
        notes.failed(name, error)


def _end(notes: Notes, fallback: Callable[[str, str], None]) -> None:
    """Write the facts of this process as it exits; a process that draws no numbers writes none."""
    if not notes.errors and not any(name in sys.modules for name in WORTH_A_FILE):
        return
    try:
        from reprokit.inside.hook import observe

        observe.write(notes)
    except Exception as error:
        fallback(notes.run_dir, "exit: %s: %s" % (type(error).__name__, error))
