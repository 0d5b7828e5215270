"""A project and a target -> the order for its image: the environment, with the code, or with a person's tools."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reprokit.config import ProjectConfig
from reprokit.environments.identity import derived_id, env_id
from reprokit.environments.image import ImageOrder, Target
from reprokit.plan import stack_name
from reprokit.stacks.dockerfiles import recipe_digest
from reprokit.stacks.locks import LockedRequirements, check_dev_lock, load_locked
from reprokit.stacks.model import load_stack
from reprokit.values import dataclass, replace
from reprokit.workspace import Workspace

if TYPE_CHECKING:
    from reprokit.source import Source

# The first is the one that registries show as the version of the code.
LABEL_COMMIT = "org.opencontainers.image.revision"
LABEL_TREE = "org.reprokit.code.tree"
LABEL_DIRTY = "org.reprokit.code.dirty"


@dataclass(frozen=True)
class Draft:
    """An order whose name is known, while the code has not been laid out yet.

    Attributes:
        order: the order, without its code.
        source: the code, for `prod`.
        work: where the code goes; gone with the draft.
        project: the project's folder, relative to the workspace.
    """

    order: ImageOrder
    source: "Source | None" = None
    work: Path | None = None
    project: PurePosixPath | None = None

    def complete(self) -> ImageOrder:
        """The order with its code. Raises as `reprokit.source.materialise`."""
        if self.source is None or self.work is None or self.project is None:
            return self.order
        from reprokit.source import materialise

        return replace(self.order, code=materialise(self.source, self.work) / self.project)


def environment_order(
    workspace: Workspace, config: ProjectConfig, locked: LockedRequirements
) -> ImageOrder:
    """The order for what a run of the project uses.

    Raises:
        ConfigError: the stack is not valid.
        NotFoundError: there is no such stack.
    """
    stack = load_stack(workspace.root, stack_name(config))
    parts = {"image": str(stack.image), "system": list(stack.system), "recipe": recipe_digest()}
    return ImageOrder(env_id("image", locked, parts), stack, config.project, locked)


@contextmanager
def drafted(
    workspace: Workspace, config: ProjectConfig, project: Path, target: Target
) -> Iterator[Draft]:
    """The order for one of a project's images; for `prod`, the code is stored until the draft is done with.

    Args:
        workspace: where.
        config: the project's config.
        project: its folder.
        target: which image.

    Raises:
        ConfigError: a lock is missing or stale, or the project lies outside of the workspace.
        IntegrityError: a lock is not safe.
        MachineError: the code cannot be stored.
        NotFoundError: there is no such stack.
    """
    order = environment_order(
        workspace, config, load_locked(workspace.root, stack_name(config), project)
    )
    if target == "prod":
        with _stored(workspace, config, project) as (source, folder):
            yield Draft(
                _with_code(order, source), source, folder / "work", workspace.inside(project)
            )
    elif target == "dev":
        tools = check_dev_lock(workspace.root, order.stack.name)
        name = derived_id(order.env_id, {"tools": tools.digest})
        yield Draft(replace(order, env_id=name, target="dev", tools=tools))
    else:
        yield Draft(order)


def _with_code(order: ImageOrder, source: "Source") -> ImageOrder:
    """The order named and labelled by the code, too: the commit that was checked out, and the exact tree."""
    code = {"tree": source.tree, "commit": source.head, "dirty": source.dirty}
    labels = {LABEL_TREE: source.tree, LABEL_DIRTY: str(source.dirty).lower()}
    if source.head is not None:
        labels[LABEL_COMMIT] = source.head
    return replace(
        order, env_id=derived_id(order.env_id, {"code": code}), target="prod", labels=labels
    )


@contextmanager
def _stored(
    workspace: Workspace, config: ProjectConfig, project: Path
) -> "Iterator[tuple[Source, Path]]":
    """The working tree as it is now, in git's keeping (or an archive) until the end of the block."""
    import secrets
    import tempfile

    from reprokit.source import capture, forget

    name = f"build-{os.getpid()}-{secrets.token_hex(4)}"
    within = workspace.inside(project)
    data = [item.locate(project, workspace.root) for item in config.data.values()]
    left_out = [
        PurePosixPath(path.relative_to(workspace.root))
        for path in (workspace.store, *data)
        if path.is_relative_to(workspace.root)
    ]
    with tempfile.TemporaryDirectory(prefix="reprokit-build-") as text:
        folder = Path(text)
        try:
            yield (
                capture(
                    workspace.root,
                    run_id=name,
                    exclude=left_out,
                    outputs=[within / kept for kept in config.outputs.keep],
                    archive=folder / "source.tar",
                ),
                folder,
            )
        finally:
            forget(workspace.root, name)
