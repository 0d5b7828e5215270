"""The machine: CPU with the instruction sets that kernels choose by, memory, GPUs, and limits."""

from __future__ import annotations

import os

from reprokit.inside.layers import _cgroup, _nvml, _reading

NAME = "hardware"

# ATen, oneDNN and MKL each pick other kernels by these: two machines that differ here can differ in
# the last bits.
_FLAGS = (
    "sse4_1 sse4_2 avx avx2 fma f16c avx_vnni avx_ifma avx_ne_convert avx_vnni_int8 "
    "avx512f avx512bw avx512cd avx512dq avx512vl avx512ifma avx512vbmi avx512_vbmi2 avx512_vnni "
    "avx512_bf16 avx512_fp16 avx512_bitalg avx512_vpopcntdq amx_tile amx_int8 amx_bf16 amx_fp16 "
    "asimd asimdhp asimddp asimdfhm fphp sve sve2 svebf16 svei8mm bf16 i8mm sme sme2 "
    "vsx altivec"
)
KERNEL_FLAGS = frozenset(_FLAGS.split())
# The first processor's entry; reading all of them takes tens of milliseconds on large machines.
FIRST_ENTRY = 8192
CPUS = "sys/devices/system/cpu"


def gather() -> dict[str, object]:
    """CPU, memory (bytes) and GPUs; a figure that the machine does not tell is None."""
    return {
        "cpu": cpu("/"),
        "memory_bytes": _memory("/", "MemTotal"),
        "swap_bytes": _memory("/", "SwapTotal"),
        "limits": _cgroup.limits("/"),
        **_gpus(),
    }


def cpu(root: str) -> dict[str, object]:
    """The CPU as the kernel under `root` tells it."""
    entry = _first_entry(_reading.text(os.path.join(root, "proc/cpuinfo"), FIRST_ENTRY) or "")
    flags = set((entry.get("flags") or entry.get("Features") or "").split())
    cores, sockets = _topology(root)
    usable = sorted(os.sched_getaffinity(0))
    return {
        "model": entry.get("model name") or entry.get("cpu") or _arm_part(entry),
        "vendor": entry.get("vendor_id") or entry.get("CPU implementer"),
        "family": entry.get("cpu family"),
        "model_number": entry.get("model"),
        "stepping": entry.get("stepping") or entry.get("CPU revision"),
        "microcode": entry.get("microcode"),
        "flags": sorted(flags & KERNEL_FLAGS),
        "virtual": "hypervisor" in flags,
        "logical": os.cpu_count(),
        "cores": cores,
        "sockets": sockets,
        "usable": len(usable),
        "affinity": ranges(usable),
        "numa_nodes": _reading.text(os.path.join(root, "sys/devices/system/node/online")),
    }


def ranges(numbers: list[int]) -> str:
    """Sorted numbers in the kernel's own shorthand: `0-3,8`."""
    runs: list[list[int]] = []
    for each in numbers:
        if runs and each == runs[-1][1] + 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ",".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in runs)


def members(shorthand: str) -> list[int]:
    """The numbers that the kernel's shorthand `0-3,8` stands for."""
    found: list[int] = []
    for part in filter(None, shorthand.split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _first_entry(cpuinfo: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in cpuinfo.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _arm_part(entry: dict[str, str]) -> str | None:
    if "CPU part" not in entry:
        return None
    return "implementer %s part %s" % (entry.get("CPU implementer"), entry["CPU part"])


def _topology(root: str) -> tuple[int | None, int | None]:
    """Physical cores and sockets among the CPUs that are on, one file a group."""
    online = members(_reading.text(os.path.join(root, CPUS, "online")) or "")
    return (
        _groups(root, online, "thread_siblings_list"),
        _groups(root, online, "core_siblings_list"),
    )


def _groups(root: str, online: list[int], siblings: str) -> int | None:
    seen: set[int] = set()
    count = 0
    for each in online:
        if each in seen:
            continue
        group = _reading.text(os.path.join(root, CPUS, "cpu%d" % each, "topology", siblings))
        if not group:
            return None
        seen.update(members(group))
        count += 1
    return count or None


def _memory(root: str, key: str) -> int | None:
    for line in (_reading.text(os.path.join(root, "proc/meminfo")) or "").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return None


def _gpus() -> dict[str, object]:
    found = _nvml.read()
    if found.reason is None:
        return {"gpus": found.gpus}
    return {"gpus": [], "reason": found.reason}
