"""Giving up a stored source that no run has come to need."""

from pathlib import Path

from reprokit.source import git
from reprokit.source.capture import reference


def forget(root: Path, run_id: str) -> None:
    """Delete the reference to the source of a run that was never started.

    Its objects become garbage, which git collects in its own time. Without a repository there is nothing to do:
    the archive lies in the run's folder.

    Args:
        root: the workspace, as for `capture`.
        run_id: the run; one without a reference is fine.

    Raises:
        MachineError: git fails.
    """
    repository = git.discover(root.resolve())
    if repository is not None:
        git.tell(repository.top, "update-ref", "-d", reference(run_id))
