"""The record of a run (`run.json`), schema-versioned.

The models are plain frozen dataclasses so that writing a record imports nothing heavy; reading one validates it with
pydantic, which also prints their JSON Schema (`reprokit schema`).
"""

from typing import Any, Literal

from reprokit.values import dataclass, field

SCHEMA: Literal["reprokit/run/1"] = "reprokit/run/1"

State = Literal["preparing", "running", "completed", "failed", "stopped", "lost"]
STATES: tuple[State, ...] = ("preparing", "running", "completed", "failed", "stopped", "lost")
FINAL: tuple[State, ...] = ("completed", "failed", "stopped", "lost")


@dataclass(frozen=True)
class Exit:
    """How the training ended.

    Attributes:
        code: its exit code, 0 to 255 (128 + n when killed by signal n); null when nobody saw it.
        signal: name of the signal that killed it, or null.
        reason: stable word: completed, stopped, exit-code, python-error, signal, out-of-memory,
            non-finite-loss, cannot-start, lost, not-launched.
        message: one line for people.
    """

    code: int | None
    signal: str | None
    reason: str
    message: str


@dataclass(frozen=True)
class Process:
    """Which processes supervise and train: known again by their start (clock ticks since boot).

    `private` is the run's own HOME and TMPDIR, which the supervisor removes at the end; null in containers.
    """

    supervisor: int
    supervisor_ticks: int | None
    training: int
    training_ticks: int | None
    boot: str
    private: str | None = None


@dataclass(frozen=True)
class Usage:
    """What the training used: CPU seconds and its largest resident memory in bytes."""

    user_s: float
    system_s: float
    max_rss_bytes: int


@dataclass(frozen=True)
class EngineRecord:
    """What isolates the run, why it was chosen, and the handle by which the engine knows it.

    `released` is false as long as the engine still keeps something for the run (a container); `unenforced` names the
    resources that it cannot limit.
    """

    name: str
    reason: str
    handle: dict[str, Any] = field(default_factory=dict)
    released: bool = True
    unenforced: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentRecord:
    """What the lock became: `kind` (venv, image), its content id and where or what it is.

    `base` is the base image's digest; `mirror` the name under which it was found, if not its own.
    """

    id: str
    kind: str
    location: str
    digest: str | None = None
    base: str | None = None
    mirror: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """One execution, as far as it has come. Times are UTC, ISO 8601 with milliseconds."""

    schema: Literal["reprokit/run/1"]
    id: str
    project: str
    state: State
    created: str
    argv: list[str]
    engine: EngineRecord
    environment: EnvironmentRecord
    reprokit: str
    host: str
    started: str | None = None
    ended: str | None = None
    exit: Exit | None = None
    usage: Usage | None = None
    process: Process | None = None
    scheduler: str = "local"

    @property
    def final(self) -> bool:
        """Whether the state can no longer change."""
        return self.state in FINAL
