"""The one parent of a training, in every engine: starts it, looks at its stack, waits, records its end.

Started as `ENVIRONMENT/bin/python -I -S .../reprokit/inside/supervise.py RUN/launch.json [EAR PRIVATE]`:
the launch order (see docs/architecture.md) and, where it is started before there is one, the
descriptor to wait on for the word to go and the folder to remove if it never comes. It runs in a
session of its own and outlives the command that started it. The training's output goes straight
into the log file; nothing stands between.

Every import here is felt by every run: those that a quiet run does not need are made where they are used.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time

if __package__ in (None, ""):
    # Run as a program under -I: our own package is beside us, not on the path.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from reprokit.inside import ending, files, processes, removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEFAULTS = (
    *(signal.SIGPIPE, signal.SIGXFSZ),
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP),
)
LADDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def main() -> int:
    """Supervise one training; returns what it returned, as a shell would say it."""
    # Blocked from the first moment on: a stop that comes early waits until there is something to stop.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
    order, *early = sys.argv[1:]
    if early and not _may_go(int(early[0])):
        removal.remove_tree(early[1])
        return 0
    return Supervisor(_order(order)).run()


class Supervisor:
    """One training from its start to the last line of its record."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.run_dir: str = order["run_dir"]
        self.lock = _hold(order.get("lock_fd"), os.path.join(self.run_dir, "run.lock"))
        self.log_path = os.path.join(self.run_dir, "logs", "output.log")
        # Also readable: should the training delete its log, this descriptor still has every byte.
        self.log = os.open(
            self.log_path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
        self.grace = float(order.get("stop_grace_s", 10.0))
        self.stopped: str | None = None
        self.record: dict[str, Any] | None = None

    def run(self) -> int:
        """Start, probe, wait, record."""
        kills = _memory_kills()
        try:
            pid = _spawn(self.order["argv"], self.order["cwd"], self.log, self.lock)
        except OSError as error:
            return self._not_started(error)
        private = self.order.get("remove") or [None]
        self.record = ending.started(self.run_dir, _identity(pid, private[0]))
        if ending.stop_asked(self.run_dir):
            # Whoever asked did not know yet whom to signal.
            os.kill(os.getpid(), signal.SIGTERM)
        snapshot = self._probe()
        code, usage = self._wait(pid)
        self._clear_group(pid)
        self._keep_log()
        self._observe(snapshot)
        state, end = ending.describe(
            code,
            # What was asked for: we ourselves are told by SIGTERM, whatever that was.
            ending.stop_asked(self.run_dir) or self.stopped,
            ending.tail_of(self.log_path),
            out_of_memory=code == -signal.SIGKILL and _memory_kills() > kills,
        )
        self._finish(state, end, usage)
        return int(end["code"])

    def _not_started(self, error: OSError) -> int:
        program = self.order["argv"][0]
        code = 126 if isinstance(error, PermissionError) else 127
        message = "cannot start `%s`: %s" % (program, error.strerror or error)
        os.write(self.log, ("reprokit: %s\n" % message).encode("utf-8", "surrogateescape"))
        self._probe()
        end = {"code": code, "signal": None, "reason": "cannot-start", "message": message}
        self._finish("failed", end, None)
        return code

    def _probe(self) -> dict[str, Any]:
        """Take the snapshot beside the training; whatever goes wrong here never hurts it."""
        try:
            from reprokit.inside import probe

            snapshot = probe.take(self.order.get("probe", {}))
        except Exception as error:
            snapshot = {
                "schema": "reprokit/snapshot/1",
                "unknown": "the probe failed: %s: %s" % (type(error).__name__, error),
            }
        self._write_snapshot(snapshot, durable=False)
        return snapshot

    def _observe(self, snapshot: dict[str, Any]) -> None:
        """Add to the snapshot what the training's own processes saw in force when they ended."""
        folder = os.path.join(self.run_dir, "observed")
        try:
            seen = [
                files.read_json(path)
                for path in (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
                if path.endswith(".json") and _is_small_file(path)
            ]
        except (OSError, ValueError) as error:
            _complain("what the training observed is not in the snapshot", error)
            seen = []
        self._write_snapshot(dict(snapshot, observed=seen), durable=True)

    def _write_snapshot(self, snapshot: dict[str, Any], *, durable: bool) -> None:
        try:
            path = os.path.join(self.run_dir, "snapshot.json")
            # The end of the record is written next, and settles the folder for both.
            files.replace_json(path, snapshot, durable=durable, settle=False)
        except (OSError, ValueError) as error:
            _complain("the snapshot was not written", error)

    def _wait(self, pid: int) -> tuple[int, dict[str, float]]:
        """Wait for the training, climbing the stop ladder if a stop is asked for.

        Returns:
            Its exit code (minus the signal's number if killed) and what it used (seconds, bytes).
        """
        rung = 0
        deadline: float | None = None
        while True:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return _code(status), _usage(usage)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            number = _next_signal(left)
            if number == signal.SIGCHLD:
                continue
            if number in STOP_SIGNALS:
                # A second request means: now.
                rung = len(LADDER) - 1 if self.stopped else 0
                self.stopped = self.stopped or signal.Signals(number).name
            else:
                rung = min(rung + 1, len(LADDER) - 1)
            _signal_group(pid, LADDER[rung])
            deadline = time.monotonic() + self.grace

    def _clear_group(self, pid: int) -> None:
        """End what the training left running in its process group: no orphan keeps a GPU."""
        if not _signal_group(pid, signal.SIGTERM):
            return
        deadline = time.monotonic() + self.grace
        while time.monotonic() < deadline and _signal_group(pid, 0):
            _next_signal(0.02)
        _signal_group(pid, signal.SIGKILL)

    def _keep_log(self) -> None:
        """Put the log back where it belongs, if the training deleted or replaced it."""
        try:
            if os.path.samestat(os.lstat(self.log_path), os.fstat(self.log)):
                return
        except OSError:
            pass
        try:
            import shutil

            # Its folder may be a link into the copy of the source, and what it led to gone.
            os.makedirs(os.path.realpath(os.path.dirname(self.log_path)), exist_ok=True)
            restored = self.log_path + ".restored"
            os.lseek(self.log, 0, os.SEEK_SET)
            with os.fdopen(os.dup(self.log), "rb") as old, open(restored, "wb") as new:
                shutil.copyfileobj(old, new)
            os.replace(restored, self.log_path)
        except OSError as error:
            _complain("the log was deleted and could not be restored", error)

    def _finish(self, state: str, end: dict[str, Any], usage: dict[str, float] | None) -> None:
        for folder in self.order.get("remove", ()):
            removal.remove_tree(folder)
        ending.finish(self.run_dir, {"state": state, "exit": end, "usage": usage}, self.record)


def _order(path: str) -> dict[str, Any]:
    """The launch order, for us alone: its command may hold what the record must not."""
    order = files.read_json(path)
    os.unlink(path)
    return order


def _may_go(ear: int) -> bool:
    """Wait for the word to start; false when whoever was to say it is gone, or has thought better of it.

    What every run needs is imported meanwhile, as far as there is time: the training comes first.
    """
    import select

    for name in ("json", "reprokit.inside.probe"):
        if select.select([ear], [], [], 0)[0]:
            break
        try:
            __import__(name)
        except Exception as error:
            _complain("%s cannot be imported" % name, error)
    with os.fdopen(ear, "rb") as stream:
        return bool(stream.read())


def _spawn(argv: list[str], cwd: str, log: int, lock: int) -> int:
    """Start the training in a session of its own; the PID, which is also its process group's.

    By hand and not with `subprocess`: importing that takes as long as all else that happens here.

    Raises:
        OSError: it cannot be executed, or the folder is not there.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, cwd, log, lock, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        # Closed by a successful exec; otherwise it holds the error's number.
        failure = stream.read()
    if failure:
        os.waitpid(pid, 0)
        raise OSError(int(failure), os.strerror(int(failure)))
    return pid


def _become(argv: list[str], cwd: str, log: int, lock: int, failure: int) -> NoReturn:
    """In the child: turn into the training."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # The training holds the run's lock too: the run lives as long as it does.
        os.set_inheritable(lock, True)
        os.chdir(cwd)
        # As the system has them: Python ignores the first two, and a shell the others for what it starts with `&`.
        for number in DEFAULTS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(failure, str(error.errno).encode("ascii"))
    finally:
        os._exit(127)


def _is_small_file(path: str) -> bool:
    """Whether it is what the hook writes: a training can put a fifo or a link to anything there, to wait for ever."""
    facts = os.lstat(path)
    return stat.S_ISREG(facts.st_mode) and facts.st_size < 1 << 20


def _hold(inherited: int | None, path: str) -> int:
    """The descriptor of the held run lock: the host's own, or one taken here (inside a container)."""
    if inherited is not None:
        return inherited
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _next_signal(timeout: float | None) -> int:
    """Wait for one of our signals; 0 when `timeout` seconds (None: forever) passed without one."""
    wanted = (*STOP_SIGNALS, signal.SIGCHLD)
    if timeout is None:
        return signal.sigwaitinfo(wanted).si_signo
    info = signal.sigtimedwait(wanted, timeout)
    return info.si_signo if info else 0


def _signal_group(pid: int, number: int) -> bool:
    """Signal every process of the training's group; false when none is left."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _complain(what: str, error: Exception) -> None:
    """Our own words go to our standard error, never into the training's log."""
    sys.stderr.write("reprokit supervisor: %s: %s\n" % (what, error))


def _code(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _usage(usage: Any) -> dict[str, float]:
    return {
        "user_s": round(usage.ru_utime, 3),
        "system_s": round(usage.ru_stime, 3),
        "max_rss_bytes": usage.ru_maxrss * 1024,
    }


def _identity(pid: int, private: str | None) -> dict[str, Any]:
    """Who supervises and who trains: enough to know both again although PIDs are reused."""
    return {
        "supervisor": os.getpid(),
        "supervisor_ticks": processes.start_ticks(os.getpid()),
        "training": pid,
        "training_ticks": processes.start_ticks(pid),
        "boot": processes.boot(),
        "private": private,
    }


def _memory_kills() -> int:
    """How many processes the kernel has killed for memory since boot (on this machine or cgroup)."""
    try:
        with open("/proc/vmstat") as stream:
            counts = [line.split()[1] for line in stream if line.startswith("oom_kill ")]
        return int(counts[0]) if counts else 0
    except (OSError, ValueError, IndexError):
        return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # All is written; taking the interpreter down in order would keep whoever waits for 3 ms more.
    os._exit(code)
