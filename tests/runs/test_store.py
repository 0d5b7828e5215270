"""The store of runs: ids that nobody shares, runs found by name, and damaged records that hide no other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reprokit.errors import ConfigError, IntegrityError, NotFoundError
from reprokit.layout import RunPaths
from reprokit.runs import store
from reprokit.runs.ids import new_run_id
from reprokit.runs.listing import list_runs
from tests.conftest import Place
from tests.engines.watching import lasting_place, refs, until

# Fifty processes that wait for one another, then take ids of which there are only sixty-odd.
FIFTY = """
import os, sys
from pathlib import Path
from reprokit.runs import ids, store
ids.ADJECTIVES = ids.ADJECTIVES[:1]
gate, opener = os.pipe()
for number in range(50):
    if os.fork() == 0:
        os.close(opener)
        os.read(gate, 1)
        run_id, paths = store.reserve(Path(sys.argv[1]), f"project-{number % 3}")
        paths.record.write_text(run_id)
        store.publish(paths)
        os._exit(0)
os.close(opener)
codes = [os.wait()[1] for _ in range(50)]
sys.exit(max(codes))
"""


def test_fifty_runs_at_once_have_fifty_ids(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FIFTY, tmp_path], check=True)
    found = list(store.all_runs(tmp_path))
    assert len({paths.root.name for paths in found}) == len(found) == 50
    assert all(paths.record.read_text() == paths.root.name for paths in found)
    assert not list(tmp_path.glob("*/.new-*"))


def test_ten_trainings_at_once_are_ten_runs_with_their_code(place: Place) -> None:
    config = place.project("quick", "print('hi')")
    place("build", config, "--engine", "venv")
    commands = [place.start("run", config, "--engine", "venv", "--detach", "-q") for _ in range(10)]
    ids = []
    for command in commands:
        out, err = command.communicate(timeout=120)
        assert command.returncode == 0, err
        ids.append(out.decode().strip())
    assert len(set(ids)) == 10
    done = until(lambda: _states(place) == ["completed"] * 10)
    assert done
    assert sorted(run["id"] for run in place("runs", "--json").json["runs"]) == sorted(ids)
    assert sorted(refs(place)) == sorted(ids)


def _states(place: Place) -> list[str]:
    return [run["state"] for run in place("runs", "--json").json["runs"]]


def test_an_id_says_when_and_two_words() -> None:
    assert new_run_id(0.0).startswith("19700101-000000-")
    assert len(new_run_id().split("-")) == 4


def test_a_reserved_run_is_not_listed_before_it_is_published(tmp_path: Path) -> None:
    run_id, hidden = store.reserve(tmp_path, "p")
    assert list(store.all_runs(tmp_path)) == []
    paths = store.publish(hidden)
    assert [found.root for found in store.all_runs(tmp_path)] == [paths.root]
    assert paths.root == tmp_path / "p" / run_id
    assert store.published(hidden) == paths


def test_what_a_dead_command_left_hidden_is_found_once_it_is_old(tmp_path: Path) -> None:
    from reprokit import files

    _, young = store.reserve(tmp_path, "p")
    _, old = store.reserve(tmp_path, "p")
    _, held = store.reserve(tmp_path, "p")
    with files.exclusive(held.lock):
        for paths in (old, held):
            os.utime(paths.root, (0, 0))
        assert [found.root for found in store.abandoned(tmp_path, "p")] == [old.root]
    assert store.abandoned(tmp_path, "none") == []
    assert young.root.exists()


def test_the_next_run_clears_away_what_a_dead_command_left(place: Place) -> None:
    config = place.project("quick", "")
    place.run(config)
    (ref,) = refs(place)
    _, hidden = store.reserve(place.root / "runs", "quick")
    left = store.hidden_id(hidden)
    subprocess.run(
        ["git", "update-ref", f"refs/reprokit/runs/{left}", "HEAD"], cwd=place.root, check=True
    )
    os.utime(hidden.root, (0, 0))
    place.run(config)
    assert not hidden.root.exists()
    assert left not in refs(place)
    assert ref in refs(place)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A store with three runs of two projects."""
    for name in (
        "a/20260101-000000-calm-fox",
        "a/20260102-000000-calm-owl",
        "b/20260103-000000-shy-fox",
    ):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("20260101-000000-calm-fox", "20260101-000000-calm-fox"),
        ("20260102", "20260102-000000-calm-owl"),
        ("shy-fox", "20260103-000000-shy-fox"),
        ("@last", "20260103-000000-shy-fox"),
    ],
)
def test_a_run_is_found_by_what_names_it_alone(three: Path, name: str, run_id: str) -> None:
    assert store.find(three, name).root.name == run_id


