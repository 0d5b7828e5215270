"""Real interpreters and a real kit for the tests of what runs inside an environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import reprokit
from reprokit.files import read_json

PACKAGE = Path(reprokit.__file__).parent
PROBE = PACKAGE / "inside" / "probe.py"


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


@dataclass
class Ended:
    """A training process that ended, and what the hook wrote about it and its children."""

    code: int
    out: str
    err: str
    observed: list[dict[str, Any]]


@dataclass
class Training:
    """Runs scripts as a run does: the kit on the path, the contract's variables, a run folder."""

    kit: Path
    folder: Path
    python: str = sys.executable
    seed: int = 42
    determinism: str = "strict"
    variables: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def run(self, *argv: str | Path, timeout: float = 120) -> Ended:
        """Run this Python with `argv` in a fresh run folder."""
        self.count += 1
        run_dir = self.folder / f"run{self.count}"
        run_dir.mkdir()
        done = subprocess.run(
            [self.python, *map(str, argv)],
            cwd=self.folder,
            env={**self.environment(run_dir), **self.variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        files = sorted((run_dir / "observed").glob("*.json"))
        return Ended(done.returncode, done.stdout, done.stderr, [read_json(f) for f in files])

    def environment(self, run_dir: Path) -> dict[str, str]:
        """The variables of a run."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.kit),
            "PYTHONHASHSEED": "0",
            "REPROKIT_RUN_DIR": str(run_dir),
            "REPROKIT_SEED": str(self.seed),
            "REPROKIT_DETERMINISM": self.determinism,
        }

    def script(self, text: str, name: str = "train.py") -> Path:
        """A script in the working folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


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


def site_packages(python: Path) -> Path:
    """The site-packages of a virtual environment."""
    (found,) = (python.parent.parent / "lib").glob("python3*/site-packages")
    return found
