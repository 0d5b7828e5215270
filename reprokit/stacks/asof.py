"""A day (or a moment) that a lock is resolved as of: what the package index had then and nothing later."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from reprokit.errors import ConfigError

if TYPE_CHECKING:
    from reprokit.stacks.model import Stack

# What lifts the cutoff of a lock; written, because leaving the option out keeps it.
LIFTED = "none"


def parse_as_of(text: str) -> str:
    """A day or a moment in one form: `2023-05-01`, `2023-05-01T12:00:00Z`; `none` stays.

    Raises:
        ConfigError: it is neither.
    """
    text = text.strip()
    if text == LIFTED:
        return text
    try:
        if len(text) == len("2023-05-01"):
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(text) from None
    if moment.tzinfo is None:
        raise _bad(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_day(text: str) -> str:
    """A day alone: `2023-05-01`.

    Raises:
        ConfigError: it is none.
    """
    day = parse_as_of(text)
    if len(day) != len("2023-05-01"):
        raise _bad(text)
    return day


def cutoff(as_of: str) -> str:
    """The first moment that is too late: for a day the end of it in UTC, wherever the resolver runs."""
    if "T" in as_of:
        return as_of
    return f"{date.fromisoformat(as_of) + timedelta(days=1)}T00:00:00Z"


def refuse_later_torch(stack: "Stack", as_of: str) -> None:
    """Refuse a day on which the stack's torch was not there yet; a release without a known day passes.

    Raises:
        ConfigError: `newer-than-cutoff`; the release that fits the day is named.
    """
    from reprokit.stacks.facts import lookup, releases

    release = lookup.release(stack.torch)
    if release is None or release.date <= as_of[:10]:
        return
    then = [row for row in releases() if row.date <= as_of[:10]]
    fitting = (
        f"torch {then[-1].version} ({then[-1].default.get(stack.platform, 'cpu')}) is what fits that day"
        if then
        else f"the tables begin with torch {releases()[0].version} of {releases()[0].date}"
    )
    raise ConfigError(
        "newer-than-cutoff",
        f"torch {release.version} is of {release.date}, after {as_of}",
        where=f"envs/{stack.name}/stack.yaml",
        hint=f"`--as-of {release.date}` or later; {fitting}",
    )


def _bad(text: str) -> ConfigError:
    return ConfigError(
        "bad-date",
        f"`{text[:40]}` is no day and no moment with a time zone",
        where="--as-of",
        hint=f"write `--as-of 2023-05-01` or `2023-05-01T12:00:00Z`; `{LIFTED}` lifts the one of before",
    )
