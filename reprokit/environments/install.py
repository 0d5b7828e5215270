"""An empty folder and locks -> a virtual environment that holds exactly what is locked."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from reprokit import files, process
from reprokit.errors import IntegrityError, MachineError
from reprokit.stacks.locks import LockedRequirements
from reprokit.stacks.pipconfig import PackageSettings, read_settings
from reprokit.stacks.requirements import Pin, normalise
from reprokit.stacks.uvtool import explain, follow_uv, run_uv, torch_backend, uv_version
from reprokit.values import dataclass

MACHINES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
GLIBC = (2, 28)  # what locks are resolved for


@dataclass(frozen=True)
class Installed:
    """What made the environment: exact Python and version of uv."""

    python: str
    uv: str


def install(
    root: Path, locked: LockedRequirements, *, prompt: str, on_line: Callable[[str], None]
) -> Installed:
    """Make a virtual environment in the empty folder `root`.

    Raises:
        IntegrityError: a hash does not match, or something else than what is locked got installed.
        MachineError: the machine, its Python or its index cannot do it.
    """
    check_machine(locked.stack.header.platform)
    settings = read_settings()
    version = _make_venv(root, locked.stack.header.python, settings, prompt)
    _install_pins(root, locked, settings, on_line)
    verify(root, locked.pins)
    _check_needs(root, settings)
    _flush(root)
    return Installed(version, uv_version())


def check_machine(platform: str) -> None:
    """Refuse a lock for another machine. Raises MachineError."""
    here = MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if here != platform:
        raise MachineError(
            "wrong-platform",
            f"the lock is for {platform}, and this machine is {sys.platform}/{os.uname().machine}",
            hint="use such a machine, or lock the stack for this one (`platform:` in stack.yaml)",
        )
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    if name != "glibc" or tuple(map(int, version.split("."))) < GLIBC:
        raise MachineError(
            "wrong-platform",
            f"the lock needs glibc {GLIBC[0]}.{GLIBC[1]} or later, and this machine has "
            f"{name or 'another C library'} {version}".rstrip(),
            hint="use `--engine docker`",
        )


def _make_venv(root: Path, python: str, settings: PackageSettings, prompt: str) -> str:
    """Make the empty virtual environment; the exact version of its Python."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    # Our own interpreter needs no search, and no download where machines have none to offer.
    chosen = sys.executable if ours == python else python
    arguments = [
        "venv",
        "--quiet",
        "--no-project",
        "--prompt",
        prompt,
        "--python",
        chosen,
        str(root),
    ]
    done = run_uv(arguments, settings, cwd=root)
    if done.code:
        cause = explain(done.code, done.error_text, settings)
        raise MachineError(
            "no-python" if cause.code == "uv-failed" else cause.code,
            f"cannot make an environment with Python {python}: {cause.message}",
            where=cause.where,
            hint=cause.hint or f"install Python {python}, or run ReproKit with it",
        )
    asked = process.run(
        [root / "bin" / "python", "-I", "-c", "import platform as p; print(p.python_version())"]
    )
    version = asked.text.strip()
    if asked.code or not version.startswith(python + "."):
        raise MachineError(
            "no-python",
            f"the environment's Python is `{version or asked.error_text}`, not {python}",
            hint=f"install Python {python}",
        )
    return version


def _install_pins(
    root: Path,
    locked: LockedRequirements,
    settings: PackageSettings,
    on_line: Callable[[str], None],
) -> None:
    """Install from uv's cache, with no connection, if all is there; else from the index."""
    listed = root / "requirements.lock"
    files.write_text(listed, locked.text())
    arguments = ["pip", "install", "--python", str(root / "bin" / "python"), "--require-hashes"]
    arguments += ["--no-deps", "--link-mode", "hardlink", "--requirement", str(listed)]
    torch = locked.stack.version("torch")
    variant = (torch or "").partition("+")[2]
    # uv's cache remembers which index a file came from.
    for backend in (None, variant) if variant else (None,):
        done = run_uv([*arguments, "--offline"], settings, cwd=root, torch_backend=backend)
        if done.code == 0:
            on_line(f"{len(locked.pins)} packages from uv's cache")
            return
    backend = torch_backend(torch, settings, cwd=root)
    code, said = follow_uv(arguments, settings, cwd=root, torch_backend=backend, on_line=on_line)
    if code:
        raise explain(code, said, settings)


def verify(root: Path, pins: tuple[Pin, ...]) -> None:
    """Compare what is installed with what is locked.

    Raises:
        IntegrityError: a distribution is missing, has another version, or is not in the lock.
    """
    found = dict(
        path.name.removesuffix(".dist-info").rsplit("-", 1)
        for path in root.glob("lib/python*/site-packages/*.dist-info")
    )
    there = {normalise(name): version for name, version in found.items()}
    wanted = {pin.name: pin.version for pin in pins if _applies(pin)}
    for name in sorted(there.keys() | wanted.keys()):
        if not _same(there.get(name), wanted.get(name)):
            raise IntegrityError(
                "not-as-locked",
                f"`{name}`: the lock says {wanted.get(name, 'nothing')}, "
                f"installed is {there.get(name, 'nothing')}",
                where=str(root),
            )


def _applies(pin: Pin) -> bool:
    if not pin.marker:
        return True
    from packaging.markers import Marker

    return Marker(pin.marker).evaluate()


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None or one == other:
        return one == other
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _check_needs(root: Path, settings: PackageSettings) -> None:
    """Refuse a lock that lacks what its packages need: an installer without deps would not say."""
    done = run_uv(["pip", "check", "--python", str(root / "bin" / "python")], settings, cwd=root)
    if done.code:
        lacking = [line for line in done.error_text.splitlines() if line.startswith("The package")]
        if not lacking:
            raise explain(done.code, done.error_text, settings)
        raise IntegrityError(
            "incomplete-lock",
            f"the lock lacks what its packages need: {lacking[0]}",
            hint="`reprokit lock` writes it again",
        )


def _flush(root: Path) -> None:
    """Bring the files to disk before the marker says that they are there (power cuts)."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).syncfs(handle)
    finally:
        os.close(handle)
