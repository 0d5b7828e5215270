"""What a repository wants -> the torch, its build and the Python, each from the tables of facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprokit.adopt.model import Claim, Need, Note
from reprokit.adopt.readers import lines
from reprokit.adopt.weigh import Wishes
from reprokit.errors import ConfigError
from reprokit.stacks.facts import Release, lookup, releases

PLATFORM = "linux/amd64"
_HINT = "name a stack of your own with `--stack NAME`"


@dataclass(frozen=True)
class Pair:
    """The base that a repository is to run on.

    Attributes:
        torch: exact release.
        variant: `cpu` or `cuNNN`.
        python: minor version.
        as_of: the day that everything open is resolved as of; None: today.
        notes: where each comes from.
        reasons: of these, the ones for `torch`, `variant` and `python`.
    """

    torch: str
    variant: str
    python: str
    as_of: str | None
    notes: tuple[Note, ...] = ()
    reasons: Mapping[str, Note] = field(default_factory=dict)


def choose_pair(wishes: Wishes, as_of: str | None, *, given: bool) -> Pair:
    """The pair that fits what is wanted on that day.

    Args:
        wishes: what the repository wants.
        as_of: the day (`2023-05-01`), or None for today.
        given: whether the user named the day: then it is never moved.

    Raises:
        ConfigError: no release fits, or too little is known of the one that is asked for.
    """
    need = wishes.need("torch")
    torch, release, notes = _torch(need, wishes, as_of, given=given)
    python, python_notes = _python(torch, release, wishes.pythons)
    variant, variant_notes = _variant(torch, release, wishes)
    day, day_notes = _day(release, as_of, given=given)
    reasons = {"torch": notes[0], "variant": variant_notes[0], "python": python_notes[0]}
    told = (*notes, *variant_notes, *python_notes, *day_notes)
    return Pair(torch, variant, python, day, told, reasons)


def _torch(
    need: Need | None, wishes: Wishes, as_of: str | None, *, given: bool
) -> tuple[str, Release | None, list[Note]]:
    exact = lines.without_build(need).exact if need else None
    if need and exact:
        release = lookup.release(exact)
        version = release.version if release else exact
        return version, release, [Note("found", f"torch {version}", need.where)]
    release, reason = _open_release(need, wishes, as_of, given=given)
    where = need.where if need else None
    return release.version, release, [Note("guessed", f"torch {release.version}: {reason}", where)]


def _open_release(
    need: Need | None, wishes: Wishes, as_of: str | None, *, given: bool
) -> tuple[Release, str]:
    """The newest release that fits the versions, the Pythons, the build and the day."""
    from packaging.specifiers import SpecifierSet

    wanted = SpecifierSet(lines.without_build(need).specifier if need else "")
    fitting = [
        row
        for row in releases()
        if wanted.contains(row.version) and _pythons_of(row, wishes.pythons[:1])
    ]
    builds = {claim.value for claim in wishes.builds[:1]}
    built = [
        row for row in fitting if builds <= {one.variant for one in lookup.builds_of(row.version)}
    ]
    fitting = built or fitting
    in_time = [row for row in fitting if as_of is None or row.date <= as_of[:10]]
    asked = f"{need.specifier or 'any version'} is asked for" if need else "nothing asks for it"
    if in_time:
        when = f"on {as_of[:10]}" if as_of else "that is known"
        return in_time[-1], f"{asked}; the newest {when} that fits, of {in_time[-1].date}"
    if fitting and not given:
        oldest = fitting[0]
        known = f"the tables begin with torch {releases()[0].version} of {releases()[0].date}"
        return (
            oldest,
            f"{asked}; which one fitted on {as_of} is unknown, {known}: the oldest that fits",
        )
    raise ConfigError(
        "no-torch",
        f"no release of torch in the tables fits: {asked}" + (f", as of {as_of}" if as_of else ""),
        where=str(need.where) if need else None,
        hint=_HINT,
    )


def _pythons_of(release: Release, claims: tuple[Claim, ...]) -> list[str]:
    """The Pythons that a release has wheels for and the claims allow, oldest first."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    known = [one for one in release.pythons.get(PLATFORM, ()) if not one.endswith("t")]
    for claim in claims:
        try:
            allowed = SpecifierSet(claim.value)
        except InvalidSpecifier:
            continue
        # `>=3.8.1` allows a 3.8, of which the last micro version is what an image has.
        known = [one for one in known if allowed.contains(one) or allowed.contains(f"{one}.99")]
    return known


