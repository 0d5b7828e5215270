"""What else decides whether a stack runs: processor, C library, Python, container toolkit, base image, disk."""

from collections.abc import Iterable, Iterator

from reprokit.stacks.facts import lookup
from reprokit.stacks.facts.lookup import at_least, numbers
from reprokit.stacks.facts.rows import Build, Contents, Image
from reprokit.stacks.findings import Finding
from reprokit.stacks.machine import Machine
from reprokit.stacks.resolution import ResolvedStack
from reprokit.stacks.room import Room

# PEP 513, 571, 599: what the older platform tags ask for; newer ones say it themselves.
_GLIBC = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
TOOLKIT = (
    "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
)


def processor(stack: ResolvedStack, machine: Machine) -> Finding:
    """Whether the processor is of the kind that the stack's wheels are for."""
    wanted = stack.stack.platform
    if machine.platform is None:
        message = f"its wheels are for {wanted}; the machine's processor was not told"
        return Finding("processor", "unknown", message, decides=False)
    if machine.platform == wanted:
        return Finding("processor", "yes", f"{wanted}, as the wheels")
    message = f"its wheels are for {wanted}, this machine is {machine.platform}"
    fix = f"a stack with `platform: {machine.platform}`, locked anew"
    return Finding("processor", "no", message, "stack.yaml platform", fix=fix)


def system(
    stack: ResolvedStack, machine: Machine, engine: str | None, room: Room | None
) -> Iterator[Finding]:
    """Python, C library and disk."""
    yield _python(stack)
    yield _libc(stack, machine, engine)
    if not machine.described:
        yield _disk(machine, room)


def _python(stack: ResolvedStack) -> Finding:
    release, wanted = stack.release, stack.stack.python
    known = release.pythons.get(stack.stack.platform) if release else None
    if release is None or known is None or wanted not in known:
        message = (
            f"whether torch {stack.stack.torch} has a wheel for Python {wanted} is not established"
        )
        return Finding("python", "unknown", message, decides=False)
    message = f"torch {release.version} has a wheel for Python {wanted} on {stack.stack.platform}"
    return Finding("python", "yes", message, f"releases {release.version}: pythons", release.source)


def _libc(stack: ResolvedStack, machine: Machine, engine: str | None) -> Finding:
    """The wheels' C library: the machine's own with a virtual environment, the image's in a container."""
    release = stack.release
    if release is None or stack.stack.platform != "linux/amd64":
        message = "which C library the wheels ask for is not established"
        return Finding("glibc", "unknown", message, decides=False)
    wanted = max((glibc_of(tag) for tag in release.wheel_tags), key=numbers)
    row = f"releases {release.version}: wheel_tags {' '.join(release.wheel_tags)}"
    if engine == "venv":
        where, have, source = "this machine", machine.glibc, release.source
    else:
        base = lookup.system_of(stack.stack.image.ref)
        where, have = stack.stack.image.ref, base.glibc if base else None
        source = (*release.source, *base.source) if base else release.source
    if have is None:
        message = f"the wheels ask for glibc {wanted}; that of {where} is not established"
        return Finding("glibc", "unknown", message, row, source, decides=False)
    if at_least(have, wanted):
        message = f"glibc {have} of {where} is {wanted} or newer"
        return Finding("glibc", "yes", message, row, source)
    message = f"the wheels ask for glibc {wanted}, {where} has {have}"
    fix = "`--engine docker`: an image brings its own" if engine == "venv" else "a newer base image"
    return Finding("glibc", "no", message, row, source, fix)


def glibc_of(tag: str) -> str:
    """The oldest glibc that a platform tag asks for: `manylinux_2_28_x86_64` -> `2.28`."""
    kind, _, rest = tag.partition("_")
    if kind in _GLIBC:
        return _GLIBC[kind]
    return ".".join(rest.split("_")[:2])


def _disk(machine: Machine, room: Room | None) -> Finding:
    """Free space against what is known of the lock's size; the sizes of downloads are known nowhere."""
    if machine.free_bytes is None:
        return Finding("disk", "unknown", "free space cannot be told", decides=False)
    free = f"{_gib(machine.free_bytes)} are free"
    if room is None or not room.known:
        message = f"{free}; what the lock needs is unknown: neither it nor an index tells sizes"
        return Finding("disk", "unknown", message, decides=False)
    known = (
        f"{room.known} packages take {_gib(room.known_bytes)} installed, as environments here show"
    )
    if room.known_bytes > machine.free_bytes:
        return Finding(
            "disk", "no", f"{free}; {known}", fix="free some space, or set REPROKIT_HOME"
        )
    if room.unknown:
        message = f"{free}; {known}; of {room.unknown} others the size is unknown"
        return Finding("disk", "unknown", message, decides=False)
    return Finding("disk", "yes", f"{free}; {known}; the size of the download is unknown")


