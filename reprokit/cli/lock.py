"""`reprokit lock`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from reprokit.cli import options
from reprokit.cli.place import here
from reprokit.cli.render import Output
from reprokit.errors import ConfigError
from reprokit.values import asdict
from reprokit.workspace import Workspace

HELP = """Write the hash-locked requirements of stacks and projects.

\b
  reprokit lock                                  every stack and every project
  reprokit lock cpu                              one stack, and the projects on it
  reprokit lock projects/digits                  one project, on its stack's lock
  reprokit lock --as-of 2023-05-01               ... with what the package index had on that day
  reprokit lock --check                          say what is stale; write nothing
  reprokit lock --check --online                 ... and whether a base image's tag moved (exit 5)
"""


def lock(
    names: Annotated[list[str] | None, typer.Argument(metavar="[STACK|PROJECT]...")] = None,
    check: Annotated[
        bool, typer.Option(help="Only say what is missing or stale (exit 2).")
    ] = False,
    upgrade: Annotated[
        bool, typer.Option(help="Take newer versions where the pins allow.")
    ] = False,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="With --check: ask the registries for the base images' tags, too."
        ),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="Resolve as the index stood then; kept by later calls, `none` lifts it.",
        ),
    ] = None,
    resolver: Annotated[str, typer.Option(help="uv or pip-tools.")] = "uv",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> None:
    """Lock (see HELP)."""
    from reprokit import locking
    from reprokit.stacks.asof import parse_as_of

    if resolver not in locking.RESOLVERS:
        raise ConfigError(
            "no-resolver", f"there is no resolver `{resolver}`", hint="uv or pip-tools"
        )
    output = Output(json, quiet, verbose)
    place = here(workspace)
    targets = locking.targets(place, [_folder(place, name) for name in names or ()])
    if check:
        stale = locking.check(place, targets)
        if stale:
            raise ConfigError(
                "stale-lock", "locks are missing or stale", problems=stale, hint="`reprokit lock`"
            )
        results, images = [], _checked_images(place, targets.stacks, output) if online else []
    else:
        results = locking.write(
            place,
            targets,
            resolver=resolver,
            upgrade=upgrade,
            as_of=parse_as_of(as_of) if as_of else None,
            notice=output.note,
        )
        images = _locked_images(place, targets.stacks, output, upgrade=upgrade)
    if json:
        output.document(
            "reprokit/lock/1",
            {"stacks": list(targets.stacks), "written": results, "images": images},
        )
    elif check:
        output.note("every lock is what its inputs ask for")
    else:
        output.next("reprokit dockerfile" if targets.stacks else "reprokit run CONFIG")


def _locked_images(
    place: Workspace, stacks: Sequence[str], output: Output, *, upgrade: bool
) -> list[dict[str, object]]:
    from reprokit.environments.registry import lock_base_images

    results = lock_base_images(place, stacks, renew=upgrade)
    for result in results:
        output.note(f"  {result.line()}")
    return [result.document() for result in results]


def _checked_images(
    place: Workspace, stacks: Sequence[str], output: Output
) -> list[dict[str, object]]:
    from reprokit.environments.registry import check_base_images

    answers = check_base_images(place, stacks)
    for answer in answers:
        output.note(f"  base image {answer.name}: {answer.digest or answer.reason}")
    return [asdict(answer) for answer in answers]


def _folder(place: Workspace, name: str) -> str:
    """A project may be named by its folder or its config; a stack by its name."""
    path = Path(name)
    if path.name == "config.yaml":
        path = path.parent
    return str(path) if (place.stacks / name / "stack.yaml").is_file() else str(path.absolute())
