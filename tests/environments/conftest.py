"""The wheelhouse of tests/stacks, for environments."""

from tests.stacks.wheelhouse import wheelhouse

__all__ = ["wheelhouse"]
