"""The wheelhouse of tests/stacks, for environments."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "stacks"))

from wheelhouse import wheelhouse

__all__ = ["wheelhouse"]
