"""The tiny stack, removed again after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.tiny_stack import Tiny, make, remove


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    made = make(tmp_path)
    yield made
    remove(*made.made)
