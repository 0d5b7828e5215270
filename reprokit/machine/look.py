"""This machine -> a `Machine`: the driver and the GPUs through NVML, the rest from the kernel."""

import os
import shutil
from pathlib import Path
from typing import Any

from reprokit import layout
from reprokit.inside.layers import _nvml
from reprokit.stacks.machine import Card, Machine, with_kinds

PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
KERNEL = Path("/proc/sys/kernel/osrelease")


def here() -> Machine:
    """What this machine is, looked at now. It takes milliseconds and never fails: what cannot be told is None."""
    nvidia = _nvidia()
    return with_kinds(
        Machine(
            **nvidia,
            wsl=_is_wsl(),
            platform=PLATFORMS.get(os.uname().machine),
            glibc=_glibc(),
            free_bytes=_free(layout.home()),
        )
    )


def _nvidia() -> dict[str, Any]:
    # Importing NVML's bindings takes 23 ms: a machine without a sign of a driver is not even asked.
    if not _has_signs():
        return {"reason": "no NVIDIA driver: no device nodes and no libnvidia-ml.so.1"}
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"reason": f"the NVIDIA driver does not answer: {error}"}
    try:
        return _survey(pynvml)
    finally:
        pynvml.nvmlShutdown()


def _has_signs() -> bool:
    folders = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    libraries = [Path(folder, _nvml.LIBRARY) for folder in (*folders, *_nvml.FOLDERS)]
    return any(path.exists() for path in (*map(Path, _nvml.SIGNS), *libraries))


def _survey(nvml: Any) -> dict[str, Any]:
    cuda = _asked(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)
    count = _asked(nvml, nvml.nvmlDeviceGetCount) or 0
    cards = tuple(_card(nvml, index) for index in range(count))
    return {
        "driver": _asked(nvml, nvml.nvmlSystemGetDriverVersion),
        "cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        "cards": cards,
        "reason": None if cards else "the driver shows no GPU to this process",
    }


def _card(nvml: Any, index: int) -> Card:
    handle = _asked(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return Card(f"GPU {index}, to which the driver gives no access")
    capability = _asked(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    name = _asked(nvml, nvml.nvmlDeviceGetName, handle)
    return Card(
        str(name or f"GPU {index}"),
        None if capability is None else "{}.{}".format(*capability),
    )


def _asked(nvml: Any, call: Any, *words: Any) -> Any:
    """What a call of NVML answers; None where the driver refuses it."""
    try:
        return call(*words)
    except nvml.NVMLError:
        return None


def _is_wsl() -> bool:
    try:
        return "microsoft" in KERNEL.read_text().lower()
    except OSError:
        return False


def _glibc() -> str | None:
    try:
        told = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    return told.partition(" ")[2] or None


def _free(folder: Path) -> int | None:
    """Free bytes where `folder` is, or will be."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return None if there is None else shutil.disk_usage(there).free