def _python(
    torch: str, release: Release | None, claims: tuple[Claim, ...]
) -> tuple[str, list[Note]]:
    exact = next((claim for claim in claims if claim.value.endswith(".*")), None)
    wanted = exact.value.removeprefix("==").removesuffix(".*") if exact else None
    if release is None:
        if exact and wanted:
            return wanted, [Note("found", f"Python {wanted}", exact.where)]
        raise _unknown(torch, "which Pythons it has wheels for")
    known = _pythons_of(release, ())
    if exact and wanted in known:
        return wanted, [Note("found", f"Python {wanted}", exact.where)]
    if exact and wanted:
        near = min(known, key=lambda one: abs(lookup.numbers(one)[1] - lookup.numbers(wanted)[1]))
        text = f"Python {near}: torch {torch} has no wheel for {wanted}; the nearest that it has"
        return near, [Note("guessed", text, exact.where)]
    return _middle(torch, release, claims)


def _middle(torch: str, release: Release, claims: tuple[Claim, ...]) -> tuple[str, list[Note]]:
    """The last but one: on its day, few other packages had wheels for the newest Python."""
    known, fitting = (
        _pythons_of(release, ()),
        _pythons_of(release, claims) or _pythons_of(release, ()),
    )
    usual = known[-2] if len(known) > 1 else known[-1]
    chosen = usual if usual in fitting else fitting[-1]
    said = f"{claims[0].value} is asked for" if claims else "no file says which"
    text = (
        f"Python {chosen}: {said}; torch {torch} has wheels for {known[0]} to {known[-1]}, "
        "and the newest Python of a day lacks wheels of others"
    )
    return chosen, [Note("guessed", text, claims[0].where if claims else None)]


def _variant(torch: str, release: Release | None, wishes: Wishes) -> tuple[str, list[Note]]:
    """The build, and why; the reason for it comes first."""
    built = [row.variant for row in lookup.builds_of(torch)]
    fitting = [claim for claim in wishes.builds if release is None or claim.value in built]
    notes = [
        Note(
            "skipped",
            f"{claim.value} is not taken: torch {torch} was built for {', '.join(built)}",
            claim.where,
        )
        for claim in wishes.builds
        if claim not in fitting
    ]
    if fitting:
        found = Note("found", f"the build {fitting[0].value} of torch", fitting[0].where)
        return fitting[0].value, [found, *notes]
    variant, reason = _default(torch, wishes)
    notes += [
        Note(
            "skipped",
            f"CUDA of the base image ({claim.value}) does not count: {_OWN_CUDA}",
            claim.where,
        )
        for claim in wishes.image_cuda
        if claim.value != variant
    ]
    return variant, [Note("guessed", reason), *notes]


_OWN_CUDA = "the wheel of torch brings its own"


def _default(torch: str, wishes: Wishes) -> tuple[str, str]:
    if wishes.need("torch") is None and not wishes.image_cuda:
        return "cpu", "the build cpu of torch: nothing asks for torch, and a stack always has one"
    variant = lookup.default_variant(torch, PLATFORM)
    if variant is None:
        raise _unknown(torch, "which build the package index served")
    return variant, f"the build {variant}: what the package index serves as torch {torch}"


def _day(
    release: Release | None, as_of: str | None, *, given: bool
) -> tuple[str | None, list[Note]]:
    """The day, not before torch itself was there."""
    if as_of is None or release is None or release.date <= as_of[:10]:
        return as_of, []
    if given:
        raise ConfigError(
            "newer-than-cutoff",
            f"torch {release.version} is of {release.date}, after {as_of}",
            where="--as-of",
            hint=f"`--as-of {release.date}` or later",
        )
    text = f"the day is {release.date}, not {as_of}: torch {release.version} is of that day"
    return release.date, [Note("guessed", text)]


def _unknown(torch: str, what: str) -> ConfigError:
    known = releases()
    return ConfigError(
        "unknown-torch",
        f"torch {torch} is not in the tables ({known[0].version} to {known[-1].version}): {what} is unknown",
        hint=f"{_HINT}; or say the Python in `.python-version` and the build as in `torch=={torch}+cu111`",
    )
