"""One image build: the argv of `docker buildx build`, its progress, its log and its failure."""

import base64
import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from reprokit import process
from reprokit.environments.base_image import engine_environment
from reprokit.errors import MachineError, ReproKitError
from reprokit.redact import cut
from reprokit.values import dataclass, field

# Step name, steps that are done, steps known so far.
OnStep = Callable[[str, int, int], None]
# Step name, bytes so far, bytes in all.
OnBytes = Callable[[str, int, int], None]
_KEPT_LINES = 40
_SHOWN_LINES = 12
_SHOWN_NAME = 120


@dataclass(frozen=True)
class Build:
    """What to build.

    Attributes:
        dockerfile: path of the Dockerfile.
        context: the folder that it sees.
        target: its stage.
        tag: the image's name.
        platform: e.g. `linux/amd64`.
        arguments: build arguments; they show in the image's history, so nothing secret.
        labels: labels of the image.
        contexts: named contexts: folders that replace stages of the same name.
        secret_files: secret's id -> file.
        secrets: secret's id -> value; handed over in the environment: on no disk, in no argv.
        log: file that gets all that the build says.
        fresh: use no layer of an earlier build.
    """

    dockerfile: Path
    context: Path
    target: str
    tag: str
    platform: str
    log: Path
    fresh: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Path] = field(default_factory=dict)
    secret_files: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def buildx_argv(build: Build) -> list[str]:
    """The argv. It names the engine's own builder: an image of any other is not in the engine."""
    argv = ["docker", "buildx", "build", "--builder", "default", "--progress", "rawjson"]
    # Attestations hold the time of the build: with them no two builds give the same image.
    argv += ["--provenance=false", "--sbom=false"]
    argv += ["--no-cache"] if build.fresh else []
    argv += ["--platform", build.platform, "--target", build.target, "--tag", build.tag]
    for name, value in build.arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    for name, value in build.labels.items():
        argv += ["--label", f"{name}={value}"]
    for name, folder in build.contexts.items():
        argv += ["--build-context", f"{name}={folder}"]
    for name, path in build.secret_files.items():
        argv += ["--secret", f"id={name},{_csv(f'src={path}')}"]
    for name in build.secrets:
        argv += ["--secret", f"id={name},env={_variable(name)}"]
    return [*argv, "--file", str(build.dockerfile), str(build.context)]


def run_build(
    build: Build,
    *,
    on_step: OnStep,
    explain: Callable[[str], ReproKitError | None],
    on_bytes: OnBytes | None = None,
) -> None:
    """Build the image, or say why not.

    Args:
        build: what to build.
        on_step: is told of each step as it begins or ends.
        on_bytes: is told of what a step fetches or writes, as far as buildx counts it.
        explain: turns what a failed step printed into an error, where it knows its words.

    Raises:
        ReproKitError: whatever `explain` made of the failed step.
        MachineError: no buildx, a full disk, or a step failed: with its last lines and the log.
    """
    environment = engine_environment()
    environment.pop("SOURCE_DATE_EPOCH", None)
    environment |= {_variable(name): value for name, value in build.secrets.items()}
    build.log.parent.mkdir(parents=True, exist_ok=True)
    with build.log.open("w", encoding="utf-8") as log:
        progress = Progress(log, on_step, on_bytes)
        code = process.stream(buildx_argv(build), env=environment, on_line=progress.take)
        progress.flush()
    if code:
        raise failure(progress, build.log, explain)


