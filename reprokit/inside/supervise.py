"""The one parent of a training, in every engine: starts it, looks at its stack, waits, records its end.

Started as `ENVIRONMENT/bin/python -I -S .../reprokit/inside/supervise.py RUN/launch.json`, the launch order (see
docs/architecture.md). It runs in a session of its own and outlives the command
that started it. The training's output goes straight into the log file; nothing stands between.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, Dict, Optional

if __package__ in (None, ""):
    # Run as a program under -I: our own package is beside us, not on the path.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from reprokit.inside import ending, files, processes  # noqa: E402

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LADDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def main() -> int:
    """Supervise one training; returns what it returned, as a shell would say it."""
    # Blocked from the first moment on: a stop that comes early waits until there is something to stop.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS + (signal.SIGCHLD,))
    return Supervisor(files.read_json(sys.argv[1])).run()


class Supervisor:
    """One training from its start to the last line of its record."""

    def __init__(self, order: Dict[str, Any]) -> None:
        self.order = order
        self.run_dir = order["run_dir"]  # type: str
        self.log = os.path.join(self.run_dir, "logs", "output.log")
        self.lock = _hold(order.get("lock_fd"), os.path.join(self.run_dir, "run.lock"))
        self.grace = float(order.get("stop_grace_s", 10.0))
        self.stopped = None  # type: Optional[str]

    def run(self) -> int:
        """Start, probe, wait, record."""
        kills = _memory_kills()
        try:
            child = self._start()
        except OSError as error:
            return self._not_started(error)
        ending.started(self.run_dir, _identity(child.pid))
        self._probe()
        code, usage = self._wait(child.pid)
        child.returncode = code  # reaped by us with wait4, so Popen must not try
        self._clear_group(child.pid)
        self._add_observations()
        state, end = ending.describe(
            code, self.stopped or ending.stop_asked(self.run_dir), ending.tail_of(self.log), code == -9 and _memory_kills() > kills
        )
        self._finish(state, end, usage)
        return int(end["code"])

    def _start(self) -> "subprocess.Popen[bytes]":
        with open(self.log, "ab", buffering=0) as log:
            return subprocess.Popen(
                self.order["argv"],
                cwd=self.order["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self.lock,),
                preexec_fn=_unblock,
            )

    def _not_started(self, error: OSError) -> int:
        program = self.order["argv"][0]
        code = 126 if isinstance(error, PermissionError) else 127
        message = "cannot start `%s`: %s" % (program, error.strerror or error)
        with open(self.log, "ab") as log:
            log.write(("reprokit: %s\n" % message).encode("utf-8", "surrogateescape"))
        self._probe()
        self._finish(
            "failed",
            {"code": code, "signal": None, "reason": "cannot-start", "message": message},
            None,
        )
        return code

    def _probe(self) -> None:
        """Take the snapshot beside the training; whatever goes wrong here never hurts it."""
        try:
            from reprokit.inside import probe

            snapshot = probe.take(self.order.get("probe", {}))
        except Exception as error:
            snapshot = {
                "schema": "reprokit/snapshot/1",
                "unknown": "the probe failed: %s: %s" % (type(error).__name__, error),
            }
        self._write_snapshot(snapshot)

    def _add_observations(self) -> None:
        """Add to the snapshot what the training's own processes saw in force when they ended."""
        folder = os.path.join(self.run_dir, "observed")
        try:
            seen = [
                files.read_json(os.path.join(folder, name))
                for name in sorted(os.listdir(folder))
                if name.endswith(".json")
            ]
            if seen:
                snapshot = files.read_json(os.path.join(self.run_dir, "snapshot.json"))
                snapshot["observed"] = seen
                self._write_snapshot(snapshot)
        except (OSError, ValueError) as error:
            self._complain("what the training observed is not in the snapshot", error)

    def _write_snapshot(self, snapshot: Dict[str, Any]) -> None:
        try:
            files.replace_json(os.path.join(self.run_dir, "snapshot.json"), snapshot)
        except (OSError, ValueError) as error:
            self._complain("the snapshot was not written", error)

    def _complain(self, what: str, error: Exception) -> None:
        """Supervisor's own words go to its standard error, never into the training's log."""
        sys.stderr.write("reprokit supervisor: %s: %s\n" % (what, error))

    def _wait(self, pid: int) -> "tuple[int, Dict[str, float]]":
        """Wait for the training, climbing the stop ladder if a stop is asked for.

        Returns:
            Its exit code (minus the signal's number if killed) and what it used (seconds, bytes).
        """
        rung, deadline = 0, None  # type: int, Optional[float]
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

    def _finish(
        self, state: str, end: Dict[str, Any], usage: Optional[Dict[str, float]]
    ) -> None:
        for folder in self.order.get("remove", ()):  # type: str
            shutil.rmtree(folder, ignore_errors=True)
        ending.finish(self.run_dir, {"state": state, "exit": end, "usage": usage})


def _hold(inherited: Optional[int], path: str) -> int:
    """The descriptor of the held run lock: the host's own, or one taken here (inside a container)."""
    if inherited is not None:
        return inherited
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _next_signal(timeout: Optional[float]) -> int:
    """Wait for one of our signals; 0 when `timeout` seconds (None: forever) passed without one."""
    wanted = STOP_SIGNALS + (signal.SIGCHLD,)
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


def _code(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _usage(usage: Any) -> Dict[str, float]:
    return {
        "user_s": round(usage.ru_utime, 3),
        "system_s": round(usage.ru_stime, 3),
        "max_rss_bytes": usage.ru_maxrss * 1024,
    }


def _identity(pid: int) -> Dict[str, Any]:
    """Who supervises and who trains: enough to know both again although PIDs are reused."""
    return {
        "supervisor": os.getpid(),
        "supervisor_ticks": processes.start_ticks(os.getpid()),
        "training": pid,
        "training_ticks": processes.start_ticks(pid),
        "boot": processes.boot(),
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
    sys.exit(main())
