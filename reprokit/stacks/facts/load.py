"""The data files -> the tables, each read and checked once a process."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from reprokit.errors import IntegrityError
from reprokit.stacks.facts import rows

DATA = Path(__file__).parent / "data"
FILES = ("torch", "cuda", "gpus", "images")

R = TypeVar("R", bound=tuple[Any, ...])


def releases() -> tuple[rows.Release, ...]:
    """PyTorch releases on the package index, oldest first."""
    return _rows("torch", "releases", rows.Release)


def builds() -> tuple[rows.Build, ...]:
    """Every release in every variant, in the order of `releases`."""
    return _rows("torch", "builds", rows.Build)


def limits() -> tuple[rows.Limit, ...]:
    """What old releases of PyTorch need of other packages, and do not say."""
    return _rows("torch", "limits", rows.Limit)


def toolkits() -> tuple[rows.Toolkit, ...]:
    """CUDA toolkits and their drivers, newest first."""
    return _rows("cuda", "toolkits", rows.Toolkit)


def minor_versions() -> tuple[rows.MinorVersion, ...]:
    """The oldest driver for each CUDA major."""
    return _rows("cuda", "minor_versions", rows.MinorVersion)


def architectures() -> tuple[rows.Architecture, ...]:
    """Compute capabilities, oldest first."""
    return _rows("cuda", "architectures", rows.Architecture)


def branches() -> tuple[rows.Branch, ...]:
    """Driver branches for data centres and when they end."""
    return _rows("cuda", "branches", rows.Branch)


def dropped() -> tuple[rows.Dropped, ...]:
    """What CUDA releases stopped supporting."""
    return _rows("cuda", "dropped", rows.Dropped)


def gpus() -> tuple[rows.Gpu, ...]:
    """GPUs by name."""
    return _rows("gpus", "gpus", rows.Gpu)


def images() -> tuple[rows.Image, ...]:
    """`nvidia/cuda` images by CUDA release, oldest first."""
    return _rows("images", "images", rows.Image)


def systems() -> tuple[rows.System, ...]:
    """Releases of Debian and Ubuntu that base images are made of."""
    return _rows("images", "systems", rows.System)


def rules() -> tuple[rows.Rule, ...]:
    """Rules in words, of CUDA and of the images."""
    return _rows("cuda", "rules", rows.Rule) + _rows("images", "rules", rows.Rule)


def conflicts() -> tuple[rows.Conflict, ...]:
    """Where sources disagreed, and what was taken."""
    return _rows("torch", "conflicts", rows.Conflict) + _rows("cuda", "conflicts", rows.Conflict)


@cache
def sources() -> dict[str, str]:
    """Source key -> where that is. A key that two files have means the same in both."""
    return {key: text for name in FILES for key, text in _file(name)["sources"].items()}


@cache
def _file(name: str) -> dict[str, Any]:
    path = DATA / f"{name}.json"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _broken(str(path), f"cannot be read: {error}") from error
    if document.get("schema") != f"reprokit/facts-{name}/1":
        raise _broken(str(path), "is of another format")
    return dict(document)


@cache
def _rows(name: str, table: str, kind: type[R]) -> tuple[R, ...]:
    document = _file(name)
    return tuple(
        row(raw, kind, f"{name}.json: {table}[{number}]", document["sources"])
        for number, raw in enumerate(document[table])
    )


def row(raw: Mapping[str, Any], kind: type[R], where: str, known: Mapping[str, str]) -> R:
    """One checked row.

    Args:
        raw: the row as JSON has it.
        kind: what it is to be.
        where: its place, for messages.
        known: the sources that it may name.

    Raises:
        IntegrityError: a key is missing, unknown or of the wrong type, or a source is not listed.
    """
    hints = _hints(kind)
    if extra := raw.keys() - hints.keys():
        raise _broken(where, f"has the unknown key `{min(extra)}`")
    named = raw.get("source", [])
    if "source" in hints and (not named or not set(named) <= known.keys()):
        raise _broken(where, f"names no known source: {named}")
    values = {key: _value(raw[key], hints[key], f"{where}.{key}", known) for key in raw}
    try:
        return kind(**values)
    except TypeError as error:
        raise _broken(where, f"is not complete: {error}") from error


@cache
def _hints(kind: type[tuple[Any, ...]]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {key: _without_none(hint) for key, hint in hints.items()}


def _without_none(hint: Any) -> Any:
    """What a value is where it is there at all: unknown values are left out of the files."""
    if isinstance(hint, UnionType):
        return next(one for one in get_args(hint) if one is not NoneType)
    return hint


def _value(raw: Any, hint: Any, where: str, known: Mapping[str, str]) -> Any:
    """`raw` as the type `hint` says: text, numbers, tuples and mappings of them, and rows inside rows."""
    if type(raw) is hint:
        return raw
    if get_origin(hint) is tuple and isinstance(raw, list):
        return tuple(_value(item, get_args(hint)[0], where, known) for item in raw)
    if get_origin(hint) is Mapping and isinstance(raw, dict):
        return {key: _value(item, get_args(hint)[1], where, known) for key, item in raw.items()}
    if hasattr(hint, "_fields") and isinstance(raw, dict):
        return row(raw, hint, where, known)
    raise _broken(where, f"holds {raw!r}, which is not what belongs there")


def _broken(where: str, what: str) -> IntegrityError:
    return IntegrityError(
        "bad-facts", f"a table of facts {what}", where=where, hint="install ReproKit again"
    )
