"""Knowing a process again: PIDs are reused, the moment of a start on a given boot is not."""

from __future__ import annotations


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            # The name, in parentheses, may itself hold spaces and parentheses.
            return int(stream.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def boot() -> str:
    """The kernel's id of this boot, or nothing where it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as stream:
            return stream.read().strip()
    except OSError:
        return ""
