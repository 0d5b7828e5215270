"""Fixtures for stacks: `wheelhouse`, and a workspace whose packages come from it."""

from pathlib import Path

import pytest

from tests.stacks.wheelhouse import make_wheel, wheelhouse

__all__ = ["wheelhouse"]

STACK = """\
# A stack made of stand-ins.
python: "3.11"
torch: "9.9.9"
variant: cpu
image: python:3.11-slim-bookworm
requirements: [numpy]
dev: [debugger]
"""


@pytest.fixture
def workspace(tmp_path: Path, wheelhouse: Path) -> Path:
    """A workspace with the stack `tiny` and the project `one`, nothing locked yet."""
    make_wheel(wheelhouse, "torch", "9.9.9+cpu", needs=("numpy",))
    make_wheel(wheelhouse, "numpy", "1.0")
    make_wheel(wheelhouse, "debugger", "3.0", needs=("numpy", "colours"))
    make_wheel(wheelhouse, "colours", "0.1")
    make_wheel(wheelhouse, "learn", "2.0", needs=("numpy", "job-lib>=1"))
    make_wheel(wheelhouse, "job-lib", "1.5")
    root = tmp_path / "workspace"
    (root / "envs" / "tiny").mkdir(parents=True)
    (root / "envs" / "tiny" / "stack.yaml").write_text(STACK)
    (root / "projects" / "one").mkdir(parents=True)
    (root / "projects" / "one" / "requirements.in").write_text("learn  # what it is about\n")
    return root