@pytest.mark.parametrize("name", ["2026", "fox", "calm-", "2"])
def test_a_name_of_several_runs_is_refused_with_candidates(three: Path, name: str) -> None:
    if name == "calm-":
        with pytest.raises(NotFoundError):
            store.find(three, name)
        return
    with pytest.raises(ConfigError, match="means") as caught:
        store.find(three, name)
    assert "calm-fox" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["", "nothing", "@first", "..", "20260101-000000-calm-foxx"])
def test_an_unknown_run_is_not_found(three: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.find(three, name)


def test_a_run_is_no_path(three: Path) -> None:
    with pytest.raises(ConfigError):
        store.find(three, "../a/20260101-000000-calm-fox")


def test_an_empty_or_missing_store_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == list_runs(tmp_path) == []
    with pytest.raises(NotFoundError):
        store.find(tmp_path / "none", "@last")


def _edit(**changes: Any) -> Any:
    return lambda record: json.dumps({**record, **changes})


# What happened to run.json -> the code of the error.
DAMAGES = {
    "empty": (lambda _: "", "bad-record"),
    "cut": (lambda record: json.dumps(record)[:-100], "bad-record"),
    "no object": (lambda _: "[]", "bad-record"),
    "no JSON": (lambda _: "\x00" * 100, "bad-record"),
    "deep": (lambda _: "[" * 100_000, "bad-record"),
    "the future": (_edit(schema="reprokit/run/2"), "unknown-schema"),
    "the past": (lambda record: json.dumps({k: v for k, v in record.items() if k != "schema"}), "unknown-schema"),
    "no state": (_edit(state=None), "bad-record"),
    "odd state": (_edit(state="sleeping"), "bad-record"),
    "odd engine": (_edit(engine="venv"), "bad-record"),
    "unknown engine": (_edit(engine={"name": "x", "reason": "", "handle": {}, "released": True}), None),
    "odd time": (_edit(started="yesterday"), "bad-record"),
    "odd exit": (_edit(exit="ok"), "bad-record"),
    "odd argv": (_edit(argv="python"), None),
}  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, shared_home: Path) -> dict[str, Any]:
    """The record of a real run, as it is on disk."""
    with lasting_place(tmp_path_factory.mktemp("one"), shared_home) as place:
        done = place.run(place.project("quick", "print('hi')"))
        return store.read_raw(RunPaths(done["folder"]))


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_record_is_marked_in_lists_and_hides_no_other(
    place: Place, record: dict[str, Any], damage: str
) -> None:
    change, code = DAMAGES[damage]
    runs = place.root / "runs" / "quick"
    good, bad = runs / record["id"], runs / "20990101-000000-bad-run"
    for folder in (good, bad):
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(record))
    (bad / "run.json").write_text(change({**record, "id": bad.name}))
    told = place("runs", "--json").json["runs"]
    assert [run["id"] for run in told] == [good.name, bad.name]
    assert told[0]["state"] == "completed"
    assert "broken" in told[1] or code is None
    listed = place("runs")
    assert listed.code == 0
    assert "Traceback" not in listed.stderr
    assert "unreadable" in listed.stdout or code is None
    shown = place("show", bad.name, "--json")
    assert shown.code == 5
    assert shown.json["error"]["code"] == (code or "bad-record")
    # It is evidence: nobody writes over it.
    assert (bad / "run.json").read_text() == change({**record, "id": bad.name})


def test_a_run_without_a_record_is_marked(place: Place) -> None:
    (place.root / "runs" / "quick" / "20990101-000000-bad-run").mkdir(parents=True)
    assert "broken" in place("runs", "--json").json["runs"][0]
    assert place("show", "@last").code == 5


def test_reading_a_record_of_the_future_says_what_to_do(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    paths.record.write_text(json.dumps({"schema": "reprokit/run/9"}))
    with pytest.raises(IntegrityError) as caught:
        store.read_raw(paths)
    assert "pip install -U" in str(caught.value.hint)
