"""What a lock file of another tool resolved -> the versions that one environment gets of it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from reprokit.adopt.model import Need, Target, Where

MAX_PACKAGES = 5_000
MAX_EDGES = 50_000
# Versions of one distribution, each for other environments.
MAX_FORKS = 64


@dataclass(frozen=True)
class Edge:
    """A dependency on a package: the extras that are asked for, and the condition."""

    name: str
    extras: tuple[str, ...] = ()
    marker: str = ""
    version: str | None = None


@dataclass(frozen=True)
class Package:
    """One locked version. `markers`: the environments that it was locked for, any of them; none: all."""

    name: str
    version: str
    where: Where
    needs: tuple[Edge, ...] = ()
    extras: Mapping[str, tuple[Edge, ...]] | None = None
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockGraph:
    """The packages of a lock file and what the repository itself asks for."""

    packages: tuple[Package, ...]
    roots: tuple[Edge, ...]

    def torch(self) -> str | None:
        """The locked version of torch, whatever the environment."""
        return next((one.version for one in self.packages if one.name == "torch"), None)

    def needs(self, target: Target) -> tuple[Need, ...]:
        """Exact versions of all that the roots bring along in an environment, sorted by name."""
        chosen: dict[str, Package] = {}
        followed: set[tuple[str, str]] = set()
        waiting = deque(self.roots)
        known = self._by_name()
        for _ in range(MAX_EDGES):
            if not waiting:
                break
            edge = waiting.popleft()
            package = _pick(known.get(edge.name, ()), edge, target)
            if package is None or not holds(edge.marker, target):
                continue
            chosen.setdefault(package.name, package)
            for extra in ("", *edge.extras):
                if (package.name, extra) not in followed:
                    followed.add((package.name, extra))
                    waiting += (package.extras or {}).get(extra, ()) if extra else package.needs
        ordered = sorted(chosen.values(), key=lambda package: package.name)
        return tuple(Need(one.name, f"=={one.version}", one.where) for one in ordered)

    def _by_name(self) -> dict[str, list[Package]]:
        known: dict[str, list[Package]] = {}
        for package in self.packages:
            forks = known.setdefault(package.name, [])
            forks += [package] if len(forks) < MAX_FORKS else []
        return known


def holds(marker: str, target: Target) -> bool:
    """Whether a condition holds; one that cannot be read does, so that nothing is left out by it."""
    if not marker:
        return True
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    try:
        return Marker(marker).evaluate(dict(target.variables))
    except (InvalidMarker, UndefinedEnvironmentName, RecursionError):
        return True


def _pick(packages: list[Package] | tuple[()], edge: Edge, target: Target) -> Package | None:
    exact = [one for one in packages if one.version == edge.version] or packages
    fitting = (
        one
        for one in exact
        if not one.markers or any(holds(marker, target) for marker in one.markers)
    )
    return next(fitting, None)
