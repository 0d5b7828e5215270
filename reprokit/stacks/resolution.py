"""A `Stack` -> a `ResolvedStack`: all that follows from its few words, taken from the tables of facts."""

from collections.abc import Iterable
from pathlib import Path

from reprokit.errors import ConfigError, Problem
from reprokit.stacks.facts import load, lookup
from reprokit.stacks.facts.lookup import numbers
from reprokit.stacks.facts.rows import Build, Limit, Release
from reprokit.stacks.find import STACK_FILE
from reprokit.stacks.model import Stack
from reprokit.values import dataclass


@dataclass(frozen=True)
class ResolvedStack:
    """A stack with everything that the tables know of it; None is "not established".

    Attributes:
        stack: what was resolved.
        release: the row of its PyTorch release; None where the tables do not reach that far.
        build: the row of that release in the stack's variant.
        versions: exact text of the version, for torch and for what must match it, by name.
        index: who serves these: `the package index`, or the address of PyTorch's own.
        carries_cuda: whether the wheels bring CUDA along, so that a plain image will do.
        minimum_driver: the oldest Linux driver that runs it, by minor-version compatibility.
        runtime_image: an `nvidia/cuda` image with its CUDA libraries.
        devel_image: the same with the compiler, for a stack with something to compile.
        needs: what it needs of other packages beside what torch's metadata says.
    """

    stack: Stack
    release: Release | None
    build: Build | None
    versions: dict[str, str]
    index: str
    carries_cuda: bool | None = None
    minimum_driver: str | None = None
    runtime_image: str | None = None
    devel_image: str | None = None
    needs: tuple[Limit, ...] = ()

    @property
    def limits(self) -> tuple[str, ...]:
        """Constraints for whatever is locked on this stack: what matches torch, and what old builds need."""
        exact = (f"{name}==={version}" for name, version in self.versions.items())
        return (*exact, *(need.requirement for need in self.needs))

    def document(self) -> dict[str, object]:
        """The resolved stack as JSON."""
        kernels = self.build.kernels(self.stack.platform) if self.build else None
        return {
            "name": self.stack.name,
            "python": self.stack.python,
            "platform": self.stack.platform,
            "variant": self.stack.variant,
            "versions": self.versions,
            "index": self.index,
            "cuda": self.build.cuda if self.build else None,
            "cudnn": self.build.cudnn if self.build else None,
            "nccl": self.build.nccl if self.build else None,
            "sass": list(kernels.sass) if kernels else None,
            "ptx": list(kernels.ptx) if kernels else None,
            "minimum_driver": self.minimum_driver,
            "image": str(self.stack.image),
            "carries_cuda": self.carries_cuda,
            "runtime_image": self.runtime_image,
            "devel_image": self.devel_image,
            "limits": list(self.limits),
        }


def resolve_stack(stack: Stack, *, where: str | None = None) -> ResolvedStack:
    """What the tables say of a stack. A release newer or older than they reach is unknown, and allowed.

    Args:
        stack: the stack.
        where: its file, for messages.

    Raises:
        ConfigError: `no-such-build`: torch, variant, Python and platform never existed together; the
            nearest that did are named.
    """
    release, build = lookup.release(stack.torch), lookup.build(stack.torch, stack.variant)
    problems = list(_problems(stack, release, build, where or f"envs/{stack.name}/{STACK_FILE}"))
    if problems:
        raise ConfigError(
            "no-such-build",
            problems[0].message,
            where=problems[0].where,
            hint=problems[0].hint,
            problems=problems[1:],
        )
    cuda = None if stack.variant == "cpu" else f"{stack.variant[2:-1]}.{stack.variant[-1]}"
    return ResolvedStack(
        stack,
        release,
        build,
        versions=_versions(stack, release),
        index="the package index" if stack.served_by == "pypi" else stack.torch_index,
        carries_cuda=_carries_cuda(stack, release),
        minimum_driver=minimum_driver(cuda) if cuda else None,
        runtime_image=lookup.cuda_image(cuda, "runtime") if cuda else None,
        devel_image=lookup.cuda_image(cuda, "devel") if cuda else None,
        needs=lookup.limits_of(stack.torch),
    )


def resolve_file(stack: Stack, workspace_root: Path) -> ResolvedStack:
    """`resolve_stack` for a stack of a workspace, with its file named in messages."""
    return resolve_stack(stack, where=str(workspace_root / "envs" / stack.name / STACK_FILE))


