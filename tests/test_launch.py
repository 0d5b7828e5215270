"""From a config to a training on its way: nothing half-made is ever visible, whenever the command dies."""

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reprokit import launch
from reprokit.errors import ConfigError, MachineError, ReproKitError
from reprokit.layout import RunPaths
from reprokit.runs import schema, store
from reprokit.runs.listing import list_runs
from reprokit.workspace import Workspace, find
from tests.conftest import Place, git
from tests.engines.watching import WAITS, printed, refs, run_folders, start, until

KILLS = 15
# How long a command lives when nobody kills it, and a little more: seconds.
LIFE_S = 0.4


class Silent:
    """A watcher that nobody looks at."""

    terminal = False

    def notice(self, text: str) -> None:
        pass

    def building(self, line: str) -> None:
        pass

    def output(self, data: bytes) -> None:
        pass

    def progress(self, state: object) -> None:
        pass


def workspace(place: Place) -> Workspace:
    """The workspace, as the library sees it."""
    return find(place.root)


def test_a_run_that_was_only_prepared_vanishes_without_a_trace(place: Place) -> None:
    request = launch.Request(place.project("p", "print('hi')"), engine="venv")
    with launch.ready(workspace(place), request, Silent()) as ready:
        assert ready.hidden.root.name.startswith(".new-")
        assert list_runs(place.root / "runs") == []
        assert refs(place) == [ready.record.id]
    assert run_folders(place) == refs(place) == []


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"data": {"d": {"path": "missing"}}}, ReproKitError),
        ({"env": ["NEVER_SET_ANYWHERE"]}, ConfigError),
        ({"env": ["PATH"]}, ConfigError),
        ({"resources": {"gpus": 1}}, MachineError),
        ({"stack": "none"}, ReproKitError),
    ],
)
def test_what_stands_in_the_way_leaves_nothing_behind(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, object],
    error: type[ReproKitError],
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    path = place.project("p", "", **config)
    request = launch.Request(path, engine="venv")
    with pytest.raises(error), launch.ready(workspace(place), request, Silent()):
        pytest.fail("it was ready")
    assert run_folders(place) == refs(place) == []


def test_an_override_is_part_of_the_record_and_not_of_the_source(place: Place) -> None:
    config = place.project(
        "p", "import sys; print(sys.argv[1])", run="python train.py {params.lr}", params={"lr": 1}
    )
    before = config.read_bytes()
    record = place.run(config, "-o", "params.lr=0.5", "--seed", "9")
    assert printed(record) == b"0.5\n"
    plan = json.loads((record["folder"] / "plan.json").read_text())
    assert (plan["params"], plan["seed"]) == ({"lr": 0.5}, 9)
    assert "0.5" in (record["folder"] / "config.yaml").read_text()
    assert config.read_bytes() == before


def test_a_workspace_inside_a_repository_runs_from_the_repositorys_files(
    place: Place, tmp_path: Path
) -> None:
    script = "print(open('../../../shared.txt').read(), open('../../data/x').read())"
    inner = tmp_path / "outer" / "inner"
    inner.parent.mkdir()
    place.root.rename(inner)
    git(inner.parent, "init", "-q")
    (inner / ".git").rename(tmp_path / "old")
    (inner.parent / "shared.txt").write_text("shared")
    (inner / "data").mkdir()
    (inner / "data" / "x").write_text("datum")
    moved = Place(inner)
    config = moved.project("p", script, data={"d": {"path": "../../data"}})
    record = moved.run(config)
    assert printed(record) == b"shared datum\n"
    line = moved("run", config, "--engine", "venv", "--dry-run", "--json").json["command"]
    assert line[line.index("-C") + 1] == str(config.parent)


def test_a_workspace_without_git_runs_too(place: Place) -> None:
    import shutil

    shutil.rmtree(place.root / ".git")
    record = place.run(place.project("p", "print('hi')"))
    assert printed(record) == b"hi\n"
    assert (record["folder"] / "source.tar").is_file()
    assert (
        place("run", place.root / "projects/p/config.yaml", "--engine", "venv", "--dry-run").code
        == 0
    )


def processes_in(folder: Path) -> list[int]:
    """Processes that work below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                cwd = os.readlink(entry / "cwd")
            except OSError:
                continue
            if cwd.startswith(str(folder)):
                found.append(int(entry.name))
    return found


def settled_truth(place: Place) -> dict[str, tuple[str, int | None]]:
    """Every run's state and exit code, by the command line; each record sound and each file whole."""
    answer = place("runs", "-n", "1000", "--json")
    assert answer.code == 0, answer.stderr
    for run in answer.json["runs"]:
        assert "broken" not in run, run
        schema.validate({k: v for k, v in run.items() if k != "unsettled"}, where=run["id"])
    for path in place.root.glob("runs/*/2*/*.json"):
        json.loads(path.read_bytes())
    return {
        run["id"]: (run["state"], (run["exit"] or {}).get("code")) for run in answer.json["runs"]
    }


