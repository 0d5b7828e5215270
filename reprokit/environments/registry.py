"""A stack's base image -> the digest that its tag has now, as the engine hears it from the registry.

The engine asks, not we: it knows the user's logins, mirrors and proxies.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from reprokit.environments.base_image import substitute
from reprokit.environments.engine_api import engine_trouble
from reprokit.errors import IntegrityError, MachineError, Problem
from reprokit.settings import base_images
from reprokit.stacks.find import stack_folder
from reprokit.stacks.image_lock import (
    ImageLock,
    image_lock_path,
    locked_digest,
    write_image_lock,
)
from reprokit.stacks.model import BaseImage, load_stack
from reprokit.values import dataclass
from reprokit.workspace import Workspace

# A registry that does not answer by then is taken for one that cannot be reached.
ANSWER_S = 10

State = Literal["pinned", "kept", "stack", "open"]


@dataclass(frozen=True)
class Answer:
    """What a registry says of a tag.

    Attributes:
        name: the name that was asked for: the stack's, or a mirror's.
        digest: what the tag is; None where nobody could say.
        reason: why there is no digest.
    """

    name: str
    digest: str | None
    reason: str | None = None


@dataclass(frozen=True)
class ImageLockResult:
    """A stack's base image after locking.

    Attributes:
        image: the name in `stack.yaml`.
        digest: what it is held to; None while it is open.
        state: `pinned` just now, `kept` as it was, pinned by the `stack` file itself, or `open`.
        path: the lock, relative to the workspace, where there is one.
        reason: why it is open.
    """

    image: str
    digest: str | None
    state: State
    path: Path | None = None
    reason: str | None = None

    def document(self) -> dict[str, object]:
        """The result as JSON."""
        return {
            "image": self.image,
            "digest": self.digest,
            "state": self.state,
            "path": str(self.path) if self.path else None,
            "reason": self.reason,
        }

    def line(self) -> str:
        """The result in a line for people."""
        if self.digest is None:
            return f"base image {self.image}: digest open, {self.reason}; the first build takes what is there"
        return f"base image {self.image}: {self.digest[:19]}… ({self.state})"


def ask_registry(ref: str, *, platform: str, other_names: Mapping[str, str]) -> Answer:
    """The digest of a tag, from the registry that serves it.

    Args:
        ref: name and tag as in `stack.yaml`.
        platform: e.g. `linux/amd64`.
        other_names: `base-images`: a name -> the one to ask for in its place.

    Returns:
        The digest, or the reason why it stays open: no engine, no registry, no such tag, no rights.

    Raises:
        MachineError: the registry has the image, but not for this platform.
    """
    name = substitute(ref, other_names)
    if trouble := engine_trouble():
        return Answer(name, None, trouble.reason)
    import docker
    import docker.errors
    import requests

    try:
        data = docker.from_env(timeout=ANSWER_S).images.get_registry_data(name)
    except docker.errors.APIError as error:
        return Answer(name, None, _refusal(name, error))
    except (docker.errors.DockerException, requests.RequestException) as error:
        return Answer(name, None, str(error).splitlines()[0][:200])
    _check_platform(name, platform, data.attrs.get("Platforms"))
    return Answer(name, str(data.id))


def lock_base_image(
    workspace_root: Path, stack: str, *, other_names: Mapping[str, str], renew: bool = False
) -> ImageLockResult:
    """Pin a stack's base image in `envs/STACK/image.lock`, if a registry can be asked.

    Args:
        workspace_root: the workspace.
        stack: the stack's name.
        other_names: `base-images`.
        renew: ask again although it is pinned: the tag may have moved.

    Raises:
        ConfigError: the stack or its image lock is not valid.
        MachineError: the image is not there for the stack's platform, or the file cannot be written.
    """
    folder = stack_folder(workspace_root, stack)
    wanted = load_stack(workspace_root, stack)
    ref, path = wanted.image.ref, image_lock_path(folder).relative_to(workspace_root)
    before = locked_digest(folder, ref, wanted.platform)
    if wanted.image.digest is not None and wanted.image.digest != before:
        return ImageLockResult(ref, wanted.image.digest, "stack")
    if before is not None and not renew:
        return ImageLockResult(ref, before, "kept", path)
    answer = ask_registry(ref, platform=wanted.platform, other_names=other_names)
    if answer.digest is None:
        state: State = "open" if before is None else "kept"
        return ImageLockResult(ref, before, state, path if before else None, answer.reason)
    write_image_lock(folder, ImageLock(ref, wanted.platform, answer.digest))
    return ImageLockResult(
        ref, answer.digest, "kept" if before == answer.digest else "pinned", path
    )


def lock_base_images(
    workspace: Workspace, stacks: Iterable[str], *, renew: bool = False
) -> list[ImageLockResult]:
    """Pin the base images of several stacks, through the workspace's and the user's mirrors.

    Raises as `lock_base_image`.
    """
    names = base_images(workspace.base_images)
    return [
        lock_base_image(workspace.root, stack, other_names=names, renew=renew) for stack in stacks
    ]


def check_base_images(workspace: Workspace, stacks: Iterable[str]) -> list[Answer]:
    """Ask the registries whether the pinned tags of several stacks still are what they were.

    Returns:
        What was heard of each stack's image, in order; one that nobody could say anything of has no digest.

    Raises:
        IntegrityError: `base-image-moved`: every tag that moved, with both digests.
        MachineError: a registry has an image, but not for the stack's platform.
    """
    names = base_images(workspace.base_images)
    answers, moved = [], []
    for stack in stacks:
        wanted = load_stack(workspace.root, stack)
        answer = ask_registry(wanted.image.ref, platform=wanted.platform, other_names=names)
        answers.append(answer)
        if problem := moved_tag(stack, wanted.image, answer):
            moved.append(problem)
    if moved:
        raise IntegrityError(
            "base-image-moved",
            moved[0].message,
            where=moved[0].where,
            hint="builds go on with the locked image; `reprokit lock --upgrade` takes the new one",
            problems=moved if len(moved) > 1 else (),
        )
    return answers


def moved_tag(stack: str, image: BaseImage, answer: Answer) -> Problem | None:
    """What is wrong when a tag is no longer what it was; None when it is, or when nobody knows."""
    if image.digest in (None, answer.digest) or answer.digest is None:
        return None
    return Problem(
        f"envs/{stack}",
        f"the tag {answer.name} moved: it is {answer.digest} now, and {image.digest} is locked",
    )


def _check_platform(name: str, platform: str, listed: list[dict[str, Any]] | None) -> None:
    """An image of a single platform lists none: then there is nothing to check."""
    known = [f"{entry.get('os')}/{entry.get('architecture')}" for entry in listed or ()]
    if known and platform not in known:
        raise MachineError(
            "no-base-image",
            f"the base image {name} is not there for {platform}",
            where=", ".join(sorted(set(known))),
            hint="choose another `image:` or `platform:` in stack.yaml",
        )


def _refusal(name: str, error: Any) -> str:
    said = " ".join(str(error.explanation or error).split())[:200]
    if error.status_code in (401, 403):
        return f"the registry of {name} lets nobody in who is not logged in ({said})"
    if error.status_code == 404:  # noqa: PLR2004 - HTTP's not found
        return f"the registry has no {name} ({said})"
    return f"the registry of {name} cannot be reached ({said})"