def minimum_driver(cuda: str) -> str | None:
    """The oldest Linux driver for programs of a CUDA release (`12.4`).

    From CUDA 11 on any driver of its major will do (minor-version compatibility); before, the
    toolkit's own.
    """
    row, toolkit = lookup.minor_version(cuda), lookup.first_toolkit(cuda)
    if row and row.driver:
        return row.driver
    return toolkit.driver if toolkit else None


def _versions(stack: Stack, release: Release | None) -> dict[str, str]:
    """The exact versions of torch's family. torchaudio after 2.11 is paired with no torch: not held."""
    local = "" if stack.served_by == "pypi" else f"+{stack.variant}"
    versions = {"torch": stack.torch_version}
    if release is not None:
        versions["torchvision"] = release.torchvision + local
        if release.torchaudio_pin is not None:
            versions["torchaudio"] = release.torchaudio + local
    return versions


def _carries_cuda(stack: Stack, release: Release | None) -> bool | None:
    if stack.served_by == "pypi" and release is not None and release.cuda_packages is not None:
        return True
    return None


def _problems(
    stack: Stack, release: Release | None, build: Build | None, where: str
) -> Iterable[Problem]:
    if release is None:
        if lookup.covered(stack.torch):
            hint = f"the nearest that was: torch {_nearest_release(stack.torch).version}"
            yield Problem(where, f"there never was a torch {stack.torch}", hint)
        return
    platforms = build.platforms if build else None
    if build is None or (platforms is not None and stack.platform not in platforms):
        message = f"torch {release.version} was never built for {stack.variant} on {stack.platform}"
        yield Problem(where, message, _nearest_builds(stack))
    elif stack.index == "pypi" and release.default.get(stack.platform) != stack.variant:
        served = release.default.get(stack.platform)
        message = (
            f"the package index serves torch {release.version} for {served}, not {stack.variant}"
        )
        yield Problem(where, message, "write `index: pytorch`, or leave `index` out")
    if not _has_python(stack, release):
        message = f"torch {release.version} has no wheel for Python {stack.python}"
        yield Problem(where, f"{message} on {stack.platform}", _nearest_pythons(stack, release))


def _has_python(stack: Stack, release: Release) -> bool:
    known = release.pythons.get(stack.platform)
    return known is None or stack.python in (*known, *release.unsettled_pythons)


def _nearest_release(version: str) -> Release:
    """Of the same minor release if there is one, and the one with the nearest number."""
    wanted = _padded(version)

    def distance(row: Release) -> tuple[int, ...]:
        return tuple(
            abs(one - other) for one, other in zip(_padded(row.version), wanted, strict=True)
        )

    return min(load.releases(), key=distance)


def _padded(version: str) -> tuple[int, int, int]:
    major, minor, patch, *_ = (*numbers(version), 0, 0)
    return major, minor, patch


def _nearest_builds(stack: Stack) -> str:
    """The variants that this release has, and the nearest release that has this variant."""
    here = [
        row.variant
        for row in lookup.builds_of(stack.torch)
        if row.platforms is None or stack.platform in row.platforms
    ]
    there = [row for row in load.builds() if row.variant == stack.variant]
    told = f"torch {stack.torch} was built for {', '.join(here)}"
    if not there:
        return told
    wanted = numbers(stack.torch)
    order = [numbers(row.version) for row in load.releases()]
    place = order.index(wanted) if wanted in order else len(order)
    near = min(there, key=lambda row: abs(order.index(numbers(row.torch)) - place))
    return f"{told}; the nearest that has {stack.variant}: torch {near.torch}"


def _nearest_pythons(stack: Stack, release: Release) -> str:
    known = [version for version in release.pythons[stack.platform] if not version.endswith("t")]
    near = min(known, key=lambda version: abs(numbers(version)[1] - numbers(stack.python)[1]))
    others = [row for row in load.releases() if stack.python in row.pythons.get(stack.platform, ())]
    told = f"the nearest that it has: Python {near}"
    if not others:
        return told
    wanted = numbers(release.version)
    later = next((row for row in others if numbers(row.version) > wanted), others[-1])
    return f"{told}; the nearest torch for Python {stack.python}: {later.version}"
