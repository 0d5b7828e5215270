"""A stack's base image -> the exact image that the engine has of that name, pulled if need be."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from reprokit import process
from reprokit.environments.engine_api import endpoint, inspect_image
from reprokit.errors import IntegrityError, MachineError
from reprokit.stacks.model import BaseImage
from reprokit.values import dataclass, replace


@dataclass(frozen=True)
class Base:
    """The image to build from.

    Attributes:
        reference: what the Dockerfile's BASE_IMAGE is: by digest where the engine can find it so.
        digest: a registry's name for it; the engine's own where it never was in a registry.
        mirror: the name that was used in place of the stack's (`base-images`).
    """

    reference: str
    digest: str
    mirror: str | None = None


def resolve_base(
    image: BaseImage,
    *,
    platform: str,
    other_names: Mapping[str, str],
    on_line: Callable[[str], None],
) -> Base:
    """Find the base image in the engine; pull it if it is not there.

    Args:
        image: the name with a tag and, where the stack pins it, the digest.
        platform: e.g. `linux/amd64`.
        other_names: `base-images`: a name -> the one to pull in its place.
        on_line: gets what the pull prints.

    Raises:
        IntegrityError: the tag's image is not the pinned one.
        MachineError: it is not there and cannot be pulled, or the engine does not answer.
    """
    name = substitute(image.ref, other_names)
    mirror = name if name != image.ref else None
    pinned = f"{_repository(name)}@{image.digest}" if image.digest else None
    for candidate in (name, pinned):
        found = inspect_image(candidate) if candidate else None
        if candidate and found is not None:
            return replace(choose_base(image, candidate, found), mirror=mirror)
    wanted = pinned or name
    _pull(wanted, platform, on_line)
    found = inspect_image(wanted)
    if found is None:
        raise MachineError(
            "no-base-image", "the base image is gone right after its pull", where=wanted
        )
    return replace(choose_base(image, wanted, found), mirror=mirror)


def substitute(ref: str, other_names: Mapping[str, str]) -> str:
    """The name to use in place of `ref`: set for the whole of it, or for its repository."""
    if ref in other_names:
        return other_names[ref]
    repository = _repository(ref)
    if repository in other_names:
        return other_names[repository] + ref[len(repository) :]
    return ref


def choose_base(image: BaseImage, name: str, found: Mapping[str, Any]) -> Base:
    """The base that the engine's description `found` of the image `name` stands for.

    Raises:
        IntegrityError: it is not the image that the stack pins; both digests are named.
    """
    repository = _repository(name)
    listed = [entry.partition("@") for entry in found.get("RepoDigests") or ()]
    digests = [digest for where, _, digest in listed if _familiar(where) == _familiar(repository)]
    here = (*digests, str(found["Id"]))
    if image.digest and image.digest not in here:
        wanted = f"{repository}@{image.digest}"
        raise IntegrityError(
            "base-image-moved",
            f"the base image {name} is {here[0]} here, and the stack pins {image.digest}",
            where=name,
            hint=f"`docker pull {wanted} && docker tag {wanted} {name}` brings back the "
            "pinned one; or write the new digest into stack.yaml",
        )
    digest = image.digest if image.digest in digests else next(iter(digests), None)
    if digest is None:
        # An image that never was in a registry has no digest in some image stores: its tag must do.
        return Base(name, here[0])
    # BuildKit finds an image that was only loaded by tag and digest together, not by digest alone.
    return Base(name if "@" in name else f"{_tagged(name)}@{digest}", digest)


def _pull(name: str, platform: str, on_line: Callable[[str], None]) -> None:
    said: list[str] = []

    def take(line: bytes) -> None:
        said.append(line.decode("utf-8", "replace").rstrip())
        on_line(said[-1])

    argv = ["docker", "pull", "--quiet", "--platform", platform, name]
    code = process.stream(argv, env=engine_environment(), on_line=take)
    if code:
        cause = next((line for line in reversed(said) if line.strip()), f"exit code {code}")
        full = "no space left on device" in cause
        raise MachineError(
            "disk-full" if full else "no-base-image",
            f"the base image {name} is not on this machine and cannot be pulled",
            where=cause[:300],
            hint="`docker system prune` frees some space"
            if full
            else "behind a mirror, name its copy under `base-images:` in reprokit.yaml; "
            "the image is chosen by `image:` in stack.yaml",
        )


def engine_environment() -> dict[str, str]:
    """Our own environment, with the docker program held to the engine that all else here asks.

    Else a context chosen by `docker context use` would build in one engine and run in another.
    """
    kept = {name: value for name, value in os.environ.items() if name != "DOCKER_CONTEXT"}
    return {**kept, "DOCKER_HOST": endpoint(), "DOCKER_CLI_HINTS": "false"}


def _repository(ref: str) -> str:
    """A reference without tag and digest."""
    name = ref.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _tagged(name: str) -> str:
    return name if name != _repository(name) else f"{name}:latest"


def _familiar(repository: str) -> str:
    """A repository the way the engine lists it."""
    return repository.removeprefix("docker.io/").removeprefix("library/")
