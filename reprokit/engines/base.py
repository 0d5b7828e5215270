"""What every engine can do: the protocol between a planned run and whatever isolates it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from reprokit.config import Resources
from reprokit.layout import RunPaths
from reprokit.plan import Plan
from reprokit.values import dataclass

Handle = dict[str, Any]


@dataclass(frozen=True)
class Launch:
    """All that an engine needs to start a run.

    Attributes:
        plan: what to run.
        paths: the run's folder on this machine.
        kit: folder with `sitecustomize.py` and `reprokit/{inside,core}` for the environment's PYTHONPATH.
        location: the environment: the folder of a virtual environment, or an image.
        secrets: variable name -> value for the names that are let through; held in memory only.
        facts: what the host observed, for the snapshot.
        lock: descriptor that holds the run lock.
        watched: whether a person watches the progress in a terminal.
        origin: the user's own folder that `paths.work` is a copy of.
    """

    plan: Plan
    paths: RunPaths
    kit: Path
    location: str
    secrets: Mapping[str, str]
    facts: Mapping[str, Any]
    lock: int
    watched: bool
    origin: Path


@dataclass(frozen=True)
class Ended:
    """What an engine knows about a training that is over: its exit code, or None when nobody saw it."""

    code: int | None
    out_of_memory: bool = False


class Engine(Protocol):
    """Isolates a training. A handle is what an engine needs to find it again; the record keeps it as JSON."""

    name: str
    # What of a plan's resources it cannot enforce; the record says so.
    unenforced: tuple[str, ...]

    def check(self, resources: Resources) -> None:
        """Refuse, before anything is made, a run that asks for what this machine does not have.

        Raises:
            MachineError: it does.
        """
        ...

    def prepare(self, launch: Launch, hidden: RunPaths) -> None:
        """Begin with what need not wait for the source; nothing of the training may start.

        Args:
            launch: as far as it is known: `plan.cwd`, `plan.places`, `facts` and `origin` come with
                the source; `paths` is where the run will be.
            hidden: where it is until then.

        Raises:
            MachineError: the environment cannot be started.
        """
        ...

    def abandon(self, paths: RunPaths) -> None:
        """Undo `prepare` for a run that was not launched; one that was is left alone."""
        ...

    def launch(self, launch: Launch, keep: Callable[[Handle], None]) -> None:
        """Start the training under its supervisor, after `prepare`; it must outlive this process.

        `keep` writes the handle into the record, and is called before the training can start.
        """
        ...

    def command(self, launch: Launch) -> list[str]:
        """The exact command line that `launch` amounts to, for people (`--dry-run`)."""
        ...

    def ended(self, handle: Handle, paths: RunPaths, *, wait_s: float) -> Ended | None:
        """None while the training runs, waiting up to `wait_s` seconds for its end."""
        ...

    def stop(self, handle: Handle, paths: RunPaths, *, now: bool) -> None:
        """Ask for the stop ladder (SIGINT, SIGTERM, SIGKILL); `now` goes to its end at once."""
        ...

    def release(self, handle: Handle) -> None:
        """Give back what the engine keeps for a run that ended."""
        ...


def order(launch: Launch, *, run_dir: str, cwd: str, lock: int | None, remove: list[str]) -> None:
    """Write the launch order for the supervisor, which starts only afterwards."""
    import json

    launch.paths.order.write_text(
        json.dumps(
            {
                "argv": list(launch.plan.argv),
                "cwd": cwd,
                "run_dir": run_dir,
                "lock_fd": lock,
                "probe": dict(launch.facts),
                "stop_grace_s": launch.plan.stop_grace_s,
                "remove": remove,
            }
        ),
        "utf-8",
    )


def inside_variables(
    plan: Plan, *, run_dir: str, path: str, kit: str, home: str, tmp: str, data: Mapping[str, str]
) -> dict[str, str]:
    """The training's whole environment, but for what is let through: the plan's and where things lie inside."""
    import json

    return {
        **plan.variables,
        "PATH": path,
        "HOME": home,
        "TMPDIR": tmp,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "PYTHONPATH": kit,
        "REPROKIT_RUN_DIR": run_dir,
        "REPROKIT_DATA": json.dumps(dict(data), sort_keys=True),
    }
