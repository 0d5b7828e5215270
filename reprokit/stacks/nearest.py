"""A stack that a machine cannot run -> the nearest ones that it can, best first, and what each changes."""

from collections.abc import Iterable, Iterator, Sequence

from reprokit.stacks.compatibility import accelerated
from reprokit.stacks.facts import load, lookup
from reprokit.stacks.facts.lookup import numbers
from reprokit.stacks.facts.rows import Build
from reprokit.stacks.findings import Verdict, overall
from reprokit.stacks.machine import Machine
from reprokit.stacks.model import Stack
from reprokit.stacks.resolution import ResolvedStack
from reprokit.values import dataclass

TRUST = {
    "processor": "the same PyTorch code without a GPU: other kernels, and far slower; no silent way out, but a choice",
    "same torch": "the same PyTorch code on other CUDA libraries: expect results equal up to rounding, not bit for bit",
    "same minor": "a bug-fix release of the same minor: expect results equal up to rounding and the fixes themselves",
    "closest torch": "another minor release: operators, defaults and kernels differ; the result must be shown again",
    "newest": "the newest that runs: most may have changed since; the result must be shown again",
}


@dataclass(frozen=True)
class Candidate:
    """A stack that could be taken instead.

    Attributes:
        kind: `same torch`, `same minor`, `closest torch`, `newest`, or `processor`.
        python: the wanted one, or the nearest that this release has a wheel for.
        verdict: `yes`, or `unknown` where the tables do not reach.
        changes: what is not as in the stack that was asked for.
        trust: what that costs.
        stack: the workspace's stack of this build, if there is one.
    """

    kind: str
    torch: str
    variant: str
    python: str
    verdict: Verdict
    changes: tuple[str, ...]
    trust: str
    stack: str | None = None

    def told(self) -> str:
        """The candidate in a few words."""
        named = f" (stack `{self.stack}`)" if self.stack else ""
        unsure = "" if self.verdict == "yes" else ", not established"
        return (
            f"torch {self.torch} {self.variant}, Python {self.python}{named}: {self.kind}{unsure}"
        )

    def document(self) -> dict[str, object]:
        """The candidate as JSON."""
        return {**vars(self), "changes": list(self.changes)}


def nearest(
    wanted: ResolvedStack, machine: Machine, *, shipped: Sequence[Stack] = ()
) -> tuple[Candidate, ...]:
    """The stacks nearest to `wanted` that can run on `machine`, best first; at most one or two of a kind.

    Every release in every CUDA variant of the tables is looked at. A build for the processor is named
    only where this machine has no GPU at all.

    Args:
        wanted: what cannot run.
        machine: where it was to run.
        shipped: the workspace's stacks; they are named where they are what is meant.
    """
    fitting = list(_fitting(wanted, machine))
    named = {(stack.torch, stack.variant): stack.name for stack in shipped}
    chosen: dict[Build, Candidate] = {}
    for kind, builds in _kinds(wanted, [build for build, _ in fitting]):
        for build in builds:
            if build not in chosen:
                verdict = dict(fitting)[build]
                chosen[build] = _candidate(wanted, build, kind, verdict, named)
    cpu = lookup.build(wanted.stack.torch, "cpu")
    if cpu and not chosen and not machine.cards and not machine.described:
        chosen[cpu] = _candidate(wanted, cpu, "processor", "yes", named)
    return tuple(sorted(chosen.values(), key=lambda one: one.verdict != "yes"))


def _fitting(wanted: ResolvedStack, machine: Machine) -> Iterator[tuple[Build, Verdict]]:
    platform = wanted.stack.platform
    for build in load.builds():
        published = build.platforms is None or platform in build.platforms
        if build.variant == "cpu" or build == wanted.build or not (published and build.verified):
            continue
        verdict = overall(accelerated(build, platform, machine))
        if verdict != "no":
            yield build, verdict


def _kinds(wanted: ResolvedStack, fitting: list[Build]) -> Iterable[tuple[str, list[Build]]]:
    """The fitting builds that are worth a line, by kind, the best of each kind first."""
    torch, cuda = numbers(wanted.stack.torch), _cuda(wanted.stack.variant)
    order = sorted({numbers(build.torch) for build in fitting} | {torch})

    def distance(build: Build) -> tuple[int, int]:
        releases = abs(order.index(numbers(build.torch)) - order.index(torch))
        return releases, abs(_cuda(build.variant) - cuda)

    same = [build for build in fitting if numbers(build.torch) == torch]
    minor = [
        build
        for build in fitting
        if numbers(build.torch)[:2] == torch[:2] and numbers(build.torch) != torch
    ]
    yield "same torch", sorted(same, key=distance)[:2]
    yield "same minor", sorted(minor, key=distance)[:1]
    yield "closest torch", sorted(fitting, key=distance)[:1]
    yield (
        "newest",
        sorted(fitting, key=lambda build: (numbers(build.torch), _cuda(build.variant)))[-1:],
    )


def _cuda(variant: str) -> int:
    return int(variant[2:]) if variant.startswith("cu") else 0


def _candidate(
    wanted: ResolvedStack,
    build: Build,
    kind: str,
    verdict: Verdict,
    named: dict[tuple[str, str], str],
) -> Candidate:
    python = _python(build, wanted.stack.python, wanted.stack.platform)
    return Candidate(
        kind=kind,
        torch=build.torch,
        variant=build.variant,
        python=python,
        verdict=verdict,
        changes=tuple(_changes(wanted, build, python)),
        trust=TRUST[kind],
        stack=named.get((build.torch, build.variant)),
    )


def _changes(wanted: ResolvedStack, build: Build, python: str) -> Iterator[str]:
    yield from _change("torch", wanted.stack.torch, build.torch)
    if build.variant == "cpu":
        yield f"{wanted.stack.variant} -> cpu"
    elif wanted.build is not None:
        yield from _change("CUDA", wanted.build.cuda, build.cuda)
        yield from _change("cuDNN", wanted.build.cudnn, build.cudnn)
        yield from _change("NCCL", wanted.build.nccl, build.nccl)
    else:
        yield f"{wanted.stack.variant} -> {build.variant}"
    yield from _change("Python", wanted.stack.python, python)


def _change(name: str, old: str | None, new: str | None) -> Iterator[str]:
    """What changes, in words; two unknowns may differ as well."""
    if old is None or new is None or old != new:
        yield f"{name} {old or 'unknown'} -> {new or 'unknown'}"


def _python(build: Build, wanted: str, platform: str) -> str:
    release = lookup.release(build.torch)
    known = [one for one in release.pythons[platform] if not one.endswith("t")] if release else []
    if not known or wanted in known:
        return wanted
    return min(known, key=lambda one: abs(numbers(one)[1] - numbers(wanted)[1]))
