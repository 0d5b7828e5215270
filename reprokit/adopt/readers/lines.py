"""One requirement as people write it -> a `Need`, a build of torch, or the reason why it is neither."""

import re
from collections.abc import Sized
from urllib.parse import unquote

from reprokit.adopt.model import Claim, Need, Note, Where
from reprokit.stacks.pipconfig import without_credentials
from reprokit.stacks.requirements import normalise
from reprokit.strictyaml import shown

MAX_LINE = 2_000
MAX_REQUIREMENTS = 5_000
TORCH_FAMILY = frozenset(("torch", "torchvision", "torchaudio", "torchtext", "torchdata"))
_BUILD = re.compile(r"/whl/(?:nightly/)?(cu\d{2,3}|cpu)\b")
_LOCAL_BUILD = re.compile(r"\+(cu\d{2,3}|cpu)\b")


class Unreadable(ValueError):  # noqa: N818 - a signal between readers: the file is noted and skipped
    """A file does not hold what its name promises."""


def bounded(items: Sized) -> None:
    """Refuse more requirements than any project has.

    Raises:
        Unreadable: there are more.
    """
    if len(items) > MAX_REQUIREMENTS:
        raise Unreadable(f"it has more than {MAX_REQUIREMENTS:,} requirements")


def requirement(text: str, where: Where) -> Need | Note:
    """What a requirement (PEP 508) asks for; a note where no lock can hold it."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = " ".join(text.split())
    if len(text) > MAX_LINE:
        return Note("skipped", f"a line of {len(text):,} characters is no requirement", where)
    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return Note("skipped", f"`{shown(text)}` is no requirement by name", where)
    if parsed.url:
        return _address(parsed.name, parsed.url, where)
    return Need(
        normalise(parsed.name),
        ",".join(sorted(map(str, parsed.specifier))),
        where,
        tuple(sorted(parsed.extras)),
        str(parsed.marker) if parsed.marker else "",
    )


def from_wheel(url: str, where: Where) -> Need | None:
    """The exact version that the address of a wheel names, where it is one of PyTorch's own index."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if "download.pytorch.org/whl/" not in url:
        return None
    try:
        name, version, _, _ = parse_wheel_filename(
            unquote(url.split("#", maxsplit=1)[0].rsplit("/", 1)[-1])
        )
    except (InvalidWheelFilename, ValueError):
        return None
    return Need(str(name), f"=={version}", where)


def build_of_index(url: str, where: Where) -> Claim | None:
    """The build of torch that an index of PyTorch's serves (`.../whl/cu113`)."""
    matched = _BUILD.search(url)
    return Claim(matched[1], where) if matched else None


def build_of_version(need: Need) -> Claim | None:
    """The build that a local version names (`torch==1.12.1+cu113`)."""
    matched = _LOCAL_BUILD.search(need.specifier) if need.name in TORCH_FAMILY else None
    return Claim(matched[1], need.where) if matched else None


def without_build(need: Need) -> Need:
    """The same without the build: the stack says which one it is."""
    if need.name not in TORCH_FAMILY:
        return need
    bare = _LOCAL_BUILD.sub("", need.specifier)
    return Need(need.name, bare, need.where, need.extras, need.marker)


def _address(name: str, url: str, where: Where) -> Need | Note:
    if wheel := from_wheel(url, where):
        return wheel
    address = shown(without_credentials(url))
    return Note(
        "skipped", f"`{name}` comes from {address}; a lock pins versions from an index", where
    )
