"""`reprokit check`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reprokit import layout
from reprokit.cli import options
from reprokit.cli.place import here
from reprokit.cli.render import CYAN, DIM, Output, style
from reprokit.errors import MachineError
from reprokit.values import replace

if TYPE_CHECKING:
    from reprokit.stacks.compatibility import Report
    from reprokit.stacks.machine import Machine
    from reprokit.stacks.nearest import Candidate
    from reprokit.subject import Subject

HELP = """Say whether a stack can run: here, or on a machine that you describe. Nothing is built or fetched.

\b
  reprokit check torch2.5-cu124                  on this machine
  reprokit check projects/digits/config.yaml     a project, with the GPUs that it asks for
  reprokit check @last                           a run that was recorded
  reprokit check torch2.5-cu124 --gpu H100 --driver 550.54

Exit code 0: nothing says no; 4: it cannot run, and the nearest stacks that can are named.
"""


def check(
    name: Annotated[str, typer.Argument(metavar="STACK|RUN|CONFIG")],
    gpu: Annotated[
        list[str] | None,
        typer.Option(help="A GPU of that machine: H100, or its compute capability 9.0."),
    ] = None,
    driver: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The driver of that machine.")
    ] = None,
    engine: options.EngineName = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,  # noqa: ARG001 - read by cli.app
    workspace: options.WorkspaceDir = None,
) -> int:
    """Check a stack (see HELP)."""
    from reprokit.engines import checked_name
    from reprokit.environments.provide import choose_engine
    from reprokit.stacks.compatibility import examine
    from reprokit.stacks.nearest import nearest
    from reprokit.stacks.resolution import resolve_file
    from reprokit.stacks.room import room_for
    from reprokit.subject import shipped, subject

    output = Output(json, quiet, verbose)
    place = here(workspace)
    what = subject(place, name)
    resolved = resolve_file(what.stack, place.root)
    # What a described machine has to offer cannot be asked: an image is the way to it.
    wanted = "docker" if gpu and engine == "auto" else checked_name(engine)
    taken, why = choose_engine(wanted)
    machine = _machine(tuple(gpu or ()), driver, taken, what.gpus)
    room = None if machine.described else room_for(what.pins, layout.home())
    report = examine(resolved, machine, gpus=what.gpus, engine=taken, room=room)
    near: tuple[Candidate, ...] = ()
    if report.verdict == "no":
        near = nearest(resolved, machine, shipped=shipped(place))
    if json:
        output.document("reprokit/check/1", _document(what, report, near, taken, why))
    else:
        _show(output, what, report, near, f"{taken}: {why}")
    return MachineError.exit_code if report.verdict == "no" else 0


def _machine(names: tuple[str, ...], driver: str | None, engine: str, gpus: int) -> "Machine":
    from reprokit.stacks import machine as model

    if names:
        return model.described(names, driver)
    from reprokit.machine import look

    machine = look.here()
    if driver is not None:
        told = model.described((), driver)
        return replace(machine, driver=told.driver, cuda=None)
    if engine != "docker" or not gpus:
        return machine
    from reprokit.machine.engine import hands_out_gpus

    return replace(machine, toolkit=hands_out_gpus())


def _document(
    what: "Subject", report: "Report", near: "tuple[Candidate, ...]", engine: str, why: str
) -> dict[str, object]:
    return {
        "subject": {"kind": what.kind, "name": what.name, "gpus": what.gpus},
        "verdict": report.verdict,
        "engine": {"name": engine, "reason": why},
        "stack": report.stack.document(),
        "machine": report.machine.document(),
        "findings": [finding.document() for finding in report.findings],
        "nearest": [candidate.document() for candidate in near],
    }


def _show(
    output: Output,
    what: "Subject",
    report: "Report",
    near: "tuple[Candidate, ...]",
    engine: str,
) -> None:
    where = "the machine described" if report.machine.described else "this machine"
    output.data(f"{report.verdict}: {what.kind} {what.name} on {where} (engine {engine})")
    for finding in report.findings:
        output.data(f"  {finding.verdict:8}{finding.check:10} {finding.message}")
        if finding.row and not output.quiet:
            source = f" [{', '.join(finding.source)}]" if finding.source else ""
            output.data(style(f"{'':21}row: {finding.row}{source}", DIM, sys.stdout))
        if finding.fix and finding.verdict != "yes":
            output.data(style(f"{'':21}fix: {finding.fix}", CYAN, sys.stdout))
    if output.verbose:
        _sources(output, report)
    if report.verdict == "no":
        _show_nearest(output, near)


def _sources(output: Output, report: "Report") -> None:
    from reprokit.stacks.facts import sources

    keys = sorted({key for finding in report.findings for key in finding.source})
    output.facts([(f"  [{key}]", sources()[key]) for key in keys])


def _show_nearest(output: Output, near: "tuple[Candidate, ...]") -> None:
    if not near:
        output.data("no other stack of the tables runs there either: see the fixes above")
        return
    output.data("the nearest that can:")
    for number, candidate in enumerate(near, 1):
        output.data(f"  {number}. {candidate.told()}")
        output.data(f"     changes: {'; '.join(candidate.changes)}")
        output.data(f"     trust: {candidate.trust}")
    if near[0].stack:
        output.next(f"reprokit check {near[0].stack}")
    else:
        build = f'torch: "{near[0].torch}", variant: {near[0].variant}'
        output.note(f"to use the first, write `envs/NAME/stack.yaml` with {build}, then lock it")
