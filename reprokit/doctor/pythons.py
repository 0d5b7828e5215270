"""Check `python`: are the Python versions here that the workspace's stacks name?"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from reprokit import process
from reprokit.doctor.model import Context, Finding
from reprokit.errors import MachineError, ReproKitError
from reprokit.stacks.model import load_stack
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.uvtool import run_uv
from reprokit.workspace import Workspace

NAME = "python"
TITLE = "Python versions"

PATIENCE_S = 5.0
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(context: Context) -> Finding:
    """Look for each Python that a stack names and that is not our own."""
    if context.workspace is None:
        return Finding("skip", "no workspace here")
    wanted = named(context.workspace)
    fetches = os.environ.get("UV_PYTHON_DOWNLOADS", "automatic") in ("automatic", "auto", "true")
    return decide(wanted, find_all(wanted, context.workspace.root), fetches=fetches)


def decide(
    wanted: Mapping[str, list[str]], found: Mapping[str, str | None], *, fetches: bool = True
) -> Finding:
    """A Python that is missing is no failure: images bring their own, and uv can fetch one.

    Args:
        wanted: version -> the stacks that name it.
        found: version -> the interpreter for it, or null.
        fetches: whether the user lets uv fetch interpreters.
    """
    if not wanted:
        return Finding("skip", "no stack names one")
    missing = [version for version in wanted if found[version] is None]
    details = tuple(
        f"{version}: {found[version] or 'not here'} ({', '.join(stacks)})"
        for version, stacks in wanted.items()
    )
    if not missing:
        return Finding("ok", ", ".join(wanted), None, details)
    comes = (
        "uv fetches it at the first build" if fetches else "UV_PYTHON_DOWNLOADS keeps uv from it"
    )
    return Finding(
        "warn",
        f"not here for builds without Docker: {', '.join(missing)} ({comes})",
        f"`uv python install {' '.join(missing)}` while there is a network",
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


def find_all(versions: Iterable[str], cwd: Path) -> dict[str, str | None]:
    """The interpreter for each version, all looked for at once."""
    from concurrent.futures import ThreadPoolExecutor

    wanted = list(versions)
    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip(wanted, pool.map(lambda version: find(version, cwd), wanted), strict=True))


def find(version: str, cwd: Path) -> str | None:
    """An interpreter that environments with this Python can be made with; never downloads one.

    `uv python find` tries every `python3` and `python` too, which takes 0.3 s a version with pyenv.
    """
    if version == OURS:
        return sys.executable
    return on_path(version, os.environ.get("PATH", "")) or _managed(version, cwd)


def on_path(version: str, path: str) -> str | None:
    """The first `pythonX.Y` of the search path that starts: pyenv has one for each version, active or not."""
    candidates = [Path(folder, f"python{version}") for folder in path.split(os.pathsep) if folder]
    return next((str(program) for program in candidates if _starts(program, version)), None)


def _starts(program: Path, version: str) -> bool:
    if not os.access(program, os.X_OK):
        return False
    try:
        said = process.run([program, "-V"], timeout=PATIENCE_S)
    except MachineError:
        return False
    return said.code == 0 and said.text.startswith(f"Python {version}.")


def _managed(version: str, cwd: Path) -> str | None:
    """The Python of this version that uv has fetched before."""
    words = ["python", "find", "--managed-python", "--no-project", version]
    done = run_uv(words, PackageSettings(), cwd=cwd)
    return done.text.strip() or None if done.code == 0 else None
