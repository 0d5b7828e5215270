"""What stands between this machine and a reproducible run: one check a file, and what fixes each."""

from reprokit.doctor.checkup import CHECKS, Result, examine, perform, worst
from reprokit.doctor.litter import DeadRef, Litter, find_litter, remove_hidden, remove_ref
from reprokit.doctor.model import Check, Context, Finding, Status

__all__ = [
    "CHECKS",
    "Check",
    "Context",
    "DeadRef",
    "Finding",
    "Litter",
    "Result",
    "Status",
    "examine",
    "find_litter",
    "perform",
    "remove_hidden",
    "remove_ref",
    "worst",
]
