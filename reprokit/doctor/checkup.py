"""A workspace, or none -> what every check found."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from reprokit.doctor import (
    access,
    buildx,
    disk,
    engine,
    engine_facts,
    git,
    gpu,
    gpu_facts,
    packages,
    pythons,
    runs,
    toolkit,
    uv,
    workspace,
)
from reprokit.doctor.model import STATUSES, Check, Context, Finding, Status, of_error
from reprokit.errors import ReproKitError
from reprokit.workspace import Workspace

CHECKS: tuple[Check, ...] = (
    access,
    engine,
    buildx,
    gpu,
    toolkit,
    disk,
    git,
    uv,
    pythons,
    packages,
    workspace,
    runs,
)


@dataclass(frozen=True)
class Result:
    """A check's name, what it is about, and what it found."""

    name: str
    title: str
    finding: Finding

    def document(self) -> dict[str, Any]:
        """The result as JSON."""
        return {"name": self.name, "title": self.title, **asdict(self.finding)}


def examine(
    place: Workspace | None, *, online: bool = False, trouble: ReproKitError | None = None
) -> tuple[Result, ...]:
    """Run every check, several at once: most of them wait for another program.

    Args:
        place: the workspace around the current folder, if there is one.
        online: ask the package indexes too; without it no connection leaves this machine.
        trouble: why the workspace cannot be used, if its settings are not valid.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        gpus = pool.submit(gpu_facts.observe)
        context = Context(place, engine_facts.observe(), gpus.result(), online, trouble)
        return tuple(pool.map(lambda check: perform(check, context), CHECKS))


def perform(check: Check, context: Context) -> Result:
    """Run one check; an error that stands in its way is what it found."""
    try:
        finding = check.run(context)
    except ReproKitError as error:
        finding = of_error(error)
    return Result(check.NAME, check.TITLE, finding)


def worst(results: Sequence[Result]) -> Status:
    """The worst that was found."""
    return max((result.finding.status for result in results), key=STATUSES.index)
