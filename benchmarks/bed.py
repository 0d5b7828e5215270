"""What is measured: ReproKit as a user installs it, a workspace of its own, and the peer beside it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# The last setuptools with `pkg_resources`, which Sacred still imports.
SACRED = ("sacred", "setuptools<81")

CONFIG = """\
project: noop
stack: cpu
run: python -c pass
"""

SACRED_SCRIPT = """\
from sacred import Experiment
from sacred.observers import FileStorageObserver

ex = Experiment("noop", save_git_info=True)
ex.observers.append(FileStorageObserver("sacred_runs"))

@ex.automain
def main():
    pass
"""


@dataclass(frozen=True)
class Bed:
    """A temporary folder with everything in it; what is costly is made when it is first asked for."""

    root: Path

    @cached_property
    def python(self) -> Path:
        """The interpreter of a virtual environment in which this tree is installed as a wheel."""
        return _environment(self.root / "ours", str(REPOSITORY))

    @cached_property
    def reprokit(self) -> Path:
        """The console script of that installation."""
        return self.python.with_name("reprokit")

    @cached_property
    def sacred(self) -> Path:
        """The interpreter of an environment with Sacred and nothing else."""
        return _environment(self.root / "sacred", *SACRED)

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment of every command: the user's, with a store of our own, and byte code."""
        ours = {"REPROKIT_HOME": str(self.root / "home")}
        left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if name not in left_out} | ours

    @cached_property
    def workspace(self) -> Path:
        """A git repository with the stack `cpu`, a project that does nothing and Sacred's script, committed."""
        lab = self.root / "lab"
        shutil.copytree(REPOSITORY / "envs" / "cpu", lab / "envs" / "cpu")
        (lab / "projects" / "noop").mkdir(parents=True)
        self.config(lab).write_text(CONFIG)
        (lab / "noop.py").write_text(SACRED_SCRIPT)
        (lab / ".gitignore").write_text("/runs/\n/sacred_runs/\n")
        who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "start")):
            _call("git", *words, cwd=lab)
        return lab

    def config(self, lab: Path | None = None) -> Path:
        """The config of the project that does nothing."""
        return (lab or self.workspace) / "projects" / "noop" / "config.yaml"

    def run(self, engine: str, *words: str) -> list[str | Path]:
        """The command that runs that project."""
        return [self.reprokit, "run", self.config(), "--engine", engine, *words]

    def call(self, *words: str | Path) -> str:
        """Run a command in the workspace; its standard output."""
        return _call(*words, cwd=self.workspace, env=self.env)


def docker_answers() -> bool:
    """Whether there is a Docker engine to measure against."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


@contextmanager
def made() -> Iterator[Bed]:
    """A bed that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="reprokit-bench-") as folder:
        yield Bed(Path(folder).resolve())


def alone(benchmark: Callable[[Bed], bool]) -> None:
    """Run one benchmark as a program."""
    with made() as bed:
        sys.exit(0 if benchmark(bed) else 1)


def _environment(folder: Path, *requirements: str) -> Path:
    """A fresh virtual environment, filled by pip (with the user's own settings), byte code included."""
    print(f"installing {' '.join(requirements)} ...", file=sys.stderr)
    _call(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    _call(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements)
    return python


def _call(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"`{' '.join(map(str, words))}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout
