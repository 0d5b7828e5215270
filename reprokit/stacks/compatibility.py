"""A stack and a machine -> whether the one runs on the other, with the rows that say so. Nothing is run or read."""

from collections.abc import Iterator, Sequence

from reprokit.errors import MachineError, Problem
from reprokit.stacks import surroundings
from reprokit.stacks.facts import lookup
from reprokit.stacks.facts.lookup import at_least, numbers
from reprokit.stacks.facts.rows import Build, Kernels, MinorVersion, Toolkit
from reprokit.stacks.findings import Finding, Verdict, overall
from reprokit.stacks.machine import Card, Machine
from reprokit.stacks.model import Stack
from reprokit.stacks.resolution import ResolvedStack, minimum_driver, resolve_stack
from reprokit.stacks.room import Room
from reprokit.values import dataclass


@dataclass(frozen=True)
class Report:
    """Whether a stack can run on a machine: `findings`, and the answer to the whole."""

    stack: ResolvedStack
    machine: Machine
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """`yes`, `no`, or `unknown` where nothing says no and something that decides is not known."""
        return overall(self.findings)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.findings if finding.verdict == "no")


def examine(
    stack: ResolvedStack,
    machine: Machine,
    *,
    gpus: int,
    engine: str | None = None,
    room: Room | None = None,
) -> Report:
    """Check a stack against a machine.

    Args:
        stack: the stack.
        machine: this one, or one that was described.
        gpus: how many GPUs it is to run on; 0: driver and GPUs do not matter.
        engine: `docker` or `venv`; None: what depends on it is left out.
        room: what is known of the size of its lock.
    """
    build = stack.build
    found: list[Finding] = [surroundings.processor(stack, machine)]
    if stack.stack.variant == "cpu" or not gpus:
        found.append(
            Finding("gpu", "yes", "it is to run on the processor: no driver and no GPU is needed")
        )
    elif build is None or not build.verified:
        found.append(_uncovered(stack))
    else:
        usable = accelerated(build, stack.stack.platform, machine)
        found += surroundings.forwarded(usable, build, stack, machine, engine)
        found += _enough(machine, gpus)
        found += surroundings.container(stack, machine, engine)
    found += surroundings.system(stack, machine, engine, room)
    return Report(stack, machine, tuple(found))


def need_runnable(
    stack: Stack, machine: Machine, *, gpus: int, engine: str, shipped: Sequence[Stack] = ()
) -> None:
    """Stop before anything is built for a stack that cannot run on this machine.

    Milliseconds, no network. What is unknown is let through: it was not refused by a fact.

    Args:
        stack: the stack.
        machine: this machine (`reprokit.machine.look.here`).
        gpus: how many GPUs the run asks for.
        engine: `docker` or `venv`.
        shipped: the workspace's stacks: the nearest one is named if it is among these.

    Raises:
        MachineError: `stack-cannot-run`, with the rows that say so and the nearest stack that can.
        ConfigError: the stack never existed.
    """
    resolved = resolve_stack(stack)
    report = examine(resolved, machine, gpus=gpus, engine=engine)
    if report.verdict != "no":
        return
    from reprokit.stacks.nearest import nearest

    near = nearest(resolved, machine, shipped=shipped)
    hint = f"the nearest that can: {near[0].told()}" if near else report.refusals[0].fix
    raise MachineError(
        "stack-cannot-run",
        f"the stack {stack.name} cannot run here: {report.refusals[0].message}",
        where=_place(report.refusals[0]),
        hint=f"{hint}; `reprokit check {stack.name}` tells more",
        problems=[
            Problem(_place(finding), finding.message, finding.fix) for finding in report.refusals
        ],
    )


def accelerated(build: Build, platform: str, machine: Machine) -> Iterator[Finding]:
    """What the driver and each GPU say of a build for CUDA."""
    yield driver(build, machine)
    kernels = build.kernels(platform)
    seen: set[tuple[str, str | None]] = set()
    for card in machine.cards:
        if (card.name, card.capability) not in seen:
            seen.add((card.name, card.capability))
            yield gpu(build, kernels, card, machine)
            yield from _gone(card, machine)


