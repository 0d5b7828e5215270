"""Engine `venv`: the training in a virtual environment on this machine, held by a supervisor of its own.

A virtual environment separates packages, not machines: the network, the memory limit and the file system are
the host's, and the record says so.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from reprokit import process
from reprokit.config import Resources
from reprokit.engines.base import Ended, Handle, Launch, inside_variables, order
from reprokit.errors import MachineError
from reprokit.files import is_locked, private_folder, read_json
from reprokit.inside.ending import is_final
from reprokit.inside.processes import boot, start_ticks
from reprokit.inside.removal import remove_tree
from reprokit.layout import RunPaths
from reprokit.plan import need_gpus
from reprokit.values import dataclass

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Between two looks at the run lock when the supervisor is not our child.
LOOK_S = 0.05


class VenvEngine:
    """Runs trainings as processes of this machine."""

    name = "venv"
    unenforced: tuple[str, ...] = ("network", "memory", "cpus", "shm")

    def __init__(self) -> None:
        self._waiting: dict[Path, _Waiting] = {}
        self._children: dict[Path, process.Child] = {}

    def check(self, resources: Resources) -> None:
        """Stop a run that asks for more GPUs than this machine has.

        Raises:
            MachineError: it does.
        """
        if resources.gpus:
            hint = "ask for fewer with `-o resources.gpus=N`, or run where the GPUs are"
            need_gpus(resources.gpus, count_gpus(), where="this machine", hint=hint)

    def prepare(self, launch: Launch, hidden: RunPaths) -> None:
        """Start the supervisor in a session of its own, with the run lock in its hands, beside the capture.

        It waits for a word through a pipe, and goes away without a trace if our death closes that.

        Raises:
            MachineError: the environment's interpreter is gone.
        """
        # Not inside the run folder: sockets that worker processes make there allow 108 bytes of path.
        private = private_folder("reprokit-")
        ear, word = os.pipe()
        try:
            for name in ("home", "tmp"):
                (private / name).mkdir()
            child = self._spawn(launch, hidden, private, ear)
        except BaseException:
            os.close(word)
            remove_tree(str(private))
            raise
        finally:
            os.close(ear)
        self._waiting[launch.paths.root] = _Waiting(child, word, private)

    def launch(self, launch: Launch, keep: Callable[[Handle], None]) -> None:
        """Give the waiting supervisor its order, and the word to go.

        The handle is empty: the supervisor itself writes into the record which processes they are.

        Raises:
            MachineError: the supervisor did not come up.
        """
        keep({})
        waiting = self._waiting.pop(launch.paths.root)
        self._children[launch.paths.root] = waiting.child
        order(
            launch,
            run_dir=str(launch.paths.root),
            cwd=str(launch.paths.work / launch.plan.cwd),
            lock=launch.lock,
            remove=[str(waiting.private)],
        )
        waiting.go(launch.paths)

    def abandon(self, paths: RunPaths) -> None:
        """Let a supervisor that waits for its order go away, and its private folder with it."""
        waiting = self._waiting.pop(paths.root, None)
        if waiting is not None:
            os.close(waiting.word)
            process.wait(waiting.child)

    def command(self, launch: Launch) -> list[str]:
        """The training's own command in the user's own folder, with its whole environment but for what is let through.

        Without the folder of a run: a dry run leaves none behind.
        """
        import tempfile

        variables = _variables(launch, Path(tempfile.gettempdir()))
        variables |= {"HOME": tempfile.gettempdir(), "TMPDIR": tempfile.gettempdir()}
        del variables["REPROKIT_RUN_DIR"], variables["XDG_CACHE_HOME"]
        words = [f"{name}={value}" for name, value in sorted(variables.items())]
        return ["env", "-i", "-C", str(launch.origin / launch.plan.cwd), *words, *launch.plan.argv]

    def _spawn(self, launch: Launch, hidden: RunPaths, private: Path, ear: int) -> process.Child:
        python = Path(launch.location) / "bin" / "python"
        words = [str(python), "-I", "-S", str(launch.kit / "reprokit/inside/supervise.py")]
        hidden.supervisor_log.parent.mkdir(exist_ok=True)
        with hidden.supervisor_log.open("ab") as log:
            try:
                return process.spawn_session(
                    [*words, str(launch.paths.order), str(ear), str(private)],
                    env=_variables(launch, private) | dict(launch.secrets),
                    cwd=hidden.root,
                    output=log.fileno(),
                    keep=(launch.lock, ear),
                )
            except FileNotFoundError as error:
                raise MachineError(
                    "no-interpreter",
                    "the environment's interpreter is gone",
                    where=str(python),
                    hint="run the command again: the environment is made anew",
                ) from error

    def ended(self, handle: Handle, paths: RunPaths, *, wait_s: float) -> Ended | None:
        """None while the supervisor or the training lives: one of them then holds the run lock.

        So may a daemon that the training left behind; but then its end is in the record.
        """
        deadline = time.monotonic() + wait_s
        child = self._children.get(paths.root)
        if child is not None:
            if not child.wait_for(wait_s):
                return None
            del self._children[paths.root]
        while is_locked(paths.lock) and not is_final(str(paths.root)):
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(LOOK_S, left))
        return Ended(code=None)

    def stop(self, handle: Handle, paths: RunPaths, *, now: bool) -> None:
        """Ask the supervisor for the ladder; if it was killed, signal the training's group directly."""
        who = read_json(paths.record).get("process")
        if not who or who["boot"] != boot():
            return
        if start_ticks(who["supervisor"]) == who["supervisor_ticks"]:
            # A second request means "now" to the supervisor; two of one signal would merge into one.
            process.send(who["supervisor"], signal.SIGTERM)
            if now:
                process.send(who["supervisor"], signal.SIGINT)
        elif start_ticks(who["training"]) == who["training_ticks"]:
            number = signal.SIGKILL if now else signal.SIGTERM
            process.send(who["training"], number, group=True)

    def release(self, handle: Handle) -> None:
        """Nothing is kept: the supervisor removed the private folders."""


@dataclass(frozen=True)
class _Waiting:
    """A supervisor before its order: the pipe that its word goes through, and the run's own HOME and TMPDIR."""

    child: process.Child
    word: int
    private: Path

    def go(self, paths: RunPaths) -> None:
        """Say the word: the order is written."""
        try:
            os.write(self.word, b"go")
        except BrokenPipeError as error:
            raise MachineError(
                "no-supervisor",
                "the environment's interpreter does not work",
                where=str(paths.supervisor_log),
            ) from error
        finally:
            os.close(self.word)


def count_gpus() -> int:
    """How many NVIDIA GPUs are ours to use: what the driver says, through NVML, and CUDA_VISIBLE_DEVICES leaves."""
    import pynvml

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return int(pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()


def _variables(launch: Launch, private: Path) -> dict[str, str]:
    variables = inside_variables(
        launch.plan,
        run_dir=str(launch.paths.root),
        path=f"{launch.location}/bin:{SYSTEM_PATH}",
        kit=str(launch.kit),
        home=str(private / "home"),
        tmp=str(private / "tmp"),
        data={name: str(path) for name, path in launch.plan.data.items()},
    )
    variables["VIRTUAL_ENV"] = launch.location
    variables |= {name: os.environ[name] for name in ("USER", "LOGNAME") if name in os.environ}
    if launch.plan.resources.gpus and "CUDA_VISIBLE_DEVICES" in os.environ:
        # On a shared machine this is how a person or a scheduler says which cards are theirs.
        variables["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    if launch.watched:
        variables["REPROKIT_PROGRESS"] = "file"
    return variables
