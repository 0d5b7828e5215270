"""What a check of a stack finds: one answer a question, with the row of the table that says so."""

from collections.abc import Iterable
from typing import Literal

from reprokit.stacks.facts import load
from reprokit.values import dataclass

Verdict = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        check: what was looked at, e.g. `driver`.
        verdict: whether it lets the stack run; `unknown` is never taken for either.
        message: the answer in words.
        row: the row of a table that says so, e.g. `minor_versions 12`; None: no table was needed.
        source: keys of `facts.sources()`.
        fix: what to do about it.
        decides: whether `unknown` leaves the whole answer unknown.
    """

    check: str
    verdict: Verdict
    message: str
    row: str | None = None
    source: tuple[str, ...] = ()
    fix: str | None = None
    decides: bool = True

    def document(self) -> dict[str, object]:
        """The finding as JSON, its sources spelled out."""
        return {
            **vars(self),
            "source": {key: load.sources()[key] for key in self.source},
        }


def overall(findings: Iterable[Finding]) -> Verdict:
    """The answer to the whole: no if anything says no, unknown if anything that decides is."""
    found = list(findings)
    if any(finding.verdict == "no" for finding in found):
        return "no"
    if any(finding.verdict == "unknown" and finding.decides for finding in found):
        return "unknown"
    return "yes"
