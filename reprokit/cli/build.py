"""`reprokit build`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from reprokit.cli import options
from reprokit.cli.render import Output
from reprokit.config import load_config
from reprokit.engines import checked_name
from reprokit.environments.provide import choose_engine, of_image, provide
from reprokit.errors import ConfigError, IntegrityError
from reprokit.suggest import did_you_mean
from reprokit.workspace import Workspace, find

if TYPE_CHECKING:
    from reprokit.environments.image import Target
    from reprokit.environments.verify import Verification

HELP = """Make the environment of a project: an image with Docker, a virtual environment without.

\b
  reprokit build projects/digits/config.yaml
  reprokit build CONFIG --target prod            with the code as it is now, to take elsewhere
  reprokit build CONFIG --target dev             with the tools of a person who debugs
  reprokit build CONFIG --verify                 build twice from nothing; exit 5 if they differ
  reprokit build CONFIG --engine venv
"""
TARGETS = ("environment", "prod", "dev")
SHOWN_DIFFERENCES = 20


def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The project's config.yaml.")],
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="environment, prod (with the code) or dev.")
    ] = "environment",
    verify: Annotated[
        bool, typer.Option("--verify", help="Build twice from nothing and compare.")
    ] = False,
    progress: Annotated[
        str, typer.Option(metavar="MODE", help="bar, lines, none, or auto: a bar in a terminal.")
    ] = "auto",
    engine: options.EngineName = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> int:
    """Make an environment (see HELP)."""
    from reprokit.cli.buildbar import MODES

    _known("--target", target, TARGETS)
    _known("--progress", progress, MODES)
    output = Output(json, quiet, verbose)
    place = find(workspace or config.absolute().parent)
    if verify or target != "environment":
        name, reason = _docker(checked_name(engine), target)
    else:
        name, reason = choose_engine(checked_name(engine))
    output.note(f"engine {name}: {reason}")
    if name == "venv":
        return _venv(output, place, config)
    job = _verify if verify else _image
    return job(output, place, config, cast("Target", target), progress)


def _docker(engine: str, target: str) -> tuple[str, str]:
    if engine == "venv":
        raise ConfigError(
            "no-image",
            f"a virtual environment is no image: it has no target `{target}` and no second build",
            where="--engine",
            hint="leave `--engine` out",
        )
    return "docker", "only an engine has images"


def _venv(output: Output, place: Workspace, config: Path) -> int:
    made = provide(
        place,
        load_config(config),
        config.absolute().parent,
        "venv",
        lambda line: output.note(f"  {line}"),
    )
    if output.as_json:
        output.document("reprokit/build/1", {"environment": made.document()})
    else:
        output.note(f"environment {made.id}: {made.location}")
        output.next(f"reprokit run {config}")
    return 0


def _image(output: Output, place: Workspace, config: Path, target: "Target", progress: str) -> int:
    from reprokit.cli.buildbar import BuildBar
    from reprokit.environments.build import build_target

    with BuildBar(output, progress) as bar:
        made = build_target(
            place,
            load_config(config),
            config.absolute().parent,
            target,
            on_step=bar.step,
            on_bytes=bar.amount,
        )
    image = made.image
    if output.as_json:
        how: dict[str, Any] = {
            "target": target,
            "built": made.built,
            "builder": image.builder,
            "labels": dict(made.order.labels),
            "log": str(image.log),
        }
        environment = of_image(image, made.order.locks).document()
        output.document("reprokit/build/1", {"environment": environment, "image": how})
        return 0
    _say_builder(output, image.builder)
    output.note(
        f"image {image.reference}: {'built' if made.built else 'is there, nothing changed'}"
    )
    if made.built:
        output.note(f"log {image.log}")
    output.next(f"reprokit {'dev' if target == 'dev' else 'run'} {config}")
    return 0


def _verify(output: Output, place: Workspace, config: Path, target: "Target", progress: str) -> int:
    from reprokit.cli.buildbar import BuildBar
    from reprokit.environments.build import verify_target

    with BuildBar(output, progress) as bar:
        result = verify_target(
            place,
            load_config(config),
            config.absolute().parent,
            target,
            on_step=bar.step,
            on_bytes=bar.amount,
        )
    if output.as_json:
        output.document("reprokit/image-verification/1", {"verification": result.document()})
        return 0 if result.identical else IntegrityError.exit_code
    _say_builder(output, result.builder)
    output.data(f"first   {result.first.digest}")
    output.data(f"second  {result.second.digest}")
    if not result.identical:
        _show_differences(output, result)
        raise IntegrityError(
            "not-reproducible",
            f"{result.reference}: two builds of the same lock are two images",
            where=str(result.log),
            hint="what differs stands above; a time, a random name or a file of another place is the usual cause",
        )
    output.note(f"image {result.reference}: two builds from nothing are the same, bit for bit")
    return 0


def _show_differences(output: Output, result: "Verification") -> None:
    for difference in result.differences[:SHOWN_DIFFERENCES]:
        output.data(f"  {difference.line()}")
    more = len(result.differences) - SHOWN_DIFFERENCES
    if more > 0:
        output.note(f"  and {more} more; `--json` has them all")
    if not result.differences:
        output.note(
            "  every file is the same: only the packing or the history of the image differs"
        )


def _say_builder(output: Output, builder: str) -> None:
    if builder == "classic":
        from reprokit.environments.image import NO_BUILDX

        output.note(NO_BUILDX)


def _known(option: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ConfigError(
            "usage",
            f"`{word}` is not one of {', '.join(words)}",
            where=option,
            hint=did_you_mean(word, words),
        )
