"""The text of a lock (a hashed requirements file that any pip can read) <-> a frozen `Lock`.

On the hot path of `reprokit run`: no program, no heavy import.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from reprokit.errors import ConfigError, IntegrityError, NotFoundError, Problem
from reprokit.values import dataclass

FORMAT = "reprokit-lock/1"
REWRITE = "reprokit lock"

_FIELDS = ("stack", "python", "platform", "resolver", "inputs")
_AS_OF = "as-of"
_PINS = "pins"
_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"\s*(?:;\s*(?P<marker>.+?)\s*)?"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_COMMENT = re.compile(r"(^|\s)#.*$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Pin:
    """One distribution at one version; `hashes`: sha256 in hexadecimal, one a file that will do."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    marker: str = ""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Header:
    """What a lock says about itself.

    Attributes:
        stack: the stack's name.
        python: the minor version that it was resolved for, e.g. `3.11`.
        platform: e.g. `linux/amd64`.
        resolver: the program that resolved it, and its version.
        inputs: digest of what it was resolved from (`sha256:HEX`); tells whether it is stale.
        as_of: the day or moment that the index was asked as of; None: as it was.
    """

    stack: str
    python: str
    platform: str
    resolver: str
    inputs: str
    as_of: str | None = None


@dataclass(frozen=True)
class Lock:
    """Exact versions with hashes, sorted by name."""

    header: Header
    pins: tuple[Pin, ...]

    @cached_property
    def digest(self) -> str:
        """Digest of the pins alone: two locks with the same digest make the same environment."""
        return "sha256:" + hashlib.sha256(render_pins(self.pins).encode()).hexdigest()

    def version(self, name: str) -> str | None:
        """The locked version of a distribution, or None when the lock lacks it."""
        return next((pin.version for pin in self.pins if pin.name == normalise(name)), None)


def normalise(name: str) -> str:
    """A distribution's name as indexes compare it: lower case, with single dashes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def render(lock: Lock) -> str:
    """The lock as text: the same bytes for the same lock, and nothing of the machine in them."""
    fields = [f"# {name}: {getattr(lock.header, name)}" for name in _FIELDS]
    as_of = lock.header.as_of
    head = [
        f"# {FORMAT}",
        *fields,
        *([f"# {_AS_OF}: {as_of}"] if as_of else []),
        f"# {_PINS}: {lock.digest}",
        f"# Written by `{REWRITE}`; edit what it is made from, not this.",
    ]
    return "\n".join(head) + "\n" + render_pins(lock.pins)


def render_pins(pins: Iterable[Pin]) -> str:
    """The pins with their hashes as the body of a requirements file."""
    lines = []
    for pin in sorted(pins, key=lambda pin: (pin.name, pin.version, pin.marker)):
        marker = f" ; {pin.marker}" if pin.marker else ""
        lines.append(
            " \\\n    ".join(
                [f"{pin}{marker}", *(f"--hash=sha256:{one}" for one in sorted(pin.hashes))]
            )
        )
    return "".join(line + "\n" for line in lines)


def read(path: Path) -> Lock:
    """Read and validate the lock at `path`.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no lock of ours, or one of a later format.
        IntegrityError: an entry is no exact pin with a sha256 hash, the package is named; or the pins are not
            those that were written.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFoundError("no-lock", "the lock is not there", where=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(
            "bad-lock", f"the lock cannot be read: {error}", where=str(path)
        ) from error
    header, written = _header(text, str(path))
    lock = Lock(header, parse_pins(text, where=str(path)))
    if written is not None and written != lock.digest:
        raise IntegrityError(
            "edited-lock",
            f"these are not the pins that `{REWRITE}` wrote: somebody has changed them since",
            where=str(path),
            hint=f"bring the file back from git, or write it anew with `{REWRITE}`",
        )
    return lock


def parse_pins(text: str, *, where: str) -> tuple[Pin, ...]:
    """The pins of a hashed requirements file, in canonical form and order.

    Args:
        text: the file's content; its comments are skipped.
        where: the file's name, for messages.

    Raises:
        IntegrityError: an entry is not `name==version` with a sha256 hash, or comes twice.
    """
    pins: dict[tuple[str, str], Pin] = {}
    problems: list[Problem] = []
    for number, line in _logical_lines(text):
        answer = _pin(line)
        if isinstance(answer, str):
            problems.append(Problem(f"{where}:{number}", answer))
        elif pins.setdefault((answer.name, answer.marker), answer) is not answer:
            problems.append(Problem(f"{where}:{number}", f"`{answer.name}` is locked twice"))
    if problems:
        raise _refusal(problems)
    return tuple(sorted(pins.values(), key=lambda pin: (pin.name, pin.marker)))


def _refusal(problems: Sequence[Problem]) -> IntegrityError:
    return IntegrityError(
        "unsafe-lock",
        f"the lock is not safe to install: {problems[0].message}",
        where=problems[0].where,
        hint=f"`{REWRITE}` writes it again; `git diff` shows who changed it",
        problems=problems,
    )


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines with their continuations joined and comments cut, each with its first line's number."""
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        parts.append(_COMMENT.sub("", line) if "#" in line else line)
        joined = " ".join(parts).strip()
        parts = []
        if joined:
            yield start, joined
    if joined := " ".join(parts).strip():
        yield start, joined


def _pin(line: str) -> Pin | str:
    """The pin that a line says, or the rule that it breaks."""
    requirement, *options = re.split(r"\s+(?=--)", line)
    matched = _PIN.fullmatch(requirement)
    if matched is None:
        named = _NAME.match(line)
        return f"`{named.group() if named else line}` is no exact pin (`name==version`)"
    hashes = [_HASH.fullmatch(option) for option in options]
    if not hashes:
        return f"`{matched['name']}` has no hash"
    if None in hashes:
        return f"`{matched['name']}` has something beside it that is no sha256 hash"
    return Pin(
        normalise(matched["name"]),
        matched["version"],
        tuple(sorted({found[1] for found in hashes if found})),
        matched["marker"] or "",
    )


def _header(text: str, where: str) -> tuple[Header, str | None]:
    """What the lock says about itself, and the digest that its pins had when it was written."""
    lines = text.splitlines()[: len(_FIELDS) + 3]
    first = lines[0] if lines else ""
    if first.startswith("# reprokit-lock/") and first != f"# {FORMAT}":
        raise ConfigError(
            "lock-format",
            f"the lock has the format `{first[2:]}`; this ReproKit reads `{FORMAT}`",
            where=where,
            hint=f"use the ReproKit that wrote it, or write it again with `{REWRITE}`",
        )
    found = dict(line[2:].split(": ", 1) for line in lines[1:] if ": " in line)
    as_of, pins = found.pop(_AS_OF, None), found.pop(_PINS, None)
    if first != f"# {FORMAT}" or set(found) != set(_FIELDS):
        raise ConfigError(
            "not-a-lock",
            f"this file lacks the first lines that `{REWRITE}` writes",
            where=where,
            hint=f"write it with `{REWRITE}`",
        )
    return Header(**found, as_of=as_of), pins
