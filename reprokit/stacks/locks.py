"""stack.yaml and requirements.in -> locks on disk; locks on disk -> what a run needs to know.

A stack's lock is the heavy layer; a project's lock is compiled on top of it and leaves out what it
has, so that the two can be installed one after the other. `load_locked` is on the hot path of
`reprokit run`.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reprokit import files
from reprokit.errors import ConfigError, IntegrityError, NotFoundError
from reprokit.stacks import inputs as given
from reprokit.stacks.find import STACK_FILE, stack_folder
from reprokit.stacks.requirements import REWRITE, Header, Lock, Pin, read, render, render_pins
from reprokit.values import dataclass

if TYPE_CHECKING:
    from reprokit.stacks.model import Stack

STACK_LOCK = "requirements.lock"
DEV_LOCK = "dev.lock"


@dataclass(frozen=True)
class LockResult:
    """A lock as it now is on disk.

    Attributes:
        path: where it is.
        lock: what it says.
        before: the pins that it had, empty where there was none.
        written: whether the file changed at all.
    """

    path: Path
    lock: Lock
    before: tuple[Pin, ...]
    written: bool

    def changes(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Each distribution whose version changed: name, version before, version now."""
        old = {pin.name: pin.version for pin in self.before}
        new = {pin.name: pin.version for pin in self.lock.pins}
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield name, old.get(name), new.get(name)


@dataclass(frozen=True)
class LockedRequirements:
    """What an environment is made from: the stack's lock and, where there is one, the project's."""

    stack: Lock
    project: Lock | None = None

    @property
    def locks(self) -> tuple[Lock, ...]:
        """In the order in which they are installed."""
        return (self.stack,) if self.project is None else (self.stack, self.project)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Every distribution of the environment."""
        return tuple(pin for lock in self.locks for pin in lock.pins)

    @property
    def digests(self) -> dict[str, str]:
        """Lock name -> digest, for plans and records."""
        return dict(zip(("stack", "project"), (lock.digest for lock in self.locks), strict=False))

    def text(self) -> str:
        """Both as one requirements file, for installers and for a run's record."""
        return render_pins(self.pins)


def stack_lock_path(workspace_root: Path, stack: str) -> Path:
    """Where the lock of a stack is."""
    return workspace_root / "envs" / stack / STACK_LOCK


def project_lock_path(project_dir: Path, stack: str) -> Path:
    """Where the lock of a project on a stack is."""
    return project_dir / f"requirements.{stack}.lock"


def load_locked(workspace_root: Path, stack: str, project_dir: Path) -> LockedRequirements:
    """Read and validate both locks of a project.

    Raises:
        NotFoundError: there is no such stack.
        ConfigError: a lock is missing (`no-lock`) or stale (`stale-lock`).
        IntegrityError: an entry is no exact pin with a hash; the package is named.
    """
    base = check_stack_lock(workspace_root, stack)
    return LockedRequirements(base, check_project_lock(project_dir, base))


def check_stack_lock(workspace_root: Path, stack: str) -> Lock:
    """The stack's lock, safe and made from the `stack.yaml` of now. Raises as `load_locked`."""
    folder = stack_folder(workspace_root, stack)
    return _fresh(folder / STACK_LOCK, given.stack_digest(folder / STACK_FILE), STACK_FILE)


def check_dev_lock(workspace_root: Path, stack: str) -> Lock:
    """The lock of the stack's tools for debugging. Raises as `load_locked`."""
    base = check_stack_lock(workspace_root, stack)
    from reprokit.stacks.model import load_stack

    wanted = load_stack(workspace_root, stack).dev
    return _fresh(
        stack_folder(workspace_root, stack) / DEV_LOCK, _dev_digest(wanted, base), STACK_FILE
    )


def check_project_lock(project_dir: Path, base: Lock) -> Lock | None:
    """The project's lock on top of `base`; None where it needs nothing more.

    Raises as `load_locked`.
    """
    path = project_lock_path(project_dir, base.header.stack)
    wanted = given.read_inputs(project_dir)
    if not wanted.requirements and not path.exists():
        return None
    lock = _fresh(
        path, given.project_digest(wanted, stack_lock=base.digest), given.REQUIREMENTS_FILE
    )
    base_names = {pin.name for pin in base.pins}
    if twice := next((pin.name for pin in lock.pins if pin.name in base_names), None):
        raise IntegrityError(
            "unsafe-lock", f"`{twice}` is in the project's lock and in the stack's", where=str(path)
        )
    return lock


def lock_stack(
    workspace_root: Path,
    stack: str,
    *,
    resolver: str = "uv",
    upgrade: bool = False,
    as_of: str | None = None,
) -> tuple[LockResult, LockResult]:
    """Write `requirements.lock` and `dev.lock` of a stack, once both are resolved.

    Args:
        workspace_root: the workspace.
        stack: a name under `envs/`.
        resolver: `uv` or `pip-tools`.
        upgrade: take the newest versions, also where the lock of before has one that fits.
        as_of: a day or moment (`asof.parse_as_of`); files uploaded later are not looked at. None keeps
            that of the lock before, `none` lifts it.

    Raises:
        ConfigError: the stack is not valid or never existed, or its requirements contradict one another.
        NotFoundError: there is no such stack.
        MachineError: an index is unreachable or lacks a package. The locks of before are intact.
        IntegrityError: only another build of torch than the stack's can be had.
    """
    from reprokit.stacks.model import load_stack

    folder = stack_folder(workspace_root, stack)
    job = _Job(load_stack(workspace_root, stack), resolver, as_of, upgrade=upgrade)
    asked = given.stack_digest(folder / STACK_FILE)
    wanted = job.stack
    torch = (wanted.torch_requirement, *wanted.requirements)
    base = job.resolve(folder / STACK_LOCK, torch, asked)
    dev = job.resolve(folder / DEV_LOCK, wanted.dev, _dev_digest(wanted.dev, base), base=base)
    return _write(folder / STACK_LOCK, base), _write(folder / DEV_LOCK, dev)


