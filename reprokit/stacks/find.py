"""A stack's name -> its folder. On the hot path of `reprokit run`."""

import re
from pathlib import Path

from reprokit.errors import ConfigError, NotFoundError

STACK_FILE = "stack.yaml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def stack_folder(workspace_root: Path, name: str) -> Path:
    """The folder of the stack `name`.

    Raises:
        ConfigError: the name is not one that a folder of `envs/` can have.
        NotFoundError: there is no such stack; the hint names the ones that are there.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "bad-stack-name",
            f"`{name}` is no name of a stack",
            hint="a name has letters, digits, dots, dashes and underscores, at most 64",
        )
    folder = workspace_root / "envs" / name
    if not (folder / STACK_FILE).is_file():
        raise _no_stack(workspace_root, name)
    return folder


def _no_stack(workspace_root: Path, name: str) -> NotFoundError:
    from reprokit.suggest import did_you_mean

    names = sorted(path.parent.name for path in workspace_root.glob(f"envs/*/{STACK_FILE}"))
    return NotFoundError(
        "no-stack",
        f"there is no stack `{name}`",
        where=str(workspace_root / "envs" / name / STACK_FILE),
        hint=did_you_mean(name, names) or "write `envs/NAME/stack.yaml`",
    )
