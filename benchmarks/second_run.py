"""A second run with nothing changed builds nothing and reads no data again: counted, and timed.

Python's own audit events tell every file that the command opens and every program that it starts.
"""

import json
import time
from pathlib import Path

from benchmarks.bed import Bed, alone
from benchmarks.paired import Claim, Contender, judged, measure

FILES, FILE_BYTES = 400, 500_000
# A young file is read again by the second look too, since its time stamp proves nothing yet.
SETTLE_S = 2.1
LIMIT = 1.3

WATCHED = """\
import os, sys
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)):
        os.write(log, b"open\\t" + os.fsencode(args[0]) + b"\\n")
    elif event == "subprocess.Popen":
        os.write(log, b"start\\t" + os.fsencode(args[0]) + b"\\n")

sys.addaudithook(hook)
from reprokit.__main__ import main
main()
"""


def benchmark(bed: Bed) -> bool:
    """Whether the claims hold; the numbers are printed."""
    data = _data(bed)
    config = bed.config().with_name("with-data.yaml")
    config.write_text(bed.config().read_text() + f"data: {{d: {{path: {data}}}}}\n")
    words: list[str | Path] = ["run", config, "--engine", "venv", "--json"]
    begin = time.perf_counter()
    first = _events(bed, words)
    spent = (time.perf_counter() - begin) * 1000
    second = _events(bed, words)
    print(f"\nsecond run with {FILES} files of data; the first took {spent:.0f} ms")

    def look() -> list[Claim]:
        place = {"cwd": bed.workspace, "env": bed.env}
        without, with_data = measure(
            [
                Contender("a run without data", bed.run("venv"), **place),
                Contender("a second run with data", [bed.reprokit, *words], **place),
            ],
            rounds=9,
        ).values()
        return [
            Claim("files of data opened", second.opened(data), 0),
            Claim("files of the environment opened", second.opened(second.environment), 0),
            Claim("programs started besides git and the supervisor", second.others(), 0),
            Claim("with data / without", with_data / without, LIMIT),
        ]

    if first.opened(data) < FILES:
        raise SystemExit("the count does not count: the first run opened too few files")
    return judged("second run", look)


class Events:
    """What one run of the command opened and started."""

    def __init__(self, lines: list[str], environment: Path) -> None:
        self.environment = environment
        self._opened = [line[5:] for line in lines if line.startswith("open\t")]
        self._started = [Path(line[6:]) for line in lines if line.startswith("start\t")]

    def opened(self, folder: Path) -> int:
        """How many files in `folder` were opened."""
        return sum(name.startswith(f"{folder}/") for name in self._opened)

    def others(self) -> int:
        """How many programs were started that are neither git nor the supervisor's Python."""
        python = self.environment / "bin" / "python"
        return sum(path.name != "git" and path != python for path in self._started)


def _events(bed: Bed, words: list[str | Path]) -> Events:
    script, log = bed.root / "watched.py", bed.root / "events"
    script.write_text(WATCHED)
    log.unlink(missing_ok=True)
    answer = json.loads(bed.call(bed.python, script, log, *words))
    lines = log.read_text("utf-8", "surrogateescape").splitlines()
    return Events(lines, Path(answer["run"]["environment"]["location"]))


def _data(bed: Bed) -> Path:
    """A dataset outside of the workspace, as data mostly is."""
    folder = bed.root / "data"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:04}.bin").write_bytes(number.to_bytes(4, "big") * (FILE_BYTES // 4))
    time.sleep(SETTLE_S)
    return folder


if __name__ == "__main__":
    alone(benchmark)