def lock_project(
    workspace_root: Path,
    stack: str,
    project_dir: Path,
    *,
    resolver: str = "uv",
    upgrade: bool = False,
    as_of: str | None = None,
) -> LockResult | None:
    """Write a project's lock on top of its stack's; None where it has no requirements of its own.

    Its first lock is as of the day of its stack's, unless `as_of` says another (see `lock_stack`).

    Raises:
        ConfigError: the stack's lock is missing or stale, or the requirements are not valid.
        NotFoundError: there is no such stack.
        MachineError: an index is unreachable or lacks a package. The lock of before is intact.
    """
    from reprokit.stacks.model import load_stack

    base = check_stack_lock(workspace_root, stack)
    wanted = given.read_inputs(project_dir)
    path = project_lock_path(project_dir, stack)
    if not wanted.requirements and not path.exists():
        return None
    given.check_requirements(wanted)
    job = _Job(load_stack(workspace_root, stack), resolver, as_of, upgrade=upgrade)
    lock = job.resolve(
        path,
        tuple(line.text for line in wanted.requirements),
        given.project_digest(wanted, stack_lock=base.digest),
        base=base,
        limits=tuple(line.text for line in wanted.constraints),
    )
    return _write(path, lock)


class _Job:
    """One call of `reprokit lock` on one stack."""

    def __init__(
        self,
        stack: "Stack",
        resolver: str,
        as_of: str | None,
        *,
        upgrade: bool,
    ) -> None:
        from reprokit.stacks.resolution import resolve_stack
        from reprokit.stacks.resolve import find_source
        from reprokit.stacks.resolve import resolver as named

        self.stack = stack
        self._resolved = resolve_stack(stack)
        self._resolve = named(resolver)
        self._as_of = as_of
        self._upgrade = upgrade
        self._source = find_source(stack.torch_version)

    def resolve(
        self,
        path: Path,
        requirements: tuple[str, ...],
        asked: str,
        *,
        base: Lock | None = None,
        limits: tuple[str, ...] = (),
    ) -> Lock:
        """The new lock for `path`, not yet written."""
        from reprokit.stacks import asof
        from reprokit.stacks.resolve import Question

        below = base.pins if base else ()
        family = self._resolved.versions
        old = _lock_before(path)
        as_of = self._day(old or base)
        if as_of and base is None:
            asof.refuse_later_torch(self.stack, as_of)
        # Versions of another day are no reason to stay with them.
        same = old if old and old.header.as_of == as_of and not self._upgrade else None
        before = same.pins if same else ()
        question = Question(
            requirements=requirements,
            constraints=(
                *self._resolved.limits,
                *(str(pin) for pin in below if pin.name not in family),
                *limits,
            ),
            preferences=tuple(map(str, before)),
            python=self.stack.python,
            platform=self.stack.platform,
            exclude_newer=asof.cutoff(as_of) if as_of else None,
            settled=(*family, *(pin.name for pin in below)),
        )
        answer = self._resolve(question, self._source)
        _refuse_substitutes(answer.pins, family)
        names = {pin.name for pin in below}
        inputs = given.dated(asked, as_of)
        wanted = (self.stack.name, self.stack.python, self.stack.platform, answer.resolver, inputs)
        return Lock(
            Header(*wanted, as_of), tuple(pin for pin in answer.pins if pin.name not in names)
        )

    def _day(self, before: Lock | None) -> str | None:
        """The day that was asked for; else that of the lock before, or of the stack's."""
        if self._as_of is not None:
            return None if self._as_of == "none" else self._as_of
        return before.header.as_of if before else None


def _refuse_substitutes(pins: Iterable[Pin], versions: Mapping[str, str]) -> None:
    """Refuse a lock with another build of torch, or of what must match it, than was asked for.

    Raises:
        IntegrityError: `substituted-build`; both versions are named.
    """
    for pin in pins:
        wanted = versions.get(pin.name)
        if wanted is not None and pin.version != wanted:
            raise IntegrityError(
                "substituted-build",
                f"the resolver chose {pin} where {pin.name}=={wanted} is meant",
                hint="a find-links folder or an extra index serves another build: "
                "`python -m pip config list` shows them",
            )


def _dev_digest(tools: tuple[str, ...], base: Lock) -> str:
    return given.digest(base.digest, *tools)


def _fresh(path: Path, asked: str, source: str) -> Lock:
    """The lock at `path`, if it was made from inputs with the digest `asked`."""
    try:
        lock = read(path)
    except NotFoundError as error:
        raise ConfigError(
            "no-lock", "there is no lock yet", where=str(path), hint=f"`{REWRITE}`"
        ) from error
    if lock.header.inputs != given.dated(asked, lock.header.as_of):
        raise ConfigError(
            "stale-lock",
            f"the lock is stale: {source}, or the lock of its stack, has changed since",
            where=str(path),
            hint=f"`{REWRITE}`",
        )
    return lock


def _lock_before(path: Path) -> Lock | None:
    """The lock that is to be replaced; an unreadable one has nothing worth keeping."""
    try:
        return read(path)
    except (NotFoundError, ConfigError, IntegrityError):
        return None


def _write(path: Path, lock: Lock) -> LockResult:
    old = _lock_before(path)
    before = old.pins if old else ()
    data = render(lock).encode()
    written = not path.exists() or path.read_bytes() != data
    if written:
        files.write_bytes(path, data)
    return LockResult(path, lock, before, written)
