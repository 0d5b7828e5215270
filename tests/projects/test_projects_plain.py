import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import reprokit

SCRIPT = Path(reprokit.__file__).parent.parent / "projects" / "plain" / "train.py"


def train(folder: Path) -> list[float]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, "--lr", "0.02", "--epochs", "3"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        float(loss) for loss in re.findall(r"^epoch \d+ loss (\S+)$", done.stdout, re.MULTILINE)
    ]


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float], list[float]]:
    folder = tmp_path_factory.mktemp("plain")
    return folder, train(folder / "one"), train(folder / "two")


def test_it_knows_nothing_of_reprokit_or_seeds() -> None:
    code = SCRIPT.read_text().partition('"""\n')[2]
    assert not re.search("reprokit|seed", code, re.IGNORECASE)


def test_it_learns_and_saves_its_model_beside_itself(
    losses: tuple[Path, list[float], list[float]],
) -> None:
    folder, one, _ = losses
    assert len(one) == 3
    assert one[-1] < one[0]
    assert torch.load(folder / "one" / "checkpoints" / "model.pt", weights_only=True)


def test_it_differs_from_run_to_run_when_nothing_seeds_it(
    losses: tuple[Path, list[float], list[float]],
) -> None:
    _, one, two = losses
    assert one != two
