"""What all tests share: which real parts are required, a store of environments, small workspaces."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a real part that is not here, unless REPROKIT_REQUIRE names it: then it must pass."""
    required = os.environ.get("REPROKIT_REQUIRE", "").split(",")
    missing = {name: reason for name, look in PARTS.items() if (reason := look())}
    for item in items:
        for name, reason in missing.items():
            if name not in required and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test of a required part that skips itself, for whatever reason, has failed."""
    report = yield
    required = os.environ.get("REPROKIT_REQUIRE", "").split(",")
    if report.skipped and any(name and item.get_closest_marker(name) for name in required):
        report.outcome = "failed"
        report.longrepr = f"skipped although its part is required: {report.longrepr}"
    return report


def _docker_is_missing() -> str | None:
    from reprokit.environments.engine_api import engine_trouble

    trouble = engine_trouble()
    return trouble.reason if trouble else None


def _gpu_is_missing() -> str | None:
    from reprokit.engines.venv import count_gpus

    return None if count_gpus() else "no NVIDIA GPU"


PARTS: dict[str, Callable[[], str | None]] = {"docker": _docker_is_missing, "gpu": _gpu_is_missing}


def compiler() -> str:
    """The C compiler, for the stand-in of the driver's library. Without one: a skip, or a failure if required."""
    found = shutil.which("cc")
    if found is None:
        reason = "no C compiler (`cc`) to build the stand-in of the driver's library with"
        if "cc" in os.environ.get("REPROKIT_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store of environments for the whole session, shared by all its workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return Path(os.environ.get("REPROKIT_TEST_HOME", shared / "reprokit-home"))


@pytest.fixture(autouse=True)
def _own_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own store."""
    monkeypatch.setenv("REPROKIT_HOME", str(shared_home))


@dataclass(frozen=True)
class Answer:
    """What a command of ours said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Place:
    """A small workspace in a git repository, and the command line in it."""

    root: Path

    def project(self, name: str, script: str, **config: Any) -> Path:
        """Write a project around one `train.py`; returns the path of its config."""
        folder = self.root / "projects" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.py").write_text(script)
        settings = {"project": name, "stack": "cpu", "run": "python train.py", **config}
        path = folder / "config.yaml"
        path.write_text(json.dumps(settings, indent=1))
        return path

    def start(self, *words: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
        """Start `reprokit WORDS` here."""
        argv = [sys.executable, "-m", "reprokit", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=self.root, stdout=pipe, stderr=pipe, **options)

    def __call__(self, *words: str | Path, **options: Any) -> Answer:
        """Run `reprokit WORDS` here to its end."""
        with self.start(*words, **options) as child:
            out, err = child.communicate(timeout=300)
        return Answer(child.returncode, out.decode(), err.decode())

    def run(self, config: Path, *words: str, engine: str = "venv") -> dict[str, Any]:
        """Run a project and return its record."""
        answer = self("run", config, "--engine", engine, "--json", *words)
        return {**answer.json["run"], "folder": Path(answer.json["folder"]), "answer": answer}


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, as a user with a name."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty workspace on the real `cpu` stack, committed."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    root = tmp_path / "lab"
    shutil.copytree(REPOSITORY / "envs" / "cpu", root / "envs" / "cpu")
    (root / ".gitignore").write_text("/runs/\n")
    git(root.parent, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return Place(root)
