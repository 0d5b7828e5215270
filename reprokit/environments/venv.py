"""A lock -> a virtual environment in the user's store, made once for all that have the same lock.

    STORE/envs/ENV_ID/environment.json   written last: what it names is finished
    STORE/envs/ENV_ID/1/                 the virtual environment; a rebuild makes 2, and so on

Each attempt has a folder of its own: when `reprokit` is killed, uv can live on for a while and
go on writing, and must not write into the next attempt. `ready` is on the hot path of
`reprokit run`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reprokit import files
from reprokit.environments.identity import env_id
from reprokit.errors import LockedError, MachineError
from reprokit.layout import home
from reprokit.stacks.locks import LockedRequirements
from reprokit.values import dataclass

SCHEMA = "reprokit/environment/1"
MARKER = "environment.json"

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class VenvEnvironment:
    """A finished virtual environment.

    Attributes:
        env_id: its name.
        root: its folder.
        python: its interpreter.
        python_version: exact, e.g. `3.11.7`.
    """

    env_id: str
    root: Path
    python: Path
    python_version: str


def venv_id(locked: LockedRequirements) -> str:
    """The name of the virtual environment for these locks."""
    return env_id("venv", locked)


def ready(name: str) -> VenvEnvironment | None:
    """The finished environment of that name; None if it is unfinished or its Python is gone."""
    folder = _folder(name)
    try:
        marker = files.read_json(folder / MARKER)
    except (OSError, ValueError):
        return None
    if marker.get("schema") != SCHEMA or marker.get("env_id") != name:
        return None
    root = folder / str(marker["folder"])
    python = root / "bin" / "python"
    # `exists` follows the link to the base interpreter, which an upgrade of the system can remove.
    if not python.exists():
        return None
    return VenvEnvironment(name, root, python, str(marker["python"]))


def ensure(locked: LockedRequirements, *, on_line: OnLine = lambda _: None) -> VenvEnvironment:
    """The environment for these locks, made now if the store lacks it.

    Args:
        locked: the locks.
        on_line: gets each line of progress, for people.

    Raises:
        IntegrityError: a file does not match its hash, or what got installed is not what is locked.
        MachineError: index unreachable, disk full, no such Python, wrong platform, read-only store.
    """
    name = venv_id(locked)
    if found := _whole(name, locked):
        return found
    with _only_us(name, on_line):
        return _whole(name, locked) or _make(name, locked, on_line)


def _whole(name: str, locked: LockedRequirements) -> VenvEnvironment | None:
    """The finished environment, unless somebody has removed one of its distributions since.

    By name, in a fraction of a millisecond: whether each file is what it was is for `verify` to say.
    """
    found = ready(name)
    if found is None:
        return None
    minor = ".".join(found.python_version.split(".")[:2])
    try:
        names = os.listdir(found.root / f"lib/python{minor}/site-packages")  # noqa: PTH208 - hot path
    except OSError:
        return None
    there = {
        name.partition("-")[0].lower().replace("_", "-").replace(".", "-")
        for name in names
        if name.endswith(".dist-info")
    }
    wanted = {pin.name for pin in locked.pins if not pin.marker}
    return found if wanted <= there else None


def _make(name: str, locked: LockedRequirements, on_line: OnLine) -> VenvEnvironment:
    import shutil

    from reprokit.environments.install import install

    folder = _folder(name)
    if (folder / MARKER).exists():
        on_line("this environment was changed, or its Python is gone: making it again")
        (folder / MARKER).unlink()
    root = _next_attempt(folder)
    try:
        made = install(root, locked, prompt=name, on_line=on_line)
        files.write_json(folder / MARKER, _marker(name, root, locked, made.python, made.uv))
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()
        raise
    return VenvEnvironment(name, root, root / "bin" / "python", made.python)


def _marker(
    name: str, root: Path, locked: LockedRequirements, python: str, uv: str
) -> dict[str, object]:
    from datetime import UTC, datetime

    return {
        "schema": SCHEMA,
        "env_id": name,
        "kind": "venv",
        "folder": root.name,
        "python": python,
        "platform": locked.stack.header.platform,
        "locks": locked.digests,
        "uv": uv,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _folder(name: str) -> Path:
    return home() / "envs" / name


def _next_attempt(folder: Path) -> Path:
    """A fresh folder for one attempt; what earlier ones left behind is removed."""
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        old = [path for path in folder.iterdir() if path.name.isdecimal()]
        root = folder / str(max((int(path.name) for path in old), default=0) + 1)
        root.mkdir()
    import shutil

    for path in old:
        # An orphaned uv may be adding files at this moment; what remains goes next time.
        shutil.rmtree(path, ignore_errors=True)
    return root


@contextmanager
def _only_us(name: str, on_line: OnLine) -> Iterator[None]:
    """Hold the environment's lock; say so before waiting for another process that makes it."""
    path = home() / "locks" / f"{name}.lock"
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.exclusive(path, wait=False):
            yield
            return
    except LockedError as error:
        if error.where != str(path):
            raise
    on_line("waiting: another process is making this environment")
    with files.exclusive(path):
        yield


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            "store-not-writable",
            f"cannot write into the store of environments: {error.strerror}",
            where=str(path),
            hint="set REPROKIT_HOME to a folder of yours",
        ) from error
