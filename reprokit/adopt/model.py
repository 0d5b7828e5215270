"""What the files of a repository say, each word with the place where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from reprokit.adopt.graph import LockGraph

NoteKind = Literal["found", "guessed", "unknown", "skipped"]


@dataclass(frozen=True, order=True)
class Where:
    """A place in the repository: a path relative to it, and a line from 1 (0: the file as a whole)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Claim:
    """Something that a file says beside its requirements: a Python, a build of torch, a package."""

    value: str
    where: Where


@dataclass(frozen=True)
class Need:
    """One distribution that the repository asks for.

    Attributes:
        name: as indexes compare names.
        specifier: the versions that will do, in the words of PEP 440; empty for any.
        where: the line that asks for it.
        extras: its optional parts.
        marker: the condition under which it is needed (PEP 508); empty for always.
    """

    name: str
    specifier: str
    where: Where
    extras: tuple[str, ...] = ()
    marker: str = ""

    @property
    def exact(self) -> str | None:
        """The one version that will do, or None where several may."""
        version = self.specifier.removeprefix("===").removeprefix("==").strip()
        plain = self.specifier.startswith("==") and not {*",*<>!~"} & set(version)
        return version if plain else None

    @property
    def line(self) -> str:
        """The line of a requirements file that asks for it."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}{self.specifier}{marker}"


@dataclass(frozen=True)
class Note:
    """A line for a person: what was found, guessed, is unknown or was skipped, and where."""

    kind: NoteKind
    text: str
    where: Where | None = None

    def document(self) -> dict[str, str | None]:
        """The note for programs."""
        where = str(self.where) if self.where else None
        return {"kind": self.kind, "text": self.text, "where": where}


@dataclass(frozen=True)
class Reading:
    """All that one file says.

    Attributes:
        file: its path in the repository.
        kind: what sort of file it is, e.g. `requirements.txt`.
        needs: the distributions that it asks for.
        constraints: versions for distributions that something else asks for.
        pythons: the Pythons that will do, in the words of PEP 440 (`==3.8.*`, `>=3.8`).
        builds: the builds of torch that it asks for: `cpu` or `cuNNN`.
        image_cuda: the CUDA of a base image, as `cuNNN`; pip's torch brings its own.
        system: packages of the operating system.
        graph: what a lock file of another tool resolved.
        notes: what is worth telling.
    """

    file: str
    kind: str
    needs: tuple[Need, ...] = ()
    constraints: tuple[Need, ...] = ()
    pythons: tuple[Claim, ...] = ()
    builds: tuple[Claim, ...] = ()
    image_cuda: tuple[Claim, ...] = ()
    system: tuple[Claim, ...] = ()
    graph: "LockGraph | None" = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Target:
    """The environment that markers are judged in: always Linux, as ReproKit's stacks are."""

    python: str
    machine: str = "x86_64"
    variables: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        variables = {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": self.machine,
            "os_name": "posix",
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "extra": "",
        }
        object.__setattr__(self, "variables", variables)