def driver(build: Build, machine: Machine) -> Finding:
    """Whether the driver is new enough for the build's CUDA."""
    cuda = build.cuda or ""
    row, toolkit = lookup.minor_version(cuda), lookup.first_toolkit(cuda)
    oldest = _oldest(cuda, row, toolkit, wsl=machine.wsl)
    source, name = _driver_row(cuda, row, toolkit)
    system = "Windows " if machine.wsl else ""
    wanted = f"{system}driver {oldest} or newer" if oldest else f"a {system}driver for CUDA {cuda}"
    if machine.driver is None:
        why = "its driver was not told" if machine.described else f"{machine.reason or 'no driver'}"
        fix = f"`--driver VERSION`; it needs {wanted}" if machine.described else f"install {wanted}"
        verdict: Verdict = "unknown" if machine.described else "no"
        return Finding("driver", verdict, f"CUDA {cuda} needs {wanted}; {why}", name, source, fix)
    if machine.cuda and numbers(machine.cuda) >= numbers(cuda):
        message = (
            f"driver {machine.driver} says that it serves CUDA {machine.cuda}; the build has {cuda}"
        )
        return Finding("driver", "yes", message, "rules backward", lookup.rule("backward").source)
    if oldest is None:
        message = f"which {system}driver CUDA {cuda} needs is not established (this one: {machine.driver})"
        return Finding("driver", "unknown", message, name, source, "update the driver")
    if at_least(machine.driver, oldest):
        return Finding("driver", "yes", _new_enough(machine, cuda, oldest, toolkit), name, source)
    return _too_old(machine, cuda, oldest, name, source)


def _oldest(
    cuda: str, row: MinorVersion | None, toolkit: Toolkit | None, *, wsl: bool
) -> str | None:
    if not wsl:
        return minimum_driver(cuda)
    if row and row.windows_driver:
        return row.windows_driver
    return toolkit.windows_driver if toolkit else None


def _driver_row(
    cuda: str, row: MinorVersion | None, toolkit: Toolkit | None
) -> tuple[tuple[str, ...], str]:
    if row and row.driver:
        return row.source, f"minor_versions {row.major}: driver {row.driver}"
    if toolkit:
        return toolkit.source, f"toolkits {toolkit.release}: driver {toolkit.driver}"
    return (), f"toolkits {cuda}: not in the table"


def _new_enough(machine: Machine, cuda: str, oldest: str, toolkit: Toolkit | None) -> str:
    message = f"driver {machine.driver} is {oldest} or newer"
    own = None if toolkit is None or machine.wsl else toolkit.driver
    if own and not at_least(machine.driver or "", own):
        message += (
            f"; older than CUDA {cuda}'s own ({own}): minor-version compatibility, without PTX"
        )
    return message


def _too_old(
    machine: Machine, cuda: str, oldest: str, row: str, source: tuple[str, ...]
) -> Finding:
    fix = f"install driver {oldest} or newer"
    kinds = {card.kind for card in machine.cards}
    if kinds == {"datacenter"} and not machine.wsl:
        package = f"cuda-compat-{cuda.replace('.', '-')}"
        fix += f"; or, as these are data-centre GPUs, {package} inside the image (forward compatibility)"
        source = (*source, *lookup.rule("forward-compatibility").source)
    elif kinds & {"consumer", "workstation"}:
        fix += "; forward compatibility (cuda-compat) is not for these GPUs"
    message = f"driver {machine.driver} is too old for CUDA {cuda}: it needs {oldest} or newer"
    return Finding("driver", "no", message, row, source, fix)


