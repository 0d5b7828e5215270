"""Real interpreters and a real kit for the tests of what runs inside an environment."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inside.trainings import PACKAGE, Training


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit as docs/architecture.md describes it."""
    folder = tmp_path_factory.mktemp("kit")
    (folder / "reprokit").mkdir()
    shutil.copy(PACKAGE / "__init__.py", folder / "reprokit")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE / "inside", folder / "reprokit" / "inside", ignore=ignore)
    shutil.copy(PACKAGE / "inside" / "site" / "sitecustomize.py", folder)
    return folder


@pytest.fixture
def training(kit: Path, tmp_path: Path) -> Training:
    """A place to run trainings in, seed 42, strict."""
    return Training(kit, tmp_path)


@pytest.fixture
def venv(tmp_path: Path) -> Callable[..., Path]:
    """Makes real virtual environments without any package; hands back their Python."""

    def make(*options: str, name: str = "venv") -> Path:
        command = [sys.executable, "-m", "venv", "--without-pip", *options, str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
        return tmp_path / name / "bin" / "python"

    return make
