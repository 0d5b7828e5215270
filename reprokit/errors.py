"""What can go wrong, told so that a person can act on it: what happened, where, and the command that fixes it.

Every error that ReproKit raises on purpose is a `ReproKitError`. Its class decides the exit code of the
command line; its `code` is a short stable name that programs and documentation can rely on.
"""

from collections.abc import Sequence
from typing import ClassVar

from reprokit.values import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in a file: `where` is `path:line:column` or a key path, `message` says the rule."""

    where: str
    message: str
    hint: str | None = None


class ReproKitError(Exception):
    """Base of every expected failure.

    Attributes:
        code: stable short name, e.g. `stale-lock`; shown as `error[stale-lock]: ...`.
        message: what happened, in one sentence.
        where: the file, key or program that it is about, if there is one.
        hint: what to do next; commands stand in backticks.
        problems: every single mistake, where several were found at once.
        exit_code: what the command line exits with.
    """

    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint
        self.problems = tuple(problems)

    def document(self) -> dict[str, object]:
        """The error as the `--json` document that programs read."""
        return {
            "schema": "reprokit/error/1",
            "error": {
                "code": self.code,
                "message": self.message,
                "where": self.where,
                "hint": self.hint,
                "problems": [vars(problem) for problem in self.problems],
                "exit_code": self.exit_code,
            },
        }


class TrainingFailedError(ReproKitError):
    """The user's own program ended with an error; the record keeps its exit code."""

    exit_code = 1


class ConfigError(ReproKitError):
    """A config, a stack, a lock or a command line that does not say something valid."""

    exit_code = 2


class NotFoundError(ReproKitError):
    """A run, a stack, a project or a file that was named is not there."""

    exit_code = 3


class MachineError(ReproKitError):
    """This machine or environment cannot do what was asked (no engine, no GPU, no index, no disk)."""

    exit_code = 4


class IntegrityError(ReproKitError):
    """Bytes are not what a record, a lock or a manifest says that they are."""

    exit_code = 5


class LockedError(ReproKitError):
    """Another process holds what this one needs."""

    exit_code = 7


class InterruptedRunError(ReproKitError):
    """The user stopped the run."""

    exit_code = 130
