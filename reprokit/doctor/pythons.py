"""Check `python`: are the Python versions here that the workspace's stacks name?"""

import sys
from collections.abc import Mapping
from pathlib import Path

from reprokit.doctor.model import Context, Finding
from reprokit.errors import ReproKitError
from reprokit.stacks.model import load_stack
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.uvtool import run_uv
from reprokit.workspace import Workspace

NAME = "python"
TITLE = "Python versions"

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(context: Context) -> Finding:
    """Ask uv for each Python that a stack names and that is not our own."""
    if context.workspace is None:
        return Finding("skip", "no workspace here")
    wanted = named(context.workspace)
    return decide(wanted, {version: find(version, context.workspace.root) for version in wanted})


def decide(wanted: Mapping[str, list[str]], found: Mapping[str, str | None]) -> Finding:
    """A Python that is missing is no failure: images bring their own, and uv can fetch one.

    Args:
        wanted: version -> the stacks that name it.
        found: version -> the interpreter for it, or null.
    """
    if not wanted:
        return Finding("skip", "no stack names one")
    details = tuple(f"{version}: {found[version] or 'missing'}" for version in wanted)
    missing = [version for version in wanted if found[version] is None]
    if not missing:
        return Finding("ok", ", ".join(wanted), None, details)
    stacks = ", ".join(name for version in missing for name in wanted[version])
    return Finding(
        "warn",
        f"Python {', '.join(missing)} is not here, for {stacks} without Docker: "
        "uv fetches it when it is first needed",
        f"`uv python install {' '.join(missing)}`, as long as there is a network",
        details,
    )


def named(workspace: Workspace) -> dict[str, list[str]]:
    """The Python versions of all stacks that can be read; check `workspace` tells of the others."""
    versions: dict[str, list[str]] = {}
    for path in sorted(workspace.stacks.glob("*/stack.yaml")):
        try:
            stack = load_stack(workspace.root, path.parent.name)
        except ReproKitError:
            continue
        versions.setdefault(stack.python, []).append(stack.name)
    return versions


def find(version: str, cwd: Path) -> str | None:
    """The interpreter that environments with this Python are made with; never downloads one."""
    if version == OURS:
        return sys.executable
    done = run_uv(["python", "find", "--no-project", version], PackageSettings(), cwd=cwd)
    return done.text.strip() or None if done.code == 0 else None