@pytest.mark.slow
def test_a_command_killed_at_any_moment_leaves_the_truth(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    config = place.project("dies", "import time; time.sleep(0.1); raise SystemExit(3)")
    place("build", config, "--engine", "venv")
    moments = random.Random(16)
    for _ in range(KILLS):
        command = place.start("run", config, "--engine", "venv", start_new_session=True)
        time.sleep(moments.uniform(0, LIFE_S))
        os.killpg(command.pid, signal.SIGKILL)
        command.communicate(timeout=60)
        settled_truth(place)
    until(lambda: not processes_in(place.root))
    truth = settled_truth(place)
    assert set(truth.values()) <= {("failed", 3), ("lost", None)}
    # A lost run is one whose command died in the few milliseconds between showing it and starting it.
    assert sum(state == "lost" for state, _ in truth.values()) <= 3
    assert all((place.root / "runs" / "dies" / run / "logs").is_dir() for run in truth)
    for path in (place.root / "runs" / "dies").iterdir():
        if path.name.startswith(store.UNFINISHED):
            os.utime(path, (0, 0))
    assert place.run(config)["exit"]["code"] == 3
    assert not [name for name in run_folders(place) if name.startswith(".")]
    assert sorted(refs(place)) == sorted(settled_truth(place))
    assert not list((tmp_path / "tmp").glob("reprokit-*"))


@pytest.mark.slow
def test_a_supervisor_killed_at_any_moment_leaves_the_truth(place: Place) -> None:
    config = place.project("dies", "import time; time.sleep(0.1); raise SystemExit(3)")
    place("build", config, "--engine", "venv")
    moments = random.Random(61)
    for _ in range(KILLS):
        answer = place("run", config, "--engine", "venv", "--detach", "--json")
        paths = RunPaths(Path(answer.json["folder"]))
        who = until(lambda paths=paths: store.read_raw(paths).get("process"))
        time.sleep(moments.uniform(0, 0.15))
        with suppress(ProcessLookupError):
            os.kill(who["supervisor"], signal.SIGKILL)
        settled_truth(place)
    until(lambda: not processes_in(place.root))
    truth = settled_truth(place)
    assert len(truth) == KILLS
    assert set(truth.values()) <= {("failed", 3), ("lost", None)}
    assert ("lost", None) in truth.values()
    assert not list(place.root.glob("runs/dies/2*/work"))


@pytest.mark.parametrize("engine", ["venv", pytest.param("docker", marks=pytest.mark.docker)])
def test_ctrl_c_in_the_first_moment_of_a_run_stops_it(place: Place, engine: str) -> None:
    config = place.project("boxed", WAITS)
    place("build", config, "--engine", engine)
    command = place.start("run", config, "--engine", engine, start_new_session=True)
    until(lambda: list(place.root.glob("runs/boxed/2*/run.json")))
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=60)
    assert command.returncode == 130, err
    assert b"Traceback" not in err
    (run,) = place("runs", "--json").json["runs"]
    assert run["state"] == "stopped"
    assert not processes_in(place.root)


def test_a_death_between_showing_and_starting_a_run_is_told_as_never_launched(place: Place) -> None:
    request = launch.Request(place.project("p", "print('hi')"), engine="venv")
    with launch.ready(workspace(place), request, Silent()) as ready:
        store.publish(ready.hidden)
    (run,) = place("runs", "--json").json["runs"]
    assert (run["state"], run["exit"]["reason"]) == ("lost", "not-launched")
    assert run_folders(place) == refs(place) == [run["id"]]


def test_a_whole_group_killed_with_its_supervisor_is_lost_at_once(place: Place) -> None:
    run = start(place, place.project("p", WAITS), engine="venv")
    who = run.record["process"]
    for number in (run.command.pid, who["supervisor"], who["training"]):
        os.kill(number, signal.SIGKILL)
    run.command.communicate(timeout=60)
    until(lambda: run.told()["state"] == "lost")
    assert "supervisor was killed" in run.told()["exit"]["message"]


def test_a_stranger_with_the_pid_of_a_dead_supervisor_is_left_alone(place: Place) -> None:
    run = start(place, place.project("p", WAITS), engine="venv")
    who = run.record["process"]
    for number in (run.command.pid, who["supervisor"], who["training"]):
        os.kill(number, signal.SIGKILL)
    run.command.communicate(timeout=60)
    paths = RunPaths(run.folder)
    from reprokit import files
    from reprokit.engines.venv import VenvEngine

    # As if the PIDs had been given to this very process.
    stranger = {**who, "supervisor": os.getpid(), "training": os.getpid()}
    files.write_json(paths.record, {**run.record, "process": stranger})
    VenvEngine().stop({}, paths, now=True)
    assert run.told()["state"] == "lost"