def _gib(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"


def container(stack: ResolvedStack, machine: Machine, engine: str | None) -> Iterator[Finding]:
    """What stands between a GPU and a container: the toolkit, and what the image itself asks of the driver."""
    if engine != "docker":
        return
    if not machine.described:
        yield _toolkit(machine)
    if image := lookup.image(stack.stack.image.ref):
        yield _required(stack, image, machine)


def forwarded(
    findings: Iterable[Finding],
    build: Build,
    stack: ResolvedStack,
    machine: Machine,
    engine: str | None,
) -> Iterator[Finding]:
    """The findings, but for a driver that is too old where the image itself brings a newer one's libraries.

    `nvidia/cuda` images hold cuda-compat. It works with data-centre GPUs only, above some older branches.
    """
    row = lookup.image(stack.stack.image.ref)
    for finding in findings:
        inside = (
            row.contents if row and finding.check == "driver" and finding.verdict == "no" else None
        )
        if row and inside and engine == "docker" and _bridges(inside, row, build, machine):
            message = f"driver {machine.driver} is too old by itself; cuda-compat in the image bridges that"
            rule = lookup.rule("forward-compatibility")
            where = f"images {row.cuda}: cuda-compat, branches {_listed(inside)}"
            yield Finding("driver", "yes", message, where, (*row.source, *rule.source))
        else:
            yield finding


def _bridges(inside: Contents, row: Image, build: Build, machine: Machine) -> bool:
    known = machine.driver is not None and not machine.wsl and machine.cards
    return bool(
        known
        and inside.cuda_compat
        and at_least(row.cuda, build.cuda or "")
        and numbers(machine.driver or "")[0] in inside.exception_branches
        and all(card.kind == "datacenter" for card in machine.cards)
    )


def _listed(inside: Contents) -> str:
    return ", ".join(f"R{branch}" for branch in inside.exception_branches)


def _toolkit(machine: Machine) -> Finding:
    if machine.toolkit:
        return Finding("toolkit", "yes", "the engine can hand a GPU to a container")
    if machine.toolkit is None:
        message = "whether the engine can hand a GPU to a container is not known before it is tried"
        return Finding("toolkit", "unknown", message, decides=False)
    message = "the engine has neither an nvidia runtime nor CDI devices: no container gets a GPU"
    return Finding(
        "toolkit", "no", message, fix=f"install the NVIDIA Container Toolkit ({TOOLKIT})"
    )


def _required(stack: ResolvedStack, row: Image, machine: Machine) -> Finding:
    """NVIDIA_REQUIRE_CUDA: the container runtime refuses an image that asks for a newer driver."""
    inside, name, reference = row.contents, f"images {row.cuda}", stack.stack.image.ref
    source = (*row.source, *lookup.rule("require-cuda").source)
    if inside is None:
        message = f"what {reference} asks of the driver is not established"
        return Finding("image", "unknown", message, name, source, decides=False)
    name += f": NVIDIA_REQUIRE_CUDA {inside.require_cuda}"
    wanted = inside.require_cuda.partition(">=")[2]
    served = machine.cuda or _served(machine)
    if served is None:
        message = f"{reference} starts only where the driver serves CUDA {wanted}; which it is was not told"
        return Finding("image", "unknown", message, name, source)
    if at_least(served, wanted):
        message = (
            f"{reference} asks for a driver that serves CUDA {wanted}: this one serves {served}"
        )
        return Finding("image", "yes", message, name, source)
    return _excepted(stack, inside, machine, wanted, name, source)


def _served(machine: Machine) -> str | None:
    """The newest CUDA whose own driver is not newer than the machine's."""
    found = lookup.served_cuda(machine.driver) if machine.driver and not machine.wsl else None
    return found.minor if found else None


def _excepted(
    stack: ResolvedStack,
    inside: Contents,
    machine: Machine,
    wanted: str,
    row: str,
    source: tuple[str, ...],
) -> Finding:
    """Whether the image lets an older driver through: by its branch, and for some brands of GPU only."""
    kinds = {card.kind for card in machine.cards}
    branch = numbers(machine.driver or "0")[0]
    reference = stack.stack.image.ref
    refused = f"{reference} refuses to start below CUDA {wanted} with driver {machine.driver}"
    fix = "update the driver, or set NVIDIA_DISABLE_REQUIRE=1"
    if stack.carries_cuda:
        fix += (
            f"; or `image: python:{stack.stack.python}-slim-bookworm`: the wheels bring CUDA along"
        )
    if branch not in inside.exception_branches:
        return Finding("image", "no", refused, row, source, fix)
    if kinds <= {"datacenter"} or (
        inside.geforce_in_exceptions and kinds <= {"datacenter", "consumer"}
    ):
        message = f"{reference} asks for CUDA {wanted} and lets the branch R{branch} through"
        return Finding("image", "yes", message, row, source)
    if "consumer" in kinds:
        source = (*source, *lookup.rule("require-cuda-geforce").source)
        return Finding("image", "no", f"{refused} and a GeForce card", row, source, fix)
    message = f"{reference} lets the branch R{branch} through for some GPUs; for these it is not established"
    return Finding("image", "unknown", message, row, source)
