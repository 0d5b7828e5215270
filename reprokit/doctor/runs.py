"""Check `runs`: is the state of every run known, and did killed commands leave something behind?"""

from collections.abc import Sequence
from typing import Any

from reprokit.doctor.litter import Litter, find_litter
from reprokit.doctor.model import Context, Finding, combined
from reprokit.runs.listing import list_runs

NAME = "runs"
TITLE = "Runs"

SHOWN = 5


def run(context: Context) -> Finding:
    """Settle every run, as any look at the runs does, and look for what no run owns."""
    if context.workspace is None:
        return Finding("skip", "no workspace here")
    return decide(list_runs(context.workspace.store), find_litter(context.workspace))


def decide(records: Sequence[dict[str, Any]], litter: Litter) -> Finding:
    """Runs whose record or end is not known, and what `reprokit doctor --fix` would remove."""
    broken = [record for record in records if "broken" in record]
    unsettled = [record for record in records if "unsettled" in record]
    findings = [Finding("ok", f"{len(records)} run{'s' * (len(records) != 1)} in the store")]
    if broken:
        findings.append(
            Finding(
                "warn",
                f"{len(broken)} of the records cannot be read",
                "restore their run.json from a backup; their other files are as they were",
                _named(broken, "broken"),
            )
        )
    if unsettled:
        findings.append(
            Finding(
                "warn",
                f"how {len(unsettled)} of the runs ended is not known yet",
                "look again where they were started, with their engine running: `reprokit runs`",
                _named(unsettled, "unsettled"),
            )
        )
    if litter.hidden or litter.refs:
        findings.append(
            Finding("warn", litter.summary(), "`reprokit doctor --fix` lists and removes it", ())
        )
    if litter.left_alone:
        findings.append(Finding("ok", litter.left_alone))
    return combined(findings)


def _named(records: Sequence[dict[str, Any]], key: str) -> tuple[str, ...]:
    lines = [f"{record['id']}: {record[key]}" for record in records[:SHOWN]]
    more = len(records) - SHOWN
    return (*lines, f"... and {more} more") if more > 0 else tuple(lines)
