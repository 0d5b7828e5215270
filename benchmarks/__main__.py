"""Every claim about speed: `python -m benchmarks [NAME...]`. Exits with 1 if one does not hold."""

import sys
from collections.abc import Callable

from benchmarks import bed, check, docker_overhead, rebuild, run_overhead, second_run, startup

ALL: dict[str, Callable[[bed.Bed], bool]] = {
    "startup": startup.benchmark,
    "run_overhead": run_overhead.benchmark,
    "second_run": second_run.benchmark,
    "check": check.benchmark,
    "docker_overhead": docker_overhead.benchmark,
    "rebuild": lambda _: not bed.docker_answers() or rebuild.main() == 0,
}


def main() -> int:
    """Measure; the exit code."""
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(ALL)}")
        return 2
    with bed.made() as made:
        failed = [name for name in names if not ALL[name](made)]
    print(
        f"\n{len(names) - len(failed)} of {len(names)} hold" + "".join(f"; NOT {f}" for f in failed)
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
