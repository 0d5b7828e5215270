"""Building again: `reprokit build --target prod` against `docker build` of a hand-written Dockerfile, layer by layer.

Both have torch in a heavy layer, one small package in a light one, and the code. In pairs, one after the other:
only the code changed; one light package changed; nothing changed, where no program may be started at all.
Needs Docker with buildx, and the packages of `envs/cpu` from wherever pip is set up to find them.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit.stacks.inputs import project_digest, read_inputs
from reprokit.stacks.locks import stack_lock_path
from reprokit.stacks.pipconfig import read_settings
from reprokit.stacks.requirements import Header, Lock, parse_pins, read, render, render_pins
from reprokit.stacks.uvtool import uv_program
from tests.stacks.wheelhouse import locked_line, make_wheel

REPOSITORY = Path(__file__).resolve().parent.parent
LIMIT = 1.5
PAIRS = 5
TAG = "reprokit/by-hand:benchmark"
DOCKER = shutil.which("docker") or "docker"
MOUNTS = (
    "RUN --mount=type=bind,from=uv,target=/uv --mount=type=bind,from=wheels,target=/wheels "
    "--mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=index --mount=type=secret,id=ca "
    "--mount=type=bind,source={lock},target=/lock.txt . /run/secrets/index; export UV_LINK_MODE=copy "
    "UV_NO_INSTALLER_METADATA=1 UV_CACHE_DIR=/root/.cache/uv; [ ! -e /run/secrets/ca ] || "
    "export SSL_CERT_FILE=/run/secrets/ca; {first}"
    "/uv/uv pip install -q --compile-bytecode --require-hashes --no-deps -r /lock.txt --find-links /wheels"
)
BY_HAND = "\n".join(
    [
        "FROM {image}",
        "ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv BENCHMARK={name}",
        MOUNTS.replace("{lock}", "heavy.txt").replace(
            "{first}", "/uv/uv venv -q --python 3.11 /opt/venv && "
        ),
        MOUNTS.replace("{lock}", "light.txt").replace("{first}", ""),
        "RUN --mount=type=bind,source=src,target=/ctx cp -R /ctx /app",
        'CMD ["python", "/app/train.py"]\n',
    ]
)


@dataclass(frozen=True)
class Bench:
    """A workspace, and beside it the same project as somebody would build it by hand."""

    root: Path
    local: tuple[Path, ...]

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.root / "lab" / "projects" / "bench"

    @property
    def by_hand(self) -> Path:
        """The folder of the hand-written Dockerfile."""
        return self.root / "by-hand"

    def change_code(self, number: int) -> None:
        """Write other code, the same for both."""
        for path in (self.project / "train.py", self.by_hand / "src" / "train.py"):
            path.write_text(f"print({number})\n")

    def change_package(self, number: int) -> None:
        """Lock another version of the one light package, the same for both."""
        wheel = make_wheel(self.root / "wheels", "light", f"1.{number}")
        (self.project / "requirements.in").write_text("light\n")
        base = read(stack_lock_path(self.root / "lab", "cpu"))
        asked = project_digest(read_inputs(self.project), stack_lock=base.digest)
        header = Header("cpu", base.header.python, base.header.platform, "uv", asked)
        pins = parse_pins(locked_line(wheel), where="benchmark")
        (self.project / "requirements.cpu.lock").write_text(render(Lock(header, pins)))
        (self.by_hand / "light.txt").write_text(render_pins(pins))

    def ours(self, **changes: str) -> None:
        """Build with ReproKit."""
        find = " ".join(map(str, (self.root / "wheels", *self.local)))
        argv = [sys.executable, "-m", "reprokit", "build", str(self.project / "config.yaml")]
        told = {"PIP_FIND_LINKS": find, "REPROKIT_HOME": str(self.root / "home")}
        run([*argv, "--target", "prod", "--quiet"], PYTHONPATH=str(REPOSITORY), **told, **changes)

    def theirs(self) -> None:
        """Build by hand."""
        argv = [DOCKER, "buildx", "build", "--builder", "default", "--provenance=false", "-q"]
        argv += ["-t", TAG, "--build-context", f"uv={self.root / 'uv'}"]
        argv += ["--build-context", f"wheels={self.root / 'all-wheels'}"]
        argv += ["--secret", f"id=index,src={self.root / 'index'}"]
        if certificates := read_settings().cert:
            argv += ["--secret", f"id=ca,src={certificates}"]
        run([*argv, str(self.by_hand)])


def run(argv: list[str], **changes: str) -> None:
    done = subprocess.run(argv, env={**os.environ, **changes}, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(argv)}\n{done.stderr.decode()}")


@contextmanager
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="reprokit-rebuild-") as text:
        made = Bench(Path(text), read_settings().local_find_links)
        try:
            _lay_out(made)
            yield made
        finally:
            listed = subprocess.run(
                [DOCKER, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"],
                capture_output=True,
                check=False,
            )
            names = listed.stdout.decode().split()
            ours = [name for name in names if name.startswith("reprokit/cpu-rebuild-bench:")]
            subprocess.run(
                [DOCKER, "image", "rm", "-f", TAG, *ours], capture_output=True, check=False
            )


def _lay_out(made: Bench) -> None:
    lab = made.root / "lab"
    shutil.copytree(REPOSITORY / "envs" / "cpu", lab / "envs" / "cpu")
    made.project.mkdir(parents=True)
    (made.by_hand / "src").mkdir(parents=True)
    (made.root / "uv").mkdir()
    shutil.copy(uv_program(), made.root / "uv" / "uv")
    config = "project: rebuild-bench\nstack: cpu\nrun: python train.py\n"
    (made.project / "config.yaml").write_text(config)
    pins = read(stack_lock_path(lab, "cpu")).pins
    (made.by_hand / "heavy.txt").write_text(render_pins(pins))
    image = "python:3.11-slim-bookworm"
    # A name of its own for each call: what an earlier one left in the builder's cache may lack its parent by now.
    text = BY_HAND.replace("{image}", image).replace("{name}", made.root.name)
    (made.by_hand / "Dockerfile").write_text(text)
    told = read_settings().uv_environment()
    names = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_STRATEGY")
    lines = [f"export {name}='{told[name]}'\n" for name in names if told.get(name)]
    (made.root / "index").write_text("".join(lines))
    (made.root / "index").chmod(0o600)
    (made.root / "all-wheels").mkdir()
    wanted = {(pin.name.replace("-", "_"), pin.version) for pin in pins}
    for folder in made.local:
        for wheel in folder.glob("*.whl"):
            name, version, *_ = wheel.name.split("-")
            if (name.lower(), version) in wanted:
                shutil.copy(wheel, made.root / "all-wheels")
    run(["git", "init", "-q", str(lab)])
    made.change_code(0)
    # All versions beforehand: a new file in the folder of wheels would make the heavy layer anew, by hand.
    for number in range(PAIRS + 1):
        made.change_package(PAIRS - number)
    shutil.copytree(made.root / "wheels", made.root / "all-wheels", dirs_exist_ok=True)


def seconds(job: Callable[[], None]) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def paired(made: Bench, change: Callable[[int], None]) -> tuple[float, float]:
    """The medians of ours and theirs, each pair built after the same change, in turns which goes first."""
    ours, theirs = [], []
    for number in range(1, PAIRS + 1):
        change(number)
        jobs = [(ours, made.ours), (theirs, made.theirs)]
        for times, job in jobs if number % 2 else reversed(jobs):
            times.append(seconds(job))
    return statistics.median(ours), statistics.median(theirs)


def programs_started(made: Bench) -> tuple[int, float]:
    """How often the program docker is started when nothing changed, and how long that takes."""
    shim = made.root / "bin" / "docker"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\necho started >>"{made.root}/started"\nexec "{DOCKER}" "$@"\n')
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    made.change_code(99)
    made.ours(PATH=path)
    log = made.root / "started"
    if not log.exists():
        sys.exit("the count of programs does not count: a build started none")
    log.unlink()
    took = seconds(lambda: made.ours(PATH=path))
    return len(log.read_text().splitlines()) if log.exists() else 0, took


def main() -> int:
    """Print each ratio; 1 where one is above its limit."""
    good = True
    with bench() as made:
        made.ours()
        made.theirs()
        for name, change in (("code", made.change_code), ("light package", made.change_package)):
            ours, theirs = paired(made, change)
            ratio = ours / theirs
            good = good and ratio <= LIMIT
            print(
                f"rebuild, {name} changed: {ours:.2f} s, by hand {theirs:.2f} s, "
                f"ratio {ratio:.2f} (limit {LIMIT})"
            )
        count, took = programs_started(made)
        good = good and count == 0
        print(f"rebuild, nothing changed: {took:.2f} s, {count} builds started (limit 0)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
