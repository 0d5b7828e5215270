"""The workspace: the folder that holds `envs/`, `dockerfiles/` and `projects/`."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reprokit.errors import ConfigError, NotFoundError, Problem
from reprokit.values import dataclass, field

SETTINGS = "reprokit.yaml"


@dataclass(frozen=True)
class Workspace:
    """A workspace and its settings (`reprokit.yaml`, optional).

    Attributes:
        root: absolute path of the folder.
        store: where runs are kept; `store:` of the settings, `runs` by default.
        base_images: image name -> the name to pull in its place (`base-images:`), for people behind a
            registry mirror.
    """

    root: Path
    store: Path
    base_images: Mapping[str, str] = field(default_factory=dict)

    @property
    def stacks(self) -> Path:
        """The folder with one folder a stack."""
        return self.root / "envs"

    @property
    def dockerfiles(self) -> Path:
        """The folder with the generated Dockerfiles, one folder a stack."""
        return self.root / "dockerfiles"

    def inside(self, folder: Path) -> PurePosixPath:
        """A folder's path relative to the workspace.

        Raises:
            ConfigError: it lies outside, so that a run could not carry it along.
        """
        try:
            return PurePosixPath(folder.resolve().relative_to(self.root))
        except ValueError:
            raise ConfigError(
                "outside-workspace",
                "the project lies outside the workspace",
                where=str(folder),
                hint=f"move it under {self.root}, or run from its own workspace",
            ) from None


def find(start: Path) -> Workspace:
    """The nearest workspace from `start` upwards.

    Raises:
        NotFoundError: no folder above holds `reprokit.yaml` or a stack (`envs/NAME/stack.yaml`).
        ConfigError: its settings are not valid.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / SETTINGS).is_file() or any(folder.glob("envs/*/stack.yaml")):
            return _load(folder)
    raise NotFoundError(
        "no-workspace",
        "no workspace here: neither this folder nor one above it holds `envs/` or `reprokit.yaml`",
        where=str(start),
        hint="go into the workspace, or name it with `--workspace DIR`",
    )


def _load(root: Path) -> Workspace:
    path = root / SETTINGS
    if not path.is_file():
        return Workspace(root, root / "runs")
    from reprokit import strictyaml

    settings: Any = strictyaml.load(path).plain() or {}
    problems: list[Problem] = []
    if not isinstance(settings, dict):
        settings, problems = {}, [Problem(str(path), "settings are a mapping")]
    problems += [
        Problem(str(path), f"unknown setting `{key}`", "settings are `store` and `base-images`")
        for key in settings
        if key not in ("store", "base-images")
    ]
    store, images = settings.get("store", "runs"), settings.get("base-images", {})
    if not isinstance(store, str) or not store:
        problems.append(Problem(str(path), "`store` is the path of a folder"))
    if not isinstance(images, dict) or not all(isinstance(name, str) for name in images.values()):
        problems.append(Problem(str(path), "`base-images` maps image names to image names"))
    if problems:
        raise ConfigError(
            "bad-settings", "the workspace's settings are not valid", problems=problems
        )
    return Workspace(root, root / store, images)
