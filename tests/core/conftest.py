"""A run to write into, and torch left as it was found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reprokit.core import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    folder.mkdir()
    return Run(folder=folder, managed=True)


@pytest.fixture
def torch_switches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what `seed_everything` sets for the whole process."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    before = (cudnn.benchmark, cudnn.deterministic)
    yield
    cudnn.benchmark, cudnn.deterministic = before
    torch.use_deterministic_algorithms(False)
