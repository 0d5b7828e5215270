"""What tests of the checks share: programs that stand in for real ones, contexts, a repository with runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reprokit.doctor.engine_facts import Engine, EngineFacts
from reprokit.doctor.gpu_facts import GpuFacts
from reprokit.doctor.model import Context
from reprokit.workspace import Workspace, find
from tests.conftest import git

SOCKET = "unix:///var/run/docker.sock"
ENGINE = Engine("28.5.2", "1.51", storage="overlayfs", runtimes=("runc",), devices=())


def context(
    workspace: Workspace | None = None,
    *,
    engine: Engine | None = ENGINE,
    gpus: GpuFacts | None = None,
    endpoint: str = SOCKET,
) -> Context:
    """A context with a good engine and no GPU, but for what is said."""
    return Context(workspace, EngineFacts(endpoint, engine=engine), gpus or GpuFacts("no-library"))


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes PATH hold stand-ins for programs, and nothing else: name -> shell script."""

    def make(**scripts: str) -> None:
        folder = tmp_path / "stand-ins"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


@pytest.fixture
def lab(tmp_path: Path) -> Workspace:
    """A workspace in a repository, with one commit and no runs."""
    root = tmp_path / "lab"
    root.mkdir()
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    (root / "reprokit.yaml").write_text("store: runs\n")
    (root / ".gitignore").write_text("/runs/\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return find(root)


def reference(workspace: Workspace, run_id: str) -> str:
    """Store HEAD as the source of a run; the whole reference."""
    name = f"refs/reprokit/runs/{run_id}"
    git(workspace.root, "update-ref", name, "HEAD")
    return name


def hidden_run(store: Path, run_id: str, *, age_s: float = 3600) -> Path:
    """The folder that a command leaves when it is killed while it prepares a run."""
    folder = store / "digits" / f".new-{run_id}"
    (folder / "work").mkdir(parents=True)
    (folder / "run.lock").touch()
    os.utime(folder, (time.time() - age_s,) * 2)
    return folder
