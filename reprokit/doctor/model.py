"""What a check is told about the machine, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from reprokit.doctor.engine_facts import EngineFacts
from reprokit.doctor.gpu_facts import GpuFacts
from reprokit.errors import ReproKitError
from reprokit.workspace import Workspace

Status = Literal["skip", "ok", "warn", "fail"]
# From harmless to not: the state of several things is that of the worst.
STATUSES: tuple[Status, ...] = ("skip", "ok", "warn", "fail")


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        status: `ok`; `warn`: it works, with something missing; `fail`: what is set up here does not work;
            `skip`: there is nothing to check.
        message: one line for people.
        fix: what to do about it; commands stand in backticks.
        details: further lines, each complete in itself.
    """

    status: Status
    message: str
    fix: str | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """What several checks look at, observed once.

    Attributes:
        workspace: the workspace around the current folder, if there is one.
        engine: the Docker engine's word about itself, or why there is none.
        gpus: the NVIDIA driver's word about the GPUs.
        online: whether package indexes may be asked.
        trouble: why the workspace cannot be used: its settings are not valid.
    """

    workspace: Workspace | None
    engine: EngineFacts
    gpus: GpuFacts
    online: bool = False
    trouble: ReproKitError | None = None


class Check(Protocol):
    """A check: a module with these names."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """Short stable name, for programs."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802
        """What it is about, for people."""
        ...

    def run(self, context: Context) -> Finding:
        """Look, and say what is found."""
        ...


def combined(findings: Sequence[Finding]) -> Finding:
    """Several findings as one: the worst lead, each with its own fix; the others become details."""
    status = max((finding.status for finding in findings), key=STATUSES.index)
    worst = [finding for finding in findings if finding.status == status]
    fixes = dict.fromkeys(finding.fix for finding in worst if finding.fix)
    rest = [
        finding.message if finding.fix is None else f"{finding.message}: {finding.fix}"
        for finding in findings
        if finding.status != status
    ]
    details = [detail for finding in findings for detail in finding.details]
    return Finding(
        status,
        "; ".join(finding.message for finding in worst),
        "; ".join(fixes) or None,
        (*rest, *details),
    )


def of_error(error: ReproKitError) -> Finding:
    """An error that stood in a check's way, as what the check found."""
    fixes = [problem.hint for problem in error.problems] if not error.hint else [error.hint]
    fix = "; ".join(dict.fromkeys(hint for hint in fixes if hint)) or None
    details = tuple(f"{problem.where}: {problem.message}" for problem in error.problems)
    where = (error.where,) if error.where and not details else ()
    return Finding("fail", error.message, fix, (*where, *details))
