"""A project and a target -> its image, built if anything changed; or the proof that it builds the same twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from reprokit import layout
from reprokit.config import ProjectConfig
from reprokit.environments.image import ImageEnvironment, ImageOrder, Target, ensure, ready
from reprokit.environments.order import drafted
from reprokit.settings import base_images
from reprokit.stacks.pipconfig import read_settings
from reprokit.values import dataclass
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.environments.buildx import OnBytes, OnStep
    from reprokit.environments.verify import Verification


@dataclass(frozen=True)
class Made:
    """An image that is there.

    Attributes:
        image: the image.
        order: what it holds.
        built: whether a build was started for it just now.
    """

    image: ImageEnvironment
    order: ImageOrder
    built: bool


def build_target(
    workspace: Workspace,
    config: ProjectConfig,
    project: Path,
    target: Target,
    *,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
) -> Made:
    """One of a project's images: the environment of its runs, that with the code, or that with a person's tools.

    Where the engine has it already, no build is started and nothing is copied.

    Args:
        workspace: where.
        config: the project's config.
        project: its folder.
        target: which image.
        on_step: is told of a build's steps.
        on_bytes: is told of bytes on their way.

    Raises:
        ConfigError: a lock is missing or stale.
        IntegrityError: the base image's tag has moved, or a package has none of the locked hashes.
        MachineError: no engine, no base image, no index, no space, or a step failed.
    """
    home = layout.home()
    with drafted(workspace, config, project, target) as draft:
        order = draft.order
        found = ready(order.env_id, order.stack.name, order.project, home=home, target=target)
        if found is not None:
            return Made(found, order, built=False)
        with ThreadPoolExecutor(1) as pool:
            # pip needs 0.25 s to say its settings; the code is laid out meanwhile.
            settings = pool.submit(read_settings)
            order = draft.complete()
        made = ensure(
            order,
            home=home,
            base_images=base_images(workspace.base_images),
            settings=settings.result(),
            on_step=on_step,
            on_bytes=on_bytes,
        )
        return Made(made, order, built=True)


def verify_target(
    workspace: Workspace,
    config: ProjectConfig,
    project: Path,
    target: Target,
    *,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
) -> "Verification":
    """Build one of a project's images twice from nothing and compare. Arguments and errors as `build_target`."""
    from reprokit.environments.verify import verify

    with drafted(workspace, config, project, target) as draft:
        return verify(
            draft.complete(),
            home=layout.home(),
            base_images=base_images(workspace.base_images),
            on_step=on_step,
            on_bytes=on_bytes,
        )
