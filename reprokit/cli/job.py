"""What `reprokit run` does, once its words have been read: by `cli.run`, or by `cli.plain`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from reprokit import launch
from reprokit.cli.render import Output
from reprokit.cli.watcher import TerminalWatcher
from reprokit.engines import checked_name
from reprokit.interrupts import counted
from reprokit.workspace import find

if TYPE_CHECKING:
    from reprokit.launch import Ready


def perform(
    config: Path,
    *,
    override: Sequence[str] = (),
    seed: int | None = None,
    engine: str = "auto",
    detach: bool = False,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    workspace: Path | None = None,
) -> int:
    """Run a training and show it; the exit code of the command.

    Raises:
        ReproKitError: it could not start, or it failed (`TrainingFailedError`).
    """
    output = Output(json, quiet, verbose)
    watcher = TerminalWatcher(output)
    overrides = [*override, *([] if seed is None else [f"seed={seed}"])]
    request = launch.Request(config, overrides, checked_name(engine))
    place = find(workspace or config.absolute().parent)
    with ExitStack() as stack:
        with launch.ready(place, request, watcher, dry_run=dry_run) as ready:
            if dry_run:
                _show_command(output, ready)
                return 0
            interrupts = stack.enter_context(counted())
            started = launch.start(ready)
        output.note(f"run {started.record.id}")
        # Imported while the training starts, which needs none of it.
        from reprokit.cli import outcome

        if detach:
            return outcome.show_detached(output, started.launch.paths)
        return outcome.watch(output, watcher, started, interrupts)


def _show_command(output: Output, ready: "Ready") -> None:
    command = launch.command(ready)
    if output.as_json:
        plan = ready.launch.plan.document()
        output.document("reprokit/dry-run/1", {"command": command, "plan": plan})
    else:
        import shlex

        output.data(shlex.join(command))
