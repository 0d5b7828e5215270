"""Where everything lies on disk: the user's store of environments and one run's folder."""

import os
from pathlib import Path

from reprokit.errors import MachineError
from reprokit.values import dataclass


def home() -> Path:
    """The user's store, shared by all workspaces: environments and kits, named by their content.

    `$REPROKIT_HOME`, else `$XDG_CACHE_HOME/reprokit`, else `~/.cache/reprokit`.
    """
    if chosen := os.environ.get("REPROKIT_HOME"):
        return Path(chosen).absolute()
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache).absolute() / "reprokit"
    try:
        return Path.home() / ".cache" / "reprokit"
    except RuntimeError as error:
        raise MachineError(
            "no-home", "there is no home folder", hint="set REPROKIT_HOME to a folder of yours"
        ) from error


@dataclass(frozen=True)
class RunPaths:
    """Every path of one run. `root` is the run folder; plain files in it are the truth."""

    root: Path

    @property
    def record(self) -> Path:
        """State, times, exit, command: the run's own word about itself."""
        return self.root / "run.json"

    @property
    def plan(self) -> Path:
        """What was meant."""
        return self.root / "plan.json"

    @property
    def snapshot(self) -> Path:
        """What was observed."""
        return self.root / "snapshot.json"

    @property
    def config(self) -> Path:
        """The config as resolved: the file, with the command line's overrides."""
        return self.root / "config.yaml"

    @property
    def source(self) -> Path:
        """Commit, tree, dirty?, ref of the exact code."""
        return self.root / "source.json"

    @property
    def data(self) -> Path:
        """The datasets by digest."""
        return self.root / "data.json"

    @property
    def requirements(self) -> Path:
        """The one lock that the environment was made from: the stack's, then the project's."""
        return self.root / "requirements.lock"

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile that the image was built from."""
        return self.root / "Dockerfile"

    @property
    def log(self) -> Path:
        """The training's own standard output and error, byte for byte."""
        return self.root / "logs" / "output.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor had to say; empty when all went well."""
        return self.root / "logs" / "supervisor.log"

    @property
    def lock(self) -> Path:
        """Held (flock) by the supervisor and by the training for as long as one of them lives."""
        return self.root / "run.lock"

    @property
    def order(self) -> Path:
        """The launch order that the supervisor reads (docs/architecture.md)."""
        return self.root / "launch.json"

    @property
    def stop(self) -> Path:
        """Written before a stop is asked for, so that the end is known as one that was wanted."""
        return self.root / "stop.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line."""
        return self.root / "metrics.jsonl"

    @property
    def progress(self) -> Path:
        """Epoch, step and loss right now; replaced, never appended to."""
        return self.root / "progress.json"

    @property
    def observed(self) -> Path:
        """What each process of the training saw in force at its end, a file a process."""
        return self.root / "observed"

    @property
    def given(self) -> tuple[Path, ...]:
        """The files that are whole before the training starts and that nobody changes afterwards."""
        whole = (self.plan, self.config, self.source, self.data, self.requirements, self.dockerfile)
        return (*whole, self.root / "source.tar")

    @property
    def work(self) -> Path:
        """The materialised copy of the source that the training runs in."""
        return self.root / "work"
