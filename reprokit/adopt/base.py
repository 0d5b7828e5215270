"""A pair and what is wanted beside it -> a stack of the workspace that fits exactly, or a new one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.adopt.model import Claim, Need, Note
from reprokit.adopt.pair import Pair
from reprokit.adopt.readers import lines
from reprokit.adopt.weigh import Wishes
from reprokit.errors import ConfigError, ReproKitError
from reprokit.stacks import locks
from reprokit.stacks.find import STACK_FILE
from reprokit.stacks.model import BaseImage, Stack, load_stack
from reprokit.stacks.requirements import Lock

# What torch and torchvision themselves bring along (Requires-Dist of their wheels, 1.11 to 2.15): a
# version that the repository pins must be pinned in the stack, or the two locks contradict.
HEAVY = frozenset(
    "numpy pillow typing-extensions filelock sympy mpmath networkx jinja2 markupsafe fsspec setuptools "
    "requests urllib3 idna certifi charset-normalizer torchvision torchaudio".split()
)
# These follow from the build of torch, exactly.
FOLLOWS_TORCH = ("nvidia-", "cuda-", "triton", "pytorch-triton")


@dataclass(frozen=True)
class Base:
    """The stack of an adopted project.

    Attributes:
        name: its folder in `envs/`.
        stack: what it says.
        new: whether it has to be written.
        left_out: needs of the project that the stack decides in another way (only with `--stack`).
        notes: why it is this one.
        reasons: why a new one has its `torch`, `variant` and `python`.
    """

    name: str
    stack: Stack
    new: bool
    left_out: tuple[Need, ...] = ()
    notes: tuple[Note, ...] = ()
    reasons: Mapping[str, Note] = field(default_factory=dict)


def named_base(workspace_root: Path, name: str, wishes: Wishes) -> Base:
    """The stack that the user named; what it does not satisfy is told and left out.

    Raises:
        NotFoundError: there is no such stack.
        ConfigError: the stack is not valid.
    """
    stack = load_stack(workspace_root, name)
    lock = _lock_of(workspace_root, name)
    unmet = tuple(need for need in wishes.needs if not _satisfied(need, stack, lock))
    notes = [Note("found", f"the stack `{name}`: you named it")]
    for need in unmet:
        text = (
            f"{need.line} gives way: the stack `{name}` has {_version_in(need.name, stack, lock)}"
        )
        notes.append(Note("guessed", text, need.where))
    notes += [
        Note("skipped", f"`{claim.value}` of the system is not in the stack `{name}`", claim.where)
        for claim in _missing(wishes.system, stack)
    ]
    return Base(name, stack, new=False, left_out=unmet, notes=tuple(notes))


def find_base(workspace_root: Path, pair: Pair, wishes: Wishes, project: str) -> Base:
    """An existing stack that fits exactly, else a new one."""
    notes: list[Note] = []
    for path in sorted(workspace_root.glob(f"envs/*/{STACK_FILE}")):
        name = path.parent.name
        reason = _misfit(workspace_root, name, pair, wishes)
        if reason is None:
            return Base(name, load_stack(workspace_root, name), new=False, notes=(_fits(name),))
        notes.append(Note("skipped", f"the stack `{name}` does not fit: {reason}"))
    return _new(workspace_root, pair, wishes, project, notes)


def _fits(name: str) -> Note:
    return Note("found", f"the stack `{name}` fits exactly: torch, build, Python and pins")


def _misfit(workspace_root: Path, name: str, pair: Pair, wishes: Wishes) -> str | None:
    """Why a stack does not fit; None: it does."""
    try:
        stack = load_stack(workspace_root, name)
    except ReproKitError as error:
        return error.message
    wanted = (pair.torch, pair.variant, pair.python)
    if (stack.torch, stack.variant, stack.python) != wanted:
        return f"it has torch {stack.torch}, {stack.variant}, Python {stack.python}"
    if missing := _missing(wishes.system, stack):
        return f"it lacks `{missing[0].value}` of the system"
    lock = _lock_of(workspace_root, name)
    unmet = next((need for need in wishes.needs if not _satisfied(need, stack, lock)), None)
    if unmet is None:
        return None
    return f"it has {_version_in(unmet.name, stack, lock)}, and {unmet.where} asks for {unmet.line}"


def _missing(wanted: Iterable[Claim], stack: Stack) -> list[Claim]:
    have = {package.partition("=")[0] for package in stack.system} | set(stack.system)
    return [claim for claim in wanted if claim.value not in have]


def _lock_of(workspace_root: Path, name: str) -> Lock | None:
    try:
        return locks.check_stack_lock(workspace_root, name)
    except ReproKitError:
        return None


def _version_in(name: str, stack: Stack, lock: Lock | None) -> str:
    if name == "torch":
        return f"torch {stack.torch}+{stack.variant}"
    return f"{name} {lock.version(name) if lock else None}"


def _satisfied(need: Need, stack: Stack, lock: Lock | None) -> bool:
    """Whether what a stack holds is what a need asks for; what it does not hold is open, and fine."""
    from packaging.specifiers import SpecifierSet

    if need.name.startswith(FOLLOWS_TORCH):
        return True
    version = stack.torch if need.name == "torch" else lock and lock.version(need.name)
    if not version:
        return True
    build = lines.build_of_version(need)
    other = need.name == "torch" and build is not None and build.value != stack.variant
    bare = lines.without_build(need).specifier
    return not other and SpecifierSet(bare).contains(version.partition("+")[0], prereleases=True)


def _new(workspace_root: Path, pair: Pair, wishes: Wishes, project: str, notes: list[Note]) -> Base:
    name = _free_name(workspace_root, f"torch{pair.torch}-{pair.variant}-py{pair.python}", project)
    taken = tuple(need for need in wishes.needs if need.name in HEAVY and not need.marker)
    requirements = [lines.without_build(need).line for need in taken]
    if "numpy" not in {need.name for need in taken}:
        requirements.append("numpy")
    stack = Stack(
        name=name,
        python=pair.python,
        torch=pair.torch,
        variant=pair.variant,
        image=_image(pair.python),
        system=tuple(sorted(claim.value for claim in wishes.system)),
        requirements=tuple(sorted(requirements)),
    )
    text = f"a new stack `{name}`: no stack of the workspace fits exactly"
    return Base(name, stack, new=True, notes=(*notes, Note("guessed", text)), reasons=pair.reasons)


def _free_name(workspace_root: Path, name: str, project: str) -> str:
    for one in (name, f"{name}-{project}"[:63].rstrip("-._")):
        if not (workspace_root / "envs" / one).exists():
            return one
    raise ConfigError(
        "exists",
        "a stack of this name is there already, and it does not fit",
        where=str(workspace_root / "envs" / name),
        hint=f"`--stack {name}` takes it as it is",
    )


def _image(python: str) -> BaseImage:
    """A plain small base: PyTorch's wheels bring CUDA themselves."""
    return BaseImage(f"python:{python}-slim-bookworm")


def in_project(needs: Iterable[Need], base: Base) -> tuple[Need, ...]:
    """The needs that a project writes down: all but torch, which the stack decides, and what gave way to it.

    What the stack holds as well stays: a lock leaves it out, and the project says what it needs.
    """
    left_out = {need.name for need in base.left_out} | {"torch"}
    return tuple(
        lines.without_build(need)
        for need in needs
        if need.name not in left_out and not need.name.startswith(FOLLOWS_TORCH)
    )
