"""What the files of a repository say -> what it wants, with a reason where they disagree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reprokit.adopt import gather
from reprokit.adopt.model import Claim, Need, Note, Reading, Target
from reprokit.adopt.readers import (
    conda,
    lines,
    pipfile,
    poetrylock,
    pyproject,
    requirements,
    setuppy,
    system,
    uvlock,
)

# The first that names a distribution decides its versions.
ORDER = (
    uvlock.KIND,
    poetrylock.KIND,
    pipfile.LOCK_KIND,
    requirements.KIND,
    conda.KIND,
    pyproject.KIND,
    pipfile.KIND,
    setuppy.CFG_KIND,
    setuppy.KIND,
    gather.NOTEBOOK_KIND,
    system.DOCKER_KIND,
)
LOCKS = ORDER[:3]
RULE = (
    "a lock file decides alone; else exact versions go before ranges, and then "
    "requirements.txt, environment.yml, pyproject.toml, Pipfile, setup.cfg, setup.py, Dockerfile"
)


@dataclass(frozen=True)
class Wishes:
    """What the repository wants.

    Attributes:
        needs: distributions, one each, sorted by name; torch is among them where it is asked for.
        complete: whether a lock file names everything that comes along, so that nothing is open.
        winner: the file that decides most, and its kind; None where none asks for anything.
        pythons: what is said of Python, exact versions first.
        builds: the builds of torch that are asked for, the strongest first.
        image_cuda: CUDA of base images.
        system: packages of the operating system.
        notes: disagreements, and what readers had to say.
    """

    needs: tuple[Need, ...] = ()
    complete: bool = False
    winner: Reading | None = None
    pythons: tuple[Claim, ...] = ()
    builds: tuple[Claim, ...] = ()
    image_cuda: tuple[Claim, ...] = ()
    system: tuple[Claim, ...] = ()
    notes: tuple[Note, ...] = ()

    def need(self, name: str) -> Need | None:
        """What is wanted of a distribution; None where it is not asked for."""
        return next((need for need in self.needs if need.name == name), None)


def weigh(readings: Sequence[Reading], target: Target) -> Wishes:
    """What the repository wants, by `RULE`; distributions that only a lesser file names are added."""
    ranked = sorted(
        (_resolved(one, target) for one in readings if one.needs or one.graph), key=_rank
    )
    locks = [one for one in ranked if one.kind in LOCKS]
    deciding = locks[:1] or ranked
    needs = _first(need for one in deciding for need in one.needs)
    notes = [note for one in readings for note in one.notes]
    return Wishes(
        needs=tuple(sorted(_limited(needs, readings), key=lambda need: need.name)),
        complete=bool(locks),
        winner=deciding[0] if deciding else None,
        pythons=_pythons(readings),
        builds=_builds(needs, ranked, readings),
        image_cuda=tuple(claim for one in readings for claim in one.image_cuda),
        system=_unique(claim for one in readings for claim in one.system),
        notes=(*notes, *_disagreements(needs, ranked)),
    )


def _resolved(reading: Reading, target: Target) -> Reading:
    return replace(reading, needs=reading.graph.needs(target)) if reading.graph else reading


def _rank(reading: Reading) -> tuple[int, int]:
    place = ORDER.index(reading.kind) if reading.kind in ORDER else len(ORDER)
    pinned = all(need.exact for need in reading.needs)
    asked = reading.kind not in (system.DOCKER_KIND, gather.NOTEBOOK_KIND)
    return (0 if reading.kind in LOCKS else 1 if pinned and asked else 2), place


def _first(needs: Iterable[Need]) -> list[Need]:
    """The first of each name; one with another condition (a marker) stands beside it."""
    chosen: dict[str, list[Need]] = {}
    files: dict[str, str] = {}
    for need in needs:
        same = chosen.setdefault(need.name, [])
        first_file = files.setdefault(need.name, need.where.file)
        markers = {other.marker for other in same}
        if not same or (
            need.marker and "" not in markers | {need.marker} and first_file == need.where.file
        ):
            same.append(need)
    return [need for group in chosen.values() for need in group]


def _limited(needs: list[Need], readings: Sequence[Reading]) -> list[Need]:
    """The needs with the versions that constraint files (`-c`) give them."""
    limits = {need.name: need.specifier for one in readings for need in one.constraints}
    return [
        replace(need, specifier=limits[need.name])
        if need.name in limits and not need.exact and limits[need.name]
        else need
        for need in needs
    ]


def _pythons(readings: Sequence[Reading]) -> tuple[Claim, ...]:
    """Exact Pythons first; of those, the files whose only subject it is."""
    claims = [(one.kind, claim) for one in readings for claim in one.pythons]

    def rank(pair: tuple[str, Claim]) -> tuple[bool, bool]:
        kind, claim = pair
        return not claim.value.startswith("=="), kind != system.PYTHON_KIND

    return _unique(claim for _, claim in sorted(claims, key=rank))


def _builds(
    needs: list[Need], ranked: Sequence[Reading], readings: Sequence[Reading]
) -> tuple[Claim, ...]:
    """Builds in versions first, then those of indexes and of conda, in the order of the files."""
    named = [claim for need in needs if (claim := lines.build_of_version(need))]
    own = [claim for one in ranked for claim in one.builds]
    rest = [claim for one in readings for claim in one.builds]
    return _unique((*named, *own, *rest))


def _unique(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The first claim of each value."""
    chosen: dict[str, Claim] = {}
    for claim in claims:
        chosen.setdefault(claim.value, claim)
    return tuple(chosen.values())


def _disagreements(needs: list[Need], ranked: Sequence[Reading]) -> Iterable[Note]:
    """A note for every need that another file puts in another way."""
    taken = {need.name: need for need in needs}
    for reading in ranked:
        for need in reading.needs:
            winner = taken.get(need.name)
            if winner and winner.where.file != reading.file and not _agree(winner, need):
                said = need.specifier or "any version"
                text = f"{need.name} {said} is not taken: {winner.where} says {winner.specifier or 'any'} ({RULE})"
                yield Note("skipped", text, need.where)


def _agree(winner: Need, other: Need) -> bool:
    if winner.specifier == other.specifier or not other.specifier:
        return True
    from packaging.specifiers import SpecifierSet

    bare = lines.without_build(winner).exact
    return bool(bare and SpecifierSet(other.specifier).contains(bare, prereleases=True))
