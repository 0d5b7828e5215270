"""Check `uv`: is it the uv that ReproKit was made for, and can it link packages out of its cache?"""

import errno
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprokit import layout
from reprokit.doctor.model import Context, Finding
from reprokit.stacks.pipconfig import PackageSettings
from reprokit.stacks.uvtool import run_uv, uv_program, uv_version

NAME = "uv"
TITLE = "uv"

# As in pyproject.toml, which a test compares: a minor version may change what locks say.
SUPPORTED = ">=0.13.8,<0.14"
INSTALL = f"`python -m pip install 'uv{SUPPORTED}'` in ReproKit's environment"


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        version: of the uv beside ReproKit.
        cache: uv's cache.
        store: where environments are made.
        link: what stopped a hard link from one to the other: the number of the error; null where it worked.
        closed: the folder that cannot be written, if one cannot.
    """

    version: str
    cache: Path
    store: Path
    link: int | None = None
    closed: Path | None = None


def run(context: Context) -> Finding:  # noqa: ARG001 - every check is called so
    """Ask uv, and try a hard link from its cache to the store of environments."""
    return decide(observe())


def decide(seen: Observed) -> Finding:
    """Linked packages cost no time and no space; copied ones work as well."""
    from packaging.specifiers import SpecifierSet

    name = f"uv {seen.version}"
    where = (f"cache: {seen.cache}", f"environments: {seen.store}")
    if not SpecifierSet(SUPPORTED).contains(seen.version, prereleases=True):
        return Finding(
            "fail", f"{name} is not one of {SUPPORTED}, which locks are made with", INSTALL
        )
    if seen.closed is not None:
        return Finding(
            "fail",
            f"{name}; {seen.closed} cannot be written",
            "set REPROKIT_HOME and UV_CACHE_DIR to folders of yours",
            where,
        )
    if seen.link is not None:
        cause = (
            "they are on different file systems"
            if seen.link == errno.EXDEV
            else os.strerror(seen.link).lower()
        )
        return Finding(
            "warn",
            f"{name}; packages are copied out of its cache, not linked: {cause}",
            "set UV_CACHE_DIR and REPROKIT_HOME to folders on one file system that has hard links",
            where,
        )
    return Finding("ok", f"{name}; packages are linked out of its cache", None, where)


def observe() -> Observed:
    """Ask uv where its cache is; try a link with an empty file that is gone at once.

    Raises:
        MachineError: there is no uv, or no home folder.
    """
    uv_program()
    said = run_uv(["cache", "dir"], PackageSettings(), cwd=Path.cwd())
    cache, store = Path(said.text.strip()), layout.home()
    link, closed = try_link(_nearest(cache), _nearest(store))
    return Observed(uv_version(), cache, store, link, closed)


def try_link(source: Path, target: Path) -> tuple[int | None, Path | None]:
    """Why a file of `source` cannot be linked into `target`: an error's number, or the folder that is closed."""
    for folder in (source, target):
        if not os.access(folder, os.W_OK | os.X_OK):
            return None, folder
    try:
        handle, name = tempfile.mkstemp(prefix=".reprokit-doctor-", dir=source)
    except OSError:
        return None, source
    os.close(handle)
    linked = target / (Path(name).name + "-link")
    try:
        os.link(name, linked)
    except OSError as error:
        return error.errno, None
    finally:
        for path in (linked, Path(name)):
            with suppress(OSError):
                path.unlink()
    return None, None


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_dir())
