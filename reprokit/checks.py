"""A tree of YAML values -> checked Python values, or one error with every mistake and its place."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from reprokit.errors import ConfigError, Problem
from reprokit.strictyaml import Mark, Node, shown
from reprokit.suggest import closest, did_you_mean

MAX_PROBLEMS = 100
MAX_CPUS = 1 << 16
MAX_SIZE = 1 << 50


class Refused(Exception):  # noqa: N818 - a signal between checks; the problem is on the list already
    """A value is not valid. The checks of its neighbours go on."""


class Spot(NamedTuple):  # like Field: a dataclass takes 0.6 ms to make at every start
    """A value under check: its node, its key path and the list that its problems go to."""

    node: Node
    key: str
    problems: list[tuple[Mark, Problem]]

    def below(self, key: str, node: Node) -> "Spot":
        """The spot of a value inside this one."""
        return Spot(node, f"{self.key}.{key}" if self.key else key, self.problems)

    def children(self) -> "list[Spot]":
        """The spots of all values directly inside of this one."""
        value = self.node.value
        if isinstance(value, dict):
            return [self.below(key, child) for key, child in value.items()]
        items = value if isinstance(value, tuple) else ()
        return [self.below(str(index), child) for index, child in enumerate(items)]

    def report(self, rule: str, hint: str | None = None, mark: Mark | None = None) -> None:
        """Put a problem on the list; the checks go on."""
        place = mark or self.node.mark
        subject = f"`{shown(self.key)}`" if self.key else "the file"
        self.problems.append((place, Problem(str(place), f"{subject} {rule}", hint)))

    def refuse(self, rule: str, hint: str | None = None, mark: Mark | None = None) -> "Refused":
        """Put a problem on the list; the caller raises what this returns."""
        self.report(rule, hint, mark)
        return Refused()

    def found(self) -> str:
        """What stands here, in words."""
        value = self.node.value
        if isinstance(value, dict | tuple):
            return "found a mapping" if isinstance(value, dict) else "found a list"
        kind = "the text " if isinstance(value, str) else ""
        return f"found {kind}`{shown(self.node.raw)}`" if self.node.raw else "found nothing"


T = TypeVar("T")
Check = Callable[[Spot], Any]


class Field(NamedTuple):
    """What one key of a mapping takes; without a default it is required."""

    check: Check
    default: Any = ...


def checked(spot: Spot, check: Callable[[Spot], T]) -> T:
    """What `check` makes of the tree at `spot`.

    Raises:
        ConfigError: there are problems; all of them, in the order of the file.
    """
    with suppress(Refused):
        value = check(spot)
        if not spot.problems:
            return value
    ordered = [problem for _, problem in sorted(spot.problems, key=lambda pair: pair[0][1:])]
    count = "1 mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
    raise ConfigError(
        "bad-config",
        f"{count} in the config",
        where=spot.node.mark.source,
        hint=ordered[0].hint,
        problems=ordered[:MAX_PROBLEMS],
    )


def mapping(spot: Spot) -> dict[str, Node]:
    """The entries of a mapping."""
    if not isinstance(spot.node.value, dict):
        raise spot.refuse(f"must be a mapping, {spot.found()}", "write it as lines of `key: value`")
    return spot.node.value


def table(spot: Spot, fields: Mapping[str, Field]) -> dict[str, Any]:
    """A mapping with known keys -> their checked values, defaults included."""
    entries = mapping(spot)
    for key in entries:
        if key not in fields:
            hint = did_you_mean(key, fields) if len(spot.problems) < MAX_PROBLEMS else None
            spot.below(key, entries[key]).report("is no known key", hint, spot.node.keys[key])
    return each((key, partial(_entry, spot, key, known)) for key, known in fields.items())


def _entry(spot: Spot, key: str, known: Field) -> Any:
    node = mapping(spot).get(key)
    if node is None and known.default is ...:
        raise spot.below(key, spot.node).refuse("is missing", f"add a line `{key}: ...`")
    optional = not isinstance(known.default, str | int) and known.default is not ...
    if node is None or (node.value is None and optional):
        return known.default
    return known.check(spot.below(key, node))


def listing(check: Check) -> Check:
    """A check of a list (-> tuple) of different values that each pass `check`."""

    def checked_list(spot: Spot) -> tuple[Any, ...]:
        if not isinstance(spot.node.value, tuple):
            raise spot.refuse(f"must be a list, {spot.found()}", "write it as `[one, two]`")
        items = each((item.key, partial(check, item)) for item in spot.children())
        values = tuple(items.values())
        if len(set(values)) < len(values):
            raise spot.refuse("names something twice", "keep one of them")
        return values

    return checked_list


def each(checks: Iterable[tuple[str, Callable[[], Any]]]) -> dict[str, Any]:
    """What every check returns; all of them run before the first refusal counts."""
    values: dict[str, Any] = {}
    refused = False
    for key, check in checks:
        try:
            values[key] = check()
        except Refused:
            refused = True
    if refused:
        raise Refused
    return values


def pattern(rule: str, expression: str) -> Check:
    """A check of text that matches `expression` as a whole; `rule` says that in words."""
    compiled = re.compile(expression)

    def checked_text(spot: Spot) -> str:
        value = spot.node.value
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        typed = not isinstance(value, str) and compiled.fullmatch(spot.node.raw)
        hint = f'put it in quotes: `"{spot.node.raw}"`' if typed else None
        raise spot.refuse(f"must be {rule}, {spot.found()}", hint)

    return checked_text


name_text = pattern(
    "a name of up to 63 small letters, digits, `.`, `_` and `-`", "[a-z0-9][a-z0-9._-]{0,62}"
)
# `3.10` without quotes is the number 3.1: the one mistake that no later check could notice.
version_text = pattern("a version in quotes", r"[0-9]+(?:\.[0-9]+)*[A-Za-z0-9.+-]*")
_SIZE = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,6}))?(?:([kmgt])(?:i?b)?|b)", re.IGNORECASE)


def choice(*words: str) -> Check:
    """A check of text that is one of `words`."""

    def checked_choice(spot: Spot) -> str:
        if spot.node.value in words and isinstance(spot.node.value, str):
            return spot.node.value
        near = closest(spot.node.raw, words)
        hint = f"did you mean `{near}`?" if near else None
        raise spot.refuse(f"must be {' or '.join(words)}, {spot.found()}", hint)

    return checked_choice


def whole(low: int, high: int) -> Check:
    """A check of a whole number within limits; `true`, `1.0` and `"1"` are none."""

    def checked_whole(spot: Spot) -> int:
        value = spot.node.value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        hint = "write it without quotes" if spot.node.quoted and spot.node.raw.isdecimal() else None
        raise spot.refuse(f"must be a whole number from {low} to {high}, {spot.found()}", hint)

    return checked_whole


def cores(spot: Spot) -> float:
    """A number of cores above 0; fractions are fine."""
    value = spot.node.value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MAX_CPUS:
        return value
    raise spot.refuse(
        f"must be a number of cores above 0, {spot.found()}", "write it as `2` or `0.5`"
    )


def size_bytes(spot: Spot) -> int:
    """A size with a unit (`8g`, `512m`, `1.5GiB`; powers of 1,024 like Docker's) -> bytes."""
    match = _SIZE.fullmatch(spot.node.value) if isinstance(spot.node.value, str) else None
    if match:
        number, fraction, unit = match[1], match[2] or "", (match[3] or "b").lower()
        scaled: int = int(number + fraction) << 10 * "bkmgt".index(unit)
        parts: int = 10 ** len(fraction)
        if 0 < scaled < MAX_SIZE * parts and scaled % parts == 0:
            return scaled // parts
    raise spot.refuse(f"must be a size with a unit, {spot.found()}", "write it as `8g` or `512m`")


def size_text(size: int) -> str:
    """Bytes as the shortest exact text that `size_bytes` reads, as in `8g`."""
    power = max(power for power in range(5) if size % (1 << 10 * power) == 0)
    return f"{size >> 10 * power}{'bkmgt'[power]}"
