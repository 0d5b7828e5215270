"""What a lock is made from: lines of `requirements.in`, and digests that tell when they changed.

The digests are on the hot path: no YAML, no `packaging`.
"""

import hashlib
import re
from pathlib import Path

from reprokit.errors import ConfigError, Problem
from reprokit.values import dataclass

REQUIREMENTS_FILE = "requirements.in"
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]\s*(.+)|(?:-c|--constraint)[ =]\s*(.+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_DEPTH = 16


@dataclass(frozen=True)
class Line:
    """One requirement as written, and the file and line where it is."""

    text: str
    where: str


@dataclass(frozen=True)
class Inputs:
    """The requirements and constraints of a project, its includes (`-r`, `-c`) read."""

    requirements: tuple[Line, ...] = ()
    constraints: tuple[Line, ...] = ()


def digest(*parts: str) -> str:
    """A digest over `parts` that no other division of the same characters has."""
    joined = "".join(f"{len(part.encode())}:{part}" for part in parts)
    return "sha256:" + hashlib.sha256(joined.encode()).hexdigest()


def stack_digest(stack_file: Path) -> str:
    """The digest of a `stack.yaml`; comments, blank lines and line ends do not count."""
    lines = (line.rstrip() for line in _text(stack_file).splitlines())
    return digest(*(line for line in lines if line and not line.lstrip().startswith("#")))


def project_digest(inputs: Inputs, *, stack_lock: str) -> str:
    """The digest of a project's requirements on top of a stack's lock (its digest)."""
    return digest(
        stack_lock,
        *(f"requires {line.text}" for line in inputs.requirements),
        *(f"limits {line.text}" for line in inputs.constraints),
    )


def dated(asked: str, as_of: str | None) -> str:
    """The digest `asked` of a lock that is resolved as of a day; without one it stays."""
    return digest(asked, as_of) if as_of else asked


def read_inputs(project_dir: Path) -> Inputs:
    """The lines of a project's `requirements.in`; without one, a project needs only its stack.

    Raises:
        ConfigError: a file is no readable text, includes itself, or has an option of installers.
    """
    path = project_dir / REQUIREMENTS_FILE
    return _read(path, 0) if path.exists() else Inputs()


def _read(path: Path, depth: int) -> Inputs:
    if depth > _DEPTH:
        raise ConfigError("include-loop", "requirements files include one another", where=str(path))
    requirements: list[Line] = []
    constraints: list[Line] = []
    for number, raw in enumerate(_text(path).splitlines(), 1):
        text = " ".join(_COMMENT.sub("", raw).split())
        where = f"{path}:{number}"
        if included := _INCLUDE.fullmatch(text):
            inner = _read(path.parent / (included[1] or included[2]), depth + 1)
            (requirements if included[1] else constraints).extend(inner.requirements)
            constraints.extend(inner.constraints)
        elif text.startswith("-"):
            raise _option(text, where)
        elif text:
            requirements.append(Line(text, where))
    return Inputs(tuple(requirements), tuple(constraints))


def check_requirements(inputs: Inputs) -> None:
    """Refuse lines that are no requirement by name.

    Raises:
        ConfigError: with every such line.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    problems = []
    for line in (*inputs.requirements, *inputs.constraints):
        try:
            named = Requirement(line.text).url is None
        except InvalidRequirement as error:
            problems.append(
                Problem(
                    line.where, f"`{line.text}` is no requirement: {str(error).splitlines()[0]}"
                )
            )
            continue
        if not named:
            problems.append(
                Problem(
                    line.where, f"`{line.text}` is an address; a lock pins versions from an index"
                )
            )
    if problems:
        raise ConfigError(
            "bad-requirements",
            problems[0].message,
            where=problems[0].where,
            hint="write `name`, `name==1.2` or `name>=1,<2`, one a line",
            problems=problems,
        )


def _option(text: str, where: str) -> ConfigError:
    option = re.split("[ =]", text, maxsplit=1)[0]
    return ConfigError(
        "requirements-option",
        f"`{option}` has no place in {REQUIREMENTS_FILE}",
        where=where,
        hint="where packages come from is a setting of pip (`pip config set ...`), "
        "not of a project; `-r FILE` and `-c FILE` are understood",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "unreadable", f"the file cannot be read as text: {error}", where=str(path)
        ) from error
