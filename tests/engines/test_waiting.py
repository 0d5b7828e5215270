"""The supervisor is started before there is an order: whatever happens until then leaves nothing behind."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from reprokit.engines.venv import _Waiting
from reprokit.errors import MachineError
from reprokit.layout import RunPaths
from reprokit.process import Child
from tests.conftest import Place
from tests.engines.watching import until

# Stands before git on PATH: says that it was asked for the files, then does what the test wants.
GIT = """#!/bin/sh
case " $* " in *" ls-files "*) touch "{asked}"; {then} ;; esac
exec "{git}" "$@"
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the runs of this test make their private folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def stand_before_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> Path:
    """Put such a git on PATH; the file that tells when it was asked."""
    real, asked = shutil.which("git"), tmp_path / "asked"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(GIT.format(asked=asked, then=then, git=real))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return asked


def supervisors(place: Place) -> list[int]:
    """The supervisors of this workspace's runs that live now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        order = next((word for word in words if word.endswith(b"/launch.json")), b"")
        if order.startswith(os.fsencode(place.root)):
            found.append(int(path.parent.name))
    return found


def ready_project(place: Place) -> Path:
    """A project whose environment is there."""
    config = place.project("noop", "pass")
    assert place.run(config)["state"] == "completed"
    return config


def test_a_command_killed_before_its_order_leaves_no_process_and_no_run(
    place: Place, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ready_project(place)
    asked = stand_before_git(tmp_path, monkeypatch, then="sleep 300")
    command = place.start("run", config, "--engine", "venv", start_new_session=True)
    until(asked.exists)
    assert len(until(lambda: supervisors(place))) == 1
    assert list(temporary.iterdir())
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=60)
    until(lambda: not supervisors(place))
    until(lambda: not list(temporary.iterdir()))
    assert len(place("runs", "--json").json["runs"]) == 1


def test_a_capture_that_fails_leaves_no_process_and_no_run(
    place: Place, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ready_project(place)
    stand_before_git(tmp_path, monkeypatch, then="echo 'fatal: no' >&2; exit 128")
    answer = place("run", config, "--engine", "venv")
    assert answer.code == 4
    assert answer.stderr.startswith("error[git-failed]")
    assert not supervisors(place)
    assert not list(temporary.iterdir())
    assert len(list((place.root / "runs" / "noop").iterdir())) == 1


def test_a_dry_run_starts_no_supervisor(
    place: Place, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ready_project(place)
    then = f'ls "{temporary}" > "{tmp_path}/private"'
    asked = stand_before_git(tmp_path, monkeypatch, then=then)
    assert place("run", config, "--engine", "venv", "--dry-run").code == 0
    assert asked.exists()
    assert (tmp_path / "private").read_text() == ""


def test_a_supervisor_that_did_not_come_up_is_said_so(tmp_path: Path) -> None:
    ear, word = os.pipe()
    os.close(ear)
    waiting = _Waiting(Child(0), word, tmp_path)
    with pytest.raises(MachineError) as error:
        waiting.go(RunPaths(tmp_path))
    assert error.value.code == "no-supervisor"
