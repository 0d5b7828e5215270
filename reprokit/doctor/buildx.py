"""Check `buildx`: can images be built with BuildKit?"""

import re
from dataclasses import dataclass

from reprokit import process
from reprokit.doctor.model import Context, Finding
from reprokit.environments.base_image import engine_environment
from reprokit.errors import MachineError

NAME = "buildx"
TITLE = "BuildKit (buildx)"

# The first with `--progress rawjson`, which builds are followed by (its details were mended in 0.12:
# https://github.com/docker/buildx/pull/2252).
OLDEST = (0, 12)
ANSWER_S = 5.0
INSTALL = "`sudo apt-get install docker-buildx-plugin` (`docker-buildx` from Debian)"


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        docker: whether the docker program is there.
        said: what `docker buildx version` printed; null where it failed.
        builder: why the engine's own builder does not answer; null when it does.
    """

    docker: bool = True
    said: str | None = None
    builder: str | None = None


def run(context: Context) -> Finding:
    """Ask buildx for its version, and the engine's own builder whether it is there."""
    if context.engine.engine is None:
        return Finding("skip", "no engine answers")
    return decide(observe())


def decide(seen: Observed) -> Finding:
    """Images are built by the docker program, with buildx, in the engine's own builder."""
    if not seen.docker:
        return Finding(
            "fail",
            "the engine answers, but the docker program is not on PATH",
            "install `docker-cli`",
        )
    if seen.said is None:
        return Finding("fail", "the docker program has no buildx, which builds the images", INSTALL)
    version = re.search(r"\bv?(\d+)\.(\d+)(\.\d+)?", seen.said)
    if version is None:
        return Finding("warn", f"buildx does not say its version: `{seen.said[:80]}`", INSTALL)
    name = f"buildx {version.group().removeprefix('v')}"
    if (int(version[1]), int(version[2])) < OLDEST:
        return Finding("fail", f"{name} is too old: builds cannot be followed", INSTALL)
    if seen.builder is not None:
        return Finding(
            "fail",
            f"{name}, but the engine's own builder does not answer: {seen.builder}",
            "`docker buildx inspect default` says more",
        )
    return Finding("ok", f"{name}, and the engine's own builder answers")


def observe() -> Observed:
    """Run the docker program, held to the engine that runs use; 0.2 s."""
    from shutil import which

    if which("docker") is None:
        return Observed(docker=False)
    version = _ask("version")
    if isinstance(version, str) or version.code:
        return Observed()
    builder = _ask("inspect", "default")
    if isinstance(builder, str):
        return Observed(said=version.text.strip(), builder=builder)
    cause = builder.error_text.splitlines()[-1:] or [f"exit code {builder.code}"]
    return Observed(said=version.text.strip(), builder=cause[0] if builder.code else None)


def _ask(*words: str) -> process.Completed | str:
    try:
        return process.run(["docker", "buildx", *words], env=engine_environment(), timeout=ANSWER_S)
    except MachineError as error:
        return error.message
