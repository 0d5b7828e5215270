import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import reprokit

PACKAGE = Path(reprokit.__file__).parent
PROJECT = PACKAGE.parent / "projects" / "digits"

pytestmark = pytest.mark.slow


@dataclass
class Digits:
    """A run of the project in a process of its own: where its code was, what it left."""

    code: Path
    run_dir: Path
    output: str = ""

    def script(self, name: str, params: str = "{}") -> "Digits":
        self.run_dir.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-W", "error", name],
            cwd=self.code,
            env={
                **os.environ,
                "PYTHONPATH": str(PACKAGE.parent),
                "PYTHONDONTWRITEBYTECODE": "1",
                "REPROKIT_RUN_DIR": str(self.run_dir),
                "REPROKIT_SEED": "42",
                "REPROKIT_DETERMINISM": "strict",
                "REPROKIT_PARAMS": params,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        return self

    def json(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.run_dir / name).read_text())
        return document

    def metrics(self) -> Sequence[dict[str, Any]]:
        lines = (self.run_dir / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def fresh(folder: Path) -> Digits:
    ignore = shutil.ignore_patterns("__pycache__", "outputs")
    shutil.copytree(PROJECT, folder / "code", ignore=ignore)
    return Digits(folder / "code", folder / "run")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    return fresh(tmp_path_factory.mktemp("digits")).script("train.py")


def test_it_reaches_97_percent_on_the_test_images(trained: Digits) -> None:
    assert trained.json("outputs/test.json")["accuracy"] >= 0.97
    assert trained.output.splitlines()[-1].startswith("test accuracy ")


def test_it_records_every_step_each_validation_and_the_test(trained: Digits) -> None:
    phases = [row["phase"] for row in trained.metrics()]
    assert phases.count("train") == 230
    assert phases.count("validation") == 10
    assert phases[-1] == "test"
    assert trained.json("progress.json")["step"] == 230
    assert list((trained.run_dir / "tensorboard").glob("events.out.tfevents.*"))


def test_it_writes_nothing_but_below_the_run_folder(trained: Digits) -> None:
    left = sorted(path.name for path in trained.code.iterdir())
    ignored = {"__pycache__", "outputs"}
    assert left == sorted(path.name for path in PROJECT.iterdir() if path.name not in ignored)


def test_a_second_process_with_the_same_seed_gets_the_same_weights_to_the_bit(
    trained: Digits, tmp_path: Path
) -> None:
    again = fresh(tmp_path).script("train.py")
    one, two = (run.run_dir / "checkpoints" / "best.pt.sha256" for run in (trained, again))
    assert one.read_text() == two.read_text()
    weights = [
        torch.load(run.run_dir / "checkpoints" / "best.pt", weights_only=True)["model"]
        for run in (trained, again)
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    losses = [[(row["step"], row["loss"]) for row in run.metrics()] for run in (trained, again)]
    assert losses[0] == losses[1]


def test_evaluation_needs_the_best_checkpoint_alone_and_agrees_with_the_test(
    trained: Digits, tmp_path: Path
) -> None:
    alone = fresh(tmp_path)
    shutil.copytree(trained.run_dir / "checkpoints", alone.run_dir / "checkpoints")
    (alone.run_dir / "checkpoints" / "last.pt").unlink()
    alone.script("evaluate.py")
    tested, found = trained.json("outputs/test.json"), alone.json("outputs/evaluation.json")
    assert {name: found[name] for name in tested} == tested
    with (alone.run_dir / "outputs" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert right / len(rows) == pytest.approx(tested["accuracy"])
    assert [int(row["row"]) for row in rows] == trained.json("outputs/split.json")["test"]
