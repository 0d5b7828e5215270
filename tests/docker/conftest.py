"""The tiny stack, removed again after each test."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.tiny_stack import Tiny, make


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    made = make(tmp_path)
    yield made
    for reference in set(made.made):
        subprocess.run(["docker", "image", "rm", "-f", reference], capture_output=True, check=False)
