"""The main job, as a newcomer runs it, and what its record must hold: observed in the run, not copied from the plan."""

import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import REPOSITORY, Place, git

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The repository as a newcomer has it: what git tracks or would add, in a folder of its own."""
    root = tmp_path_factory.mktemp("clone") / "reprokit"
    names = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    git(root.parent, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "clone")
    return Place(root)


@pytest.fixture(scope="module", params=["venv", pytest.param("docker", marks=pytest.mark.docker)])
def digits(clone: Place, shared_home: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The digits run of one engine, with every file of its record."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "REPROKIT_HOME": str(shared_home)}
    words = ["run", "projects/digits/config.yaml", "--engine", request.param, "--json"]
    answer = clone(*words, env=environment)
    assert answer.code == 0, answer.stderr
    folder = Path(answer.json["folder"])
    names = ("run", "plan", "snapshot", "source", "data")
    return {
        "folder": folder,
        "engine": request.param,
        **{name: json.loads((folder / f"{name}.json").read_text()) for name in names},
    }


def test_it_learns_the_digits(digits: dict[str, Any]) -> None:
    lines = (digits["folder"] / "metrics.jsonl").read_text().splitlines()
    test = [entry for entry in map(json.loads, lines) if entry["phase"] == "test"]
    assert test[-1]["accuracy"] >= 0.97
    assert sum(entry["phase"] == "validation" for entry in map(json.loads, lines)) == 10


def test_it_leaves_checkpoint_tensorboard_and_log(digits: dict[str, Any]) -> None:
    folder = digits["folder"]
    best = (folder / "checkpoints" / "best.pt").read_bytes()
    noted = (folder / "checkpoints" / "best.pt.sha256").read_text().split()[0]
    assert hashlib.sha256(best).hexdigest() == noted
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    assert b"test accuracy" in (folder / "logs" / "output.log").read_bytes()
    assert not (folder / "work").exists()


def test_every_file_belongs_to_the_caller(digits: dict[str, Any]) -> None:
    owners = {path.lstat().st_uid for path in digits["folder"].rglob("*")}
    assert owners == {os.getuid()}


def test_the_record_says_how_it_ended(digits: dict[str, Any]) -> None:
    run = digits["run"]
    assert run["state"] == "completed"
    assert run["exit"]["code"] == 0
    assert run["created"] <= run["started"] <= run["ended"]
    assert run["argv"] == ["python", "train.py"]
    assert run["engine"]["name"] == digits["engine"]
    assert run["usage"]["max_rss_bytes"] > 50_000_000


def test_the_snapshot_was_observed_in_the_environment(digits: dict[str, Any]) -> None:
    layers = digits["snapshot"]["layers"]
    assert layers["framework"]["torch"]["version"] == "2.13.0+cpu"
    installed = {item["name"]: item["version"] for item in layers["packages"]["distributions"]}
    assert installed["scikit-learn"]
    assert "reprokit-lab" not in installed
    kernel = layers["driver"]["kernel"]["release"]
    assert kernel == os.uname().release
    expected = (
        "/opt/venv" if digits["engine"] == "docker" else digits["run"]["environment"]["location"]
    )
    assert layers["python"]["prefix"] == expected


def test_the_packages_are_exactly_the_locked_ones(digits: dict[str, Any]) -> None:
    found = digits["snapshot"]["layers"]["packages"]["distributions"]
    lock = (digits["folder"] / "requirements.lock").read_text()
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    assert {item["name"].lower().replace("_", "-") for item in found} == locked


def test_the_training_itself_says_what_was_in_force(digits: dict[str, Any]) -> None:
    (seen,) = digits["snapshot"]["observed"]
    torch = seen["in_force"]["torch"]
    assert seen["in_force"]["python"]["hash_seed"] == "42"
    assert torch["initial_seed"] == 42
    assert torch["deterministic_algorithms"] == "error"
    assert torch["version"] == "2.13.0+cpu"


def test_the_record_pins_environment_and_code(digits: dict[str, Any], clone: Place) -> None:
    environment, source = digits["run"]["environment"], digits["source"]
    assert environment["id"] == digits["plan"]["environment"]
    if digits["engine"] == "docker":
        assert environment["digest"].startswith("sha256:")
        assert environment["base"].startswith("sha256:")
        assert "FROM" in (digits["folder"] / "Dockerfile").read_text()
    assert source["head"] == git(clone.root, "rev-parse", "HEAD").strip()
    assert source["dirty"] is False
    assert source["tree"] == git(clone.root, "rev-parse", "HEAD^{tree}").strip()
    assert set(digits["plan"]["locks"]) == {"stack", "project"}


def test_every_file_follows_its_published_schema(digits: dict[str, Any], clone: Place) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    schemas = clone("schema", env=environment).json["schemas"]
    for name in ("run", "plan", "snapshot", "source"):
        jsonschema.validate(digits[name], schemas[digits[name]["schema"]])


def test_show_tells_it_all(digits: dict[str, Any], clone: Place) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    shown = clone("show", digits["run"]["id"], env=environment)
    assert shown.code == 0
    for word in (
        "completed",
        "test accuracy",
        "2.13.0+cpu",
        "seed",
        digits["source"]["commit"][:12],
    ):
        assert word in shown.stdout


@pytest.mark.docker
def test_both_engines_train_the_same_weights(clone: Place, shared_home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "REPROKIT_HOME": str(shared_home)}
    digests = []
    for engine in ("venv", "docker"):
        words = ["run", "projects/digits/config.yaml", "--engine", engine, "--json"]
        answer = clone(*words, "-o", "params.epochs=2", env=environment)
        checkpoint = Path(answer.json["folder"]) / "checkpoints" / "best.pt"
        digests.append(hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_a_terminal_shows_a_bar_with_epoch_and_loss(clone: Place, shared_home: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "REPROKIT_HOME": str(shared_home),
        "TERM": "xterm",
    }
    environment.pop("NO_COLOR", None)
    leader, follower = pty.openpty()
    argv = [sys.executable, "-m", "reprokit", "run", "projects/digits/config.yaml"]
    with subprocess.Popen(
        [*argv, "--engine", "venv"],
        cwd=clone.root,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as command:
        os.close(follower)
        seen = _read_all(leader)
        assert command.wait() == 0
    assert b"epoch 2/10" in seen
    assert b"loss 0." in seen
    assert b"test accuracy" in seen


def _read_all(descriptor: int) -> bytes:
    """Everything that is written to a terminal until its last user closes it."""
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(descriptor)
    return b"".join(pieces)


def test_a_script_that_knows_nothing_of_us_is_seeded_from_outside(
    clone: Place, shared_home: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "REPROKIT_HOME": str(shared_home)}
    words = [
        "run",
        "projects/plain/config.yaml",
        "--engine",
        "venv",
        "--json",
        "-o",
        "params.epochs=3",
    ]
    logs = []
    for seed in (1, 1, 2):
        answer = clone(*words, "--seed", str(seed), env=environment)
        assert answer.code == 0, answer.stderr
        folder = Path(answer.json["folder"])
        logs.append((folder / "logs" / "output.log").read_bytes())
        argv = answer.json["run"]["argv"]
        assert argv[-2:] == ["--epochs", "3"]
        assert list((folder / "checkpoints").iterdir())
    assert logs[0] == logs[1] != logs[2]
