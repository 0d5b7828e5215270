"""Between machine and system: the kernel, the NVIDIA driver and the newest CUDA that it serves."""

from __future__ import annotations

import os

from reprokit.inside.layers import _nvml, _reading

NAME = "driver"
MODULE = "/proc/driver/nvidia/version"


def gather() -> dict[str, object]:
    """The kernel's release and build, and the NVIDIA driver or why it is unknown."""
    kernel = os.uname()
    return {
        "kernel": {"name": kernel.sysname, "release": kernel.release, "build": kernel.version},
        "nvidia": _nvidia(),
    }


def module_version(path: str) -> str | None:
    """The version that the loaded kernel module tells of itself, which needs no library."""
    first = (_reading.text(path, 512) or "").partition("\n")[0]
    versions = [word for word in first.split() if word[:1].isdigit() and "." in word]
    return versions[0] if versions else None


def _nvidia() -> dict[str, object]:
    found = _nvml.read()
    module = module_version(MODULE)
    if module is None and found.driver is None:
        return {"unknown": found.reason}
    return {"module": module, "library": found.driver, "cuda": found.cuda}
