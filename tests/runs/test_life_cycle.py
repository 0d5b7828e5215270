"""The command never owns the training: what every death leaves behind is told truthfully at the next look."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Place

# Says that it runs, then waits for a file of the test's; ends with code 3.
WAITS = """
import os, time
print("up", flush=True)
while not os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
print("done", flush=True)
raise SystemExit(3)
"""


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a waiting training waits for."""
    path = tmp_path / "gate"
    monkeypatch.setenv("GATE", str(path))
    return path


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    pytest.fail("it did not happen in time")


def started(place: Place, config: Path) -> tuple["subprocess.Popen[bytes]", dict[str, Any], Path]:
    """Start a run and wait until its training says that it is up."""
    command = place.start("run", config, "--engine", "venv", start_new_session=True)

    def running() -> Path | None:
        for record in place.root.glob("runs/*/2*/run.json"):
            log = record.parent / "logs" / "output.log"
            if json.loads(record.read_text())["state"] == "running" and b"up" in log.read_bytes():
                return record
        return None

    path = until(running)
    return command, json.loads(path.read_text()), path.parent


def reap(command: "subprocess.Popen[bytes]") -> int:
    """Wait for a command of ours and close its pipes."""
    command.communicate(timeout=60)
    return command.returncode


def state(place: Place) -> dict[str, Any]:
    """The latest run as `reprokit runs` tells it."""
    found = place("runs", "--json").json["runs"][-1]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def waiting(place: Place, gate: Path) -> Path:
    """A project whose training waits for the gate."""
    assert not gate.exists()
    return place.project("waits", WAITS, env=["GATE"])


def test_a_training_outlives_its_killed_command_and_its_exit_code_is_kept(
    place: Place, waiting: Path, gate: Path
) -> None:
    command, _, folder = started(place, waiting)
    os.killpg(command.pid, signal.SIGKILL)
    reap(command)
    assert state(place)["state"] == "running"
    gate.touch()
    end = until(lambda: (found := state(place))["state"] != "running" and found)
    assert (end["state"], end["exit"]["code"]) == ("failed", 3)
    assert (folder / "logs" / "output.log").read_bytes() == b"up\ndone\n"


def test_a_training_whose_supervisor_was_killed_runs_on_and_is_then_lost(
    place: Place, waiting: Path, gate: Path
) -> None:
    command, record, folder = started(place, waiting)
    os.kill(record["process"]["supervisor"], signal.SIGKILL)
    assert state(place)["state"] == "running"
    gate.touch()
    assert reap(command) == 1
    end = state(place)
    assert (end["state"], end["exit"]["code"], end["exit"]["reason"]) == ("lost", None, "lost")
    assert (folder / "logs" / "output.log").read_bytes() == b"up\ndone\n"


def test_a_training_killed_by_hand_is_told_apart(place: Place, waiting: Path) -> None:
    command, record, _ = started(place, waiting)
    os.kill(record["process"]["training"], signal.SIGKILL)
    assert reap(command) == 1
    end = state(place)["exit"]
    assert (end["code"], end["signal"], end["reason"]) == (137, "SIGKILL", "signal")


def test_ctrl_c_stops_the_training_and_leaves_no_orphan(place: Place, waiting: Path) -> None:
    command, record, _ = started(place, waiting)
    command.send_signal(signal.SIGINT)
    assert reap(command) == 130
    end = state(place)
    assert (end["state"], end["exit"]["reason"]) == ("stopped", "stopped")
    assert not Path(f"/proc/{record['process']['training']}").exists()


STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    time.sleep(60)
"""


def test_a_second_ctrl_c_kills_what_will_not_stop(place: Place) -> None:
    command, record, folder = started(place, place.project("stubborn", STUBBORN))
    command.send_signal(signal.SIGINT)
    until((folder / "stop.json").exists)
    command.send_signal(signal.SIGINT)
    assert reap(command) == 130
    assert state(place)["exit"]["signal"] == "SIGKILL"
    assert not Path(f"/proc/{record['process']['training']}").exists()


def test_stop_works_although_the_supervisor_was_killed(place: Place, waiting: Path) -> None:
    command, record, _ = started(place, waiting)
    os.kill(record["process"]["supervisor"], signal.SIGKILL)
    assert place("stop", "@last").code == 0
    assert reap(command) == 130
    assert state(place)["state"] == "stopped"


def test_stopping_a_run_that_is_over_is_refused(place: Place) -> None:
    place.run(place.project("quick", "print('hi')"))
    answer = place("stop", "@last")
    assert answer.code == 2
    assert "it is completed" in answer.stderr


def test_a_detached_run_is_finished_by_its_supervisor_alone(
    place: Place, waiting: Path, gate: Path
) -> None:
    answer = place("run", waiting, "--engine", "venv", "--detach", "--json")
    record = Path(answer.json["folder"]) / "run.json"
    gate.touch()
    end = until(lambda: (found := json.loads(record.read_text()))["state"] == "failed" and found)
    assert end["exit"]["code"] == 3


def test_logs_follow_until_the_end(place: Place, waiting: Path, gate: Path) -> None:
    command, _, _ = started(place, waiting)
    follower = place.start("logs", "-f", "@last")
    gate.touch()
    out, _ = follower.communicate(timeout=60)
    assert out == b"up\ndone\n"
    assert follower.returncode == 0
    reap(command)


@pytest.mark.parametrize(
    ("script", "reason", "message"),
    [
        ("raise SystemExit(7)", "exit-code", "exit code 7"),
        ("raise ValueError('bad shape')", "python-error", "ValueError: bad shape"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal", "killed by SIGSEGV"),
        ("bytearray(1 << 60)", "out-of-memory", "out of memory"),
    ],
)
def test_the_ways_to_fail_are_told_apart(
    place: Place, script: str, reason: str, message: str
) -> None:
    end = place.run(place.project("fails", script))
    assert end["state"] == "failed"
    assert end["exit"]["reason"] == reason
    assert end["exit"]["message"].startswith(message)
    assert end["answer"].code == 1


def test_a_command_that_is_not_there_is_said_so(place: Place) -> None:
    end = place.run(place.project("absent", "", run="no-such-program --x"))
    assert (end["exit"]["code"], end["exit"]["reason"]) == (127, "cannot-start")
    assert "no-such-program" in end["exit"]["message"]


def test_what_a_training_leaves_running_is_ended_with_it(place: Place, tmp_path: Path) -> None:
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("outputs/pid", "w").write(str(child.pid))
"""
    record = place.run(place.project("leaves", script))
    assert record["state"] == "completed"
    pid = (record["folder"] / "outputs" / "pid").read_text()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_stop_is_recorded_as_the_signal_that_was_asked_for(place: Place, waiting: Path) -> None:
    command, _, _ = started(place, waiting)
    command.send_signal(signal.SIGINT)
    assert reap(command) == 130
    end = state(place)["exit"]
    assert (end["signal"], end["message"]) == ("SIGINT", "stopped by SIGINT")


def test_a_training_started_where_interrupts_are_ignored_can_still_be_interrupted(
    place: Place, waiting: Path
) -> None:
    # What a shell does to each command that it starts with `&`.
    argv = [sys.executable, "-m", "reprokit", "run", str(waiting), "--engine", "venv", "--detach"]
    shell = f"trap '' INT; exec {shlex.join(argv)}"
    subprocess.run(["sh", "-c", shell], cwd=place.root, check=True, capture_output=True)
    assert place("stop", "@last").code == 0
    assert state(place)["exit"]["signal"] == "SIGINT"


def test_a_plain_exit_above_128_is_no_signal(place: Place) -> None:
    end = place.run(place.project("high", "raise SystemExit(139)"))["exit"]
    assert (end["code"], end["signal"], end["reason"]) == (139, None, "exit-code")


def test_a_training_that_deletes_its_run_folder_leaves_a_record(place: Place) -> None:
    script = """
import os, shutil
shutil.rmtree(os.environ["REPROKIT_RUN_DIR"])
raise SystemExit(5)
"""
    record = place.run(place.project("vandal", script))
    assert (record["state"], record["exit"]["code"]) == ("failed", 5)
    assert state(place)["state"] == "failed"
