"""A run adds at most half of what a Sacred FileStorageObserver adds to a script, in the same repository.

Both run nothing. ReproKit captures the exact source, snapshots the whole stack and waits for the disk; Sacred
writes down the script, its dependencies, the host and the commit.
"""

import json
from pathlib import Path

from benchmarks.bed import Bed, alone
from benchmarks.paired import Claim, Contender, judged, measure

LIMIT = 0.5


def benchmark(bed: Bed) -> bool:
    """Whether the claim holds; the numbers are printed."""
    run = json.loads(bed.call(*bed.run("venv", "--json")))["run"]
    python = Path(run["environment"]["location"]) / "bin" / "python"
    place = {"cwd": bed.workspace, "env": bed.env}
    contenders = [
        Contender("the bare command", [python, "-c", "pass"], **place),
        Contender("reprokit run", bed.run("venv"), **place),
        Contender("bare Python of Sacred's environment", [bed.sacred, "-c", "pass"], **place),
        Contender("the script with Sacred", [bed.sacred, "noop.py"], **place),
    ]

    def look() -> list[Claim]:
        bare, ours, bare_theirs, theirs = measure(contenders).values()
        added, added_theirs = ours - bare, theirs - bare_theirs
        print(f"  reprokit adds {added:.1f} ms, Sacred adds {added_theirs:.1f} ms")
        return [Claim("added / added by Sacred", added / added_theirs, LIMIT)]

    holds = judged("overhead of a run, engine venv", look)
    _nothing_was_left_out(bed, runs=2)
    return holds


def _nothing_was_left_out(bed: Bed, runs: int) -> None:
    """What was measured is the whole: every run ended well, with its source and its snapshot."""
    records = sorted((bed.workspace / "runs" / "noop").glob("2*/run.json"))
    assert len(records) > runs
    for path in records:
        source = json.loads((path.parent / "source.json").read_text())
        snapshot = json.loads((path.parent / "snapshot.json").read_text())
        assert json.loads(path.read_text())["state"] == "completed", path
        assert bed.call("git", "cat-file", "-t", source["ref"]).strip() == "commit"
        assert any(p["name"] == "torch" for p in snapshot["layers"]["packages"]["distributions"])


if __name__ == "__main__":
    alone(benchmark)
