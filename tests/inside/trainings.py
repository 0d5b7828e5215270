"""Running scripts as a run does, for the tests of this folder."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import reprokit
from reprokit.files import read_json

PACKAGE = Path(reprokit.__file__).parent
PROBE = PACKAGE / "inside" / "probe.py"


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


def site_packages(python: Path) -> Path:
    """The site-packages of a virtual environment."""
    (found,) = (python.parent.parent / "lib").glob("python3*/site-packages")
    return found


def interpreters() -> list[str]:
    """The Python of these tests, and every other one from 3.7 on that this machine has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    others = [str(path) for path in pyenv.glob("versions/3.*/bin/python")]
    others += [
        shutil.which(f"python3.{minor}", path="/usr/bin:/usr/local/bin") or ""
        for minor in range(7, 20)
    ]
    minor = {path: _minor(path) for path in others if path}
    return [sys.executable, *sorted(path for path in minor if minor[path] >= 7)]


def _minor(python: str) -> int:
    code = "import sys; print(sys.version_info[1])"
    return int(subprocess.run([python, "-c", code], capture_output=True, check=True).stdout)
