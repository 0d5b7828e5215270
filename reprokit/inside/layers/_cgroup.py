"""What the control groups of this process allow it: CPUs, memory, processes (cgroup v1 and v2)."""

from __future__ import annotations

import os

from reprokit.inside.layers import _reading

MOUNT = "sys/fs/cgroup"
# v1 writes "no limit" as the largest multiple of the page size below 2^63.
NO_LIMIT = 1 << 60


def limits(root: str) -> dict[str, float | int | None]:
    """The tightest limits on the way up from this process's own group.

    Returns:
        `cpus` (CPUs' worth of time), `memory_bytes` and `pids`; None where nothing limits them.
    """
    cpus: list[float] = []
    memory: list[int] = []
    pids: list[int] = []
    for group in _groups(root):
        cpus += _quota(group)
        memory += _numbers(group, ("memory.max", "memory.limit_in_bytes"))
        pids += _numbers(group, ("pids.max",))
    return {
        "cpus": min(cpus) if cpus else None,
        "memory_bytes": min(memory) if memory else None,
        "pids": min(pids) if pids else None,
    }


def _groups(root: str) -> list[str]:
    """Every folder that says something about this process, its parents' included.

    A container without a cgroup namespace sees the path of its group on the host, while its mount
    shows that group as the top: then the path is missing below the mount, and the walk up reaches
    the mount itself.
    """
    found: list[str] = []
    for line in (_reading.text(os.path.join(root, "proc/self/cgroup")) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        for top in _tops(root, controllers):
            if not os.path.isdir(top):
                continue
            parts = [part for part in path.split("/") if part not in ("", "..")]
            found += [os.path.join(top, *parts[:depth]) for depth in range(len(parts) + 1)]
    return found


def _tops(root: str, controllers: str) -> list[str]:
    mount = os.path.join(root, MOUNT)
    if not controllers:
        return [mount, os.path.join(mount, "unified")]
    if not {"cpu", "memory", "pids"} & set(controllers.split(",")):
        return []
    return [os.path.join(mount, name) for name in {controllers, *controllers.split(",")}]


def _quota(group: str) -> list[float]:
    words = (_reading.text(os.path.join(group, "cpu.max")) or "").split()
    if not words:
        v1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        words = [_reading.text(os.path.join(group, name)) or "" for name in v1]
    if not words or not all(word.isdigit() for word in words) or words[-1] == "0":
        return []
    return [int(words[0]) / int(words[-1])]


def _numbers(group: str, files: tuple[str, ...]) -> list[int]:
    found = (_reading.number(os.path.join(group, name)) for name in files)
    return [value for value in found if value is not None and value < NO_LIMIT]
