"""Questions to the tables: the row for a release, a build, a driver, a GPU's name or an image."""

import re
from functools import cache

from reprokit.stacks.facts import load
from reprokit.stacks.facts.rows import (
    Architecture,
    Build,
    Gpu,
    Image,
    Limit,
    MinorVersion,
    Release,
    Rule,
    System,
    Toolkit,
)


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare (`550.54.15`, `12.4`, `R580`, `2.13.0+cpu`); local parts do not count."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))


def at_least(version: str, oldest: str) -> bool:
    """Whether a version is `oldest` or newer. One that is told in fewer parts means the newest of its kind."""
    have = numbers(version)
    return have >= numbers(oldest)[: len(have)]


@cache
def _releases() -> dict[str, Release]:
    return {row.version: row for row in load.releases()}


def release(version: str) -> Release | None:
    """The release `version` of PyTorch; None where the table lacks it."""
    return _releases().get(version) or _releases().get(f"{version}.0")


def covered(version: str) -> bool:
    """Whether the table would know a final release of this number, had it been published."""
    final = re.fullmatch(r"\d+(\.\d+)*", version) is not None
    known = [numbers(row.version) for row in load.releases()]
    return final and known[0] <= numbers(version) <= known[-1]


@cache
def builds_of(version: str) -> tuple[Build, ...]:
    """Every build of one release."""
    found = release(version)
    name = found.version if found else version
    return tuple(row for row in load.builds() if row.torch == name)


def build(version: str, variant: str) -> Build | None:
    """One release in one variant."""
    return next((row for row in builds_of(version) if row.variant == variant), None)


def default_variant(version: str, platform: str) -> str | None:
    """What the package index serves as plain `torch==VERSION` on `platform`; None: not established."""
    found = release(version)
    return found.default.get(platform) if found else None


def limits_of(version: str) -> tuple[Limit, ...]:
    """What a release needs of other packages beside what its metadata says."""
    older = numbers(version)
    return tuple(row for row in load.limits() if older < numbers(row.torch_before))


def minor_version(cuda: str) -> MinorVersion | None:
    """The row of a CUDA release's major version."""
    major = cuda.partition(".")[0]
    return next((row for row in load.minor_versions() if row.major == major), None)


def first_toolkit(cuda: str) -> Toolkit | None:
    """The first toolkit of a CUDA release (`12.4`), whose driver knows its PTX."""
    found = [row for row in load.toolkits() if row.minor == cuda]
    return found[-1] if found else None


def served_cuda(driver: str) -> Toolkit | None:
    """The newest toolkit that a Linux driver is at least as new as."""
    known = (row for row in load.toolkits() if row.driver)
    return next((row for row in known if at_least(driver, row.driver or "")), None)


def architecture(capability: str) -> Architecture | None:
    """The row of a compute capability."""
    return next((row for row in load.architectures() if row.capability == capability), None)


def rule(name: str) -> Rule:
    """A rule by its name."""
    return next(row for row in load.rules() if row.name == name)


# Words of a GPU's full name that say how it is built or sold and not which one it is.
_MAKE = re.compile(r"nvidia|tesla|geforce|pcie|sxm\d?|nvl|hbm\d?e?|\d+gb|generation|gpu|graphics")


def gpu(name: str) -> Gpu | None:
    """The row of a GPU as people (`h100`) or its driver (`NVIDIA H100 80GB HBM3`) name it.

    A name with a word that no row has (SUPER, Laptop) is another GPU: None.
    """
    wanted = _words(name)
    return next((row for row in load.gpus() if wanted and _words(row.name) == wanted), None)


def gpu_like(name: str) -> str | None:
    """The GPU of the table whose name looks most like `name`."""
    from reprokit.suggest import closest

    names = {" ".join(_words(row.name)): row.name for row in load.gpus()}
    found = closest(" ".join(_words(name)), names)
    return names[found] if found else None


def _words(name: str) -> tuple[str, ...]:
    words = re.findall(r"[a-z0-9]+", name.lower())
    return tuple(word for word in words if not _MAKE.fullmatch(word))


def cuda_image(cuda: str, kind: str) -> str | None:
    """The newest `nvidia/cuda` image of a CUDA release (`12.4`).

    Args:
        cuda: major and minor.
        kind: `base`, `runtime` or `devel`; one with cuDNN is taken where it is the only one.
    """
    rows = [row for row in load.images() if row.cuda.startswith(f"{cuda}.")]
    for row in sorted(rows, key=lambda row: numbers(row.cuda), reverse=True):
        for ubuntu in sorted(row.tags, key=numbers, reverse=True):
            kinds = row.tags[ubuntu]
            for one in (kind, *(name for name in kinds if name.endswith(f"-{kind}"))):
                if one in kinds:
                    return f"nvidia/cuda:{row.cuda}-{one}-ubuntu{ubuntu}"
    return None


_CUDA_IMAGE = re.compile(r"(?:.*/)?nvidia/cuda:(\d+\.\d+\.\d+)-\S+")


def image(reference: str) -> Image | None:
    """The row of an `nvidia/cuda` image, whatever registry it is pulled from."""
    found = _CUDA_IMAGE.fullmatch(reference)
    return next((row for row in load.images() if found and row.cuda == found[1]), None)


def system_of(reference: str) -> System | None:
    """The distribution that an image's tag names (`python:3.11-slim-bookworm`, `...-ubuntu22.04`)."""
    words = reference.rpartition(":")[2].lower().split("-")
    versions = {f"{row.family}{row.version}": row for row in load.systems()}
    codenames = {row.codename: row for row in load.systems()}
    repository = reference.rpartition(":")[0].rpartition("/")[2]
    known = versions | codenames
    return known.get(f"{repository}{words[0]}") or next(
        (known[word] for word in reversed(words) if word in known), None
    )
