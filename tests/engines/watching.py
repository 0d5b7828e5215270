"""Trainings that wait for the test, and the commands that watch them."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Place
from tests.conftest import place as place_fixture

# Says that it runs, waits until the test puts a file into its outputs, and ends with code 3. A test that failed
# leaves no training behind for long.
WAITS = """
import os, time
go = os.path.join(os.environ["REPROKIT_RUN_DIR"], "outputs", "go")
print("up", flush=True)
for _ in range(12000):
    if os.path.exists(go):
        break
    time.sleep(0.01)
print("done", flush=True)
raise SystemExit(3)
"""


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    pytest.fail("it did not happen in time")


@dataclass(frozen=True)
class Started:
    """A command of ours whose training is up."""

    place: Place
    command: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """The record as it is on disk."""
        found = json.loads((self.folder / "run.json").read_text())
        assert isinstance(found, dict)
        return found

    @property
    def log(self) -> bytes:
        """What the training printed so far."""
        return (self.folder / "logs" / "output.log").read_bytes()

    def go(self) -> None:
        """Let the training go on."""
        (self.folder / "outputs" / "go").touch()

    def end(self) -> tuple[int, str, str]:
        """Wait for the command: exit code, standard output, standard error."""
        out, err = self.command.communicate(timeout=120)
        return self.command.returncode, out.decode(), err.decode()

    def told(self) -> dict[str, Any]:
        """The run as `reprokit runs` tells it."""
        found = self.place("runs", "--json").json["runs"]
        (mine,) = [run for run in found if run["id"] == self.folder.name]
        assert isinstance(mine, dict)
        return mine


@contextmanager
def lasting_place(folder: Path, home: Path) -> Iterator[Place]:
    """What the fixture `place` makes, for the tests of a whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPROKIT_HOME", str(home))
        make: Callable[[Path, pytest.MonkeyPatch], Place] = place_fixture.__wrapped__  # type: ignore[attr-defined]
        yield make(folder, patch)


def start(place: Place, config: Path, *words: str, engine: str) -> Started:
    """Start a run and wait until its training has printed `up`."""
    command = place.start("run", config, "--engine", engine, *words, start_new_session=True)

    def is_up() -> Path | None:
        for path in place.root.glob("runs/*/2*/run.json"):
            log = path.parent / "logs" / "output.log"
            if json.loads(path.read_text())["state"] == "running" and b"up" in log.read_bytes():
                return path.parent
        if command.poll() is not None:
            out, err = command.communicate()
            pytest.fail(f"the command ended with {command.returncode}: {out!r} {err.decode()}")
        return None

    return Started(place, command, until(is_up))


def printed(record: dict[str, Any]) -> bytes:
    """The log of a run that `Place.run` made."""
    folder: Path = record["folder"]
    return (folder / "logs" / "output.log").read_bytes()


def stored_bytes(place: Place, folder: Path) -> bytes:
    """Every byte that a run left: the files of its folder and all git objects."""
    objects = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"],
        cwd=place.root,
        capture_output=True,
        check=True,
    ).stdout
    return objects + b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def refs(place: Place) -> list[str]:
    """The sources that the repository keeps for runs."""
    done = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:lstrip=3)", "refs/reprokit"],
        cwd=place.root,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().split()


def run_folders(place: Place) -> list[str]:
    """Everything in the store, hidden folders included."""
    return [path.name for path in place.root.glob("runs/*/*")]