def gpu(build: Build, kernels: Kernels | None, card: Card, machine: Machine) -> Finding:
    """Whether the build has machine code, or PTX, for one GPU."""
    name = f"builds {build.torch} {build.variant}"
    if card.capability is None:
        row = lookup.gpu(card.name)
        message = f"the compute capability of {card.name} is not established"
        fix = "give it: `--gpu 9.0`" if machine.described else None
        source = row.source if row else ()
        return Finding("gpu", "unknown", message, row and f"gpus {row.name}", source, fix)
    told = f"{card.name} ({card.capability})"
    if card.kind == "jetson":
        message = f"{told}: what runs on a Jetson is set by its JetPack, which no table here covers"
        return Finding("gpu", "unknown", message, name, build.source)
    if kernels is None:
        message = f"what torch {build.torch} {build.variant} was compiled for is not established"
        return Finding("gpu", "unknown", f"{told}: {message}", name, build.source)
    row_text = f"{name}: sass {' '.join(kernels.sass)}, ptx {' '.join(kernels.ptx) or 'none'}"
    if kernels.confidence != "primary":
        row_text += f" (confidence: {kernels.confidence})"
    if code := _machine_code(kernels, card.capability):
        source = (*kernels.source,)
        return Finding("gpu", "yes", f"{told} runs the build's code for {code}", row_text, source)
    return _from_ptx(build, kernels, card.capability, told, machine, row_text)


def _machine_code(kernels: Kernels, capability: str) -> str | None:
    """The compiled code that a GPU runs: of its own major, and no higher minor."""
    major, minor = numbers(capability)
    fitting = [one for one in kernels.sass if numbers(one)[0] == major and numbers(one)[1] <= minor]
    return fitting[-1] if fitting else None


def _from_ptx(
    build: Build, kernels: Kernels, capability: str, told: str, machine: Machine, row: str
) -> Finding:
    """PTX is compiled by the driver for a newer GPU, if the driver is as new as the PTX."""
    fitting = [one for one in kernels.ptx if numbers(one) <= numbers(capability)]
    source = (*kernels.source, *lookup.rule("cubin").source)
    if not fitting:
        compiled = [*kernels.sass, *(f"PTX {one}" for one in kernels.ptx)]
        message = f"{told} has no code in torch {build.torch} {build.variant}, compiled for"
        message += f" {', '.join(compiled)}"
        return Finding("gpu", "no", message, row, source, "take another stack")
    toolkit = lookup.first_toolkit(build.cuda or "")
    source = (*kernels.source, *lookup.rule("ptx").source)
    needs = toolkit.driver if toolkit else None
    message = f"{told} can run the build's PTX {fitting[-1]}, compiled by the driver at the start"
    if machine.driver is None or needs is None or machine.wsl:
        return Finding("gpu", "unknown", f"{message}, if that is new enough", row, source)
    if at_least(machine.driver, needs):
        return Finding("gpu", "yes", message, row, source)
    message = (
        f"{told} has only PTX in this build, and driver {machine.driver} is older than that PTX"
    )
    return Finding("gpu", "no", message, row, source, f"install driver {needs} or newer")


def _gone(card: Card, machine: Machine) -> Iterator[Finding]:
    """The refusal for a GPU that the driver no longer knows."""
    row = lookup.architecture(card.capability or "")
    if not (row and row.last_branch and machine.driver):
        return
    if numbers(machine.driver)[0] > numbers(row.last_branch)[0]:
        message = f"driver {machine.driver} no longer knows {card.name} ({card.capability})"
        where = f"architectures {row.capability}: last_branch {row.last_branch}"
        fix = f"install a driver of the branch {row.last_branch}, the last that does"
        yield Finding("driver", "no", message, where, row.source, fix)


def _enough(machine: Machine, gpus: int) -> Iterator[Finding]:
    if machine.described:
        if not machine.cards:
            yield Finding("gpu", "unknown", "its GPUs were not told", fix="`--gpu NAME`")
        return
    have = len(machine.cards)
    message = f"{gpus} asked for, this machine has {have or 'none'}"
    if have >= gpus:
        yield Finding("gpus", "yes", message)
    else:
        yield Finding("gpus", "no", message, fix="ask for fewer, or run where the GPUs are")


def _uncovered(stack: ResolvedStack) -> Finding:
    row = f"builds {stack.stack.torch} {stack.stack.variant}"
    message = f"torch {stack.stack.torch} {stack.stack.variant} is not in the tables"
    source = stack.build.source if stack.build else ()
    if stack.build:
        message = f"no source establishes torch {stack.stack.torch} {stack.stack.variant}"
    return Finding("build", "unknown", message, row, source, "see docs/facts.md: add its row")


def _place(finding: Finding) -> str:
    return f"{finding.check}: {finding.row}" if finding.row else finding.check