class Progress:
    """Reads buildx's JSON lines: writes the log, counts steps, keeps the end of their output."""

    def __init__(self, log: TextIO, on_step: OnStep, on_bytes: OnBytes | None = None) -> None:
        self._log = log
        self._on_step = on_step
        self._on_bytes = on_bytes
        self._names: dict[str, str] = {}
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._unfinished: dict[str, bytes] = {}
        self._lines: dict[str, deque[str]] = {}
        self.failed: str | None = None
        self.plain: deque[str] = deque(maxlen=_KEPT_LINES)

    def take(self, line: bytes) -> None:
        """One line as buildx printed it; after a failure some are plain text."""
        document = _document(line)
        if document is None:
            text = cut(line.decode("utf-8", "replace").rstrip())
            if text:
                self.plain.append(text)
                self._log.write(text + "\n")
            return
        for vertex in document.get("vertexes") or ():
            self._step(vertex)
        for status in document.get("statuses") or ():
            self._amount(status)
        for entry in document.get("logs") or ():
            self._output(entry["vertex"], base64.b64decode(entry.get("data") or ""))

    def tail(self) -> list[str]:
        """The end of what the failed step printed, or buildx itself where no step failed."""
        return list(self._lines.get(self.failed or "", ())) or list(self.plain)

    def step(self) -> str | None:
        """The name of the step that failed."""
        return self._names.get(self.failed or "")

    def flush(self) -> None:
        """Write out lines that never ended."""
        for digest in list(self._unfinished):
            self._output(digest, b"\n")

    def _step(self, vertex: Mapping[str, Any]) -> None:
        digest, name = vertex["digest"], cut(vertex.get("name", ""))
        self._names[digest] = name
        if vertex.get("started") and digest not in self._begun:
            self._begun.add(digest)
            self._log.write(f"=> {name}\n")
        if vertex.get("completed") and digest not in self._done:
            self._done.add(digest)
            self._log.write(f"{'== cached' if vertex.get('cached') else '== done'}: {name}\n")
        error = vertex.get("error") or ""
        if error and self.failed is None and "context canceled" not in error:
            self.failed = digest
            self._log.write(f"!! {cut(error)}\n")
        if not name.startswith("[internal]"):
            self._on_step(shown(name), len(self._done), len(self._names))

    def _amount(self, status: Mapping[str, Any]) -> None:
        """Bytes of a transfer; what has no total, or is done, tells nobody how long it will take."""
        current, total = status.get("current") or 0, status.get("total") or 0
        if self._on_bytes is not None and total:
            name = self._names.get(status.get("vertex", ""), "")
            self._on_bytes(shown(name), current, total)

    def _output(self, digest: str, data: bytes) -> None:
        *lines, rest = (self._unfinished.pop(digest, b"") + data).split(b"\n")
        if rest:
            self._unfinished[digest] = rest
        kept = self._lines.setdefault(digest, deque(maxlen=_KEPT_LINES))
        for line in lines:
            text = cut(line.decode("utf-8", "replace").rstrip("\r"))
            kept.append(text)
            self._log.write(f"   {text}\n")


def failure(
    progress: Progress, log: Path, explain: Callable[[str], ReproKitError | None]
) -> ReproKitError:
    """The error for a build that failed."""
    lines = progress.tail()
    said = "\n".join([*lines, *progress.plain])
    if _NO_BUILDX.search(said):
        return MachineError(
            "no-buildx",
            "the docker program has no buildx, which builds the images",
            hint="`sudo apt-get install docker-buildx-plugin` (`docker-buildx` from Debian)",
        )
    if "no space left on device" in said:
        return MachineError(
            "disk-full",
            "the engine has no space left to build the image",
            where=str(log),
            hint="`docker system prune` and `docker builder prune` free some",
        )
    explained = explain("\n".join(lines)) if progress.failed else None
    if explained is not None:
        return explained
    step = f"at `{shown(progress.step() or '')}`" if progress.step() else "before its first step"
    last = [line for line in lines if line.strip()][-_SHOWN_LINES:]
    return MachineError(
        "image-build",
        "\n".join([f"the image build failed {step}:", *(f"  {line}" for line in last)]),
        where=str(log),
        hint="the whole log is in the file above",
    )


_NO_BUILDX = re.compile(
    r"'buildx' is not a docker command|unknown flag: --builder|unknown command: docker buildx"
)


def shown(name: str) -> str:
    """A step's name for people: without the mounts, and what our layers do in a few words."""
    words = re.sub(r"--mount=\S+\s+|/run/reprokit/(recipe/|locks/)?", "", " ".join(name.split()))
    return words.replace("RUN layer ", "")[:_SHOWN_NAME]


def _document(line: bytes) -> dict[str, Any] | None:
    import json

    if not line.startswith(b"{"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _variable(secret: str) -> str:
    return f"REPROKIT_SECRET_{secret.upper()}"


def _csv(field_text: str) -> str:
    """A field of an option that buildx reads as comma-separated values."""
    if "," not in field_text and '"' not in field_text:
        return field_text
    return '"' + field_text.replace('"', '""') + '"'
