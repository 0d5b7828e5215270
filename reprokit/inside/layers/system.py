"""The operating system around Python: distribution, C library, /dev/shm, dpkg's packages."""

from __future__ import annotations

import os

from reprokit.inside.layers import _reading

NAME = "system"
DPKG = "var/lib/dpkg"


def gather() -> dict[str, object]:
    """Distribution, C library, machine, container, size of /dev/shm, installed packages."""
    return {
        "os": release("/"),
        "libc": _libc(),
        "machine": os.uname().machine,
        "container": _container(),
        "shm_bytes": _size("/dev/shm"),  # noqa: S108 - looked at, never written to
        **dpkg("/"),
    }


def release(root: str) -> dict[str, str] | None:
    """The distribution's `id`, `version` and full `name`, or None where none is declared."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        text = _reading.text(os.path.join(root, path))
        if text is not None:
            pairs = (line.partition("=") for line in text.splitlines())
            facts = {key: value.strip("\"'") for key, _, value in pairs}
            return {
                "id": facts.get("ID", "linux"),
                "version": facts.get("VERSION_ID", ""),
                "name": facts.get("PRETTY_NAME", ""),
            }
    return None


def dpkg(root: str) -> dict[str, object]:
    """Installed packages: name (`name:architecture` for a foreign one) -> version."""
    blocks = _dpkg_blocks(os.path.join(root, DPKG))
    if blocks is None:
        return {"packages": {}, "packages_reason": "no dpkg database here"}
    found: list[tuple[bytes, bytes, bytes]] = []
    for block in blocks:
        # Lines of a field that goes on begin with a space, so a newline and a name is a field.
        if b" installed\n" in block or b"\nStatus: " not in block:
            each = [_field(block, name) for name in (b"Package", b"Architecture", b"Version")]
            found.append((each[0], each[1], each[2]))
    native = next((kind for name, kind, _ in found if name == b"dpkg"), b"all")
    named = (
        (name if kind in (native, b"all") else name + b":" + kind, version)
        for name, kind, version in found
        if name
    )
    return {
        "packages": {a.decode("utf-8", "replace"): b.decode("utf-8", "replace") for a, b in named}
    }


def _dpkg_blocks(folder: str) -> list[bytes] | None:
    """The entries of dpkg's status file, and of the status.d that images without dpkg have."""
    names = [os.path.join("status.d", name) for name in _reading.names(folder + "/status.d")]
    data = [_bytes(os.path.join(folder, name)) for name in ["status", *names]]
    kept = [each for each in data if each]
    return b"\n\n".join(kept).split(b"\n\n") if kept else None


def _field(block: bytes, name: bytes) -> bytes:
    start = 0 if block.startswith(name + b": ") else block.find(b"\n" + name + b": ") + 1
    if not start and not block.startswith(name + b": "):
        return b""
    end = block.find(b"\n", start)
    return block[start + len(name) + 2 : end if end >= 0 else None].strip()


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (ValueError, OSError):
        musl = any(name.startswith("ld-musl-") for name in _reading.names("/lib"))
        return "musl" if musl else "unknown"


def _container() -> str | None:
    marks = (
        ("/.dockerenv", "docker"),
        ("/run/.containerenv", "podman"),
        ("/.singularity.d", "apptainer"),
    )
    return next((name for path, name in marks if os.path.exists(path)), None)


def _size(folder: str) -> int | None:
    try:
        info = os.statvfs(folder)
    except OSError:
        return None
    return info.f_frsize * info.f_blocks
