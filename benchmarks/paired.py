"""Measuring side by side: the contenders of a claim take turns, so that what disturbs one disturbs all."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 15
WARM_UP = 2
ATTEMPTS = 3


@dataclass(frozen=True)
class Contender:
    """One command line, run to its end in each round; it must end well."""

    name: str
    argv: Sequence[str | Path]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Claim:
    """A number that must not be above its limit, and what both are in words."""

    text: str
    value: float
    limit: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is within its limit."""
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        return f"  {self.text}: {self.value:.3f}{self.unit}, limit {self.limit:g}{self.unit}: {verdict}"


def measure(contenders: Sequence[Contender], rounds: int = ROUNDS) -> dict[str, float]:
    """Median wall time of each contender in milliseconds, by name; a table of all is printed."""
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for number in range(WARM_UP + rounds):
        # Each round begins with another one: whoever comes first may meet a colder machine.
        turn = number % len(contenders)
        for each in (*contenders[turn:], *contenders[:turn]):
            spent = _timed(each)
            if number >= WARM_UP:
                times[each.name].append(spent)
    width = max(len(name) for name in times)
    for name, spent_times in times.items():
        low, middle, high = min(spent_times), statistics.median(spent_times), max(spent_times)
        print(f"  {name.ljust(width)}  median {middle:7.1f} ms   min {low:7.1f}   max {high:7.1f}")
    return {name: statistics.median(spent_times) for name, spent_times in times.items()}


def judged(title: str, look: Callable[[], Sequence[Claim]]) -> bool:
    """Print what `look` measures; whether all claims hold.

    Where one does not, on a machine that has more to do than it has processors, it is looked at again.
    """
    print(f"\n{title}")
    for attempt in range(ATTEMPTS):
        claims = look()
        for claim in claims:
            print(claim)
        if all(claim.holds for claim in claims):
            return True
        load, processors = os.getloadavg()[0], os.cpu_count() or 1
        if load <= processors or attempt == ATTEMPTS - 1:
            break
        print(f"  the machine is busy (load {load:.1f} on {processors} processors): once more")
    return False


def _timed(contender: Contender) -> float:
    argv = [str(word) for word in contender.argv]
    begin = time.perf_counter()
    done = subprocess.run(
        argv,
        cwd=contender.cwd,
        env=contender.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    spent = (time.perf_counter() - begin) * 1000
    if done.returncode:
        raise SystemExit(
            f"{contender.name}: {' '.join(argv)} ended with {done.returncode}:\n{done.stderr.decode()}"
        )
    return spent
