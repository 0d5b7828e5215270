"""Which workspace and which run a command is about."""

from pathlib import Path
from typing import Any

from reprokit.layout import RunPaths
from reprokit.runs import store
from reprokit.runs.settle import settle
from reprokit.workspace import Workspace, find


def here(workspace: Path | None) -> Workspace:
    """The workspace that was named, else the one around the current folder."""
    return find(workspace or Path.cwd())


def settled(workspace: Path | None, name: str) -> tuple[RunPaths, dict[str, Any]]:
    """A run by name, and its record brought up to the truth."""
    paths = store.find(here(workspace).store, name)
    return paths, settle(paths)
