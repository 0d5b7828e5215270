"""The user's own settings: what belongs to a person and a machine, never to a workspace."""

import os
from collections.abc import Mapping
from pathlib import Path

from reprokit.errors import ConfigError
from reprokit.values import dataclass, field

FILE = "settings.yaml"


@dataclass(frozen=True)
class UserSettings:
    """What `settings.yaml` says.

    Attributes:
        base_images: image name -> the name to pull in its place, for people behind a registry mirror.
    """

    base_images: Mapping[str, str] = field(default_factory=dict)


def settings_path() -> Path:
    """`$XDG_CONFIG_HOME/reprokit/settings.yaml`, or `~/.config/reprokit/settings.yaml`."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return (Path(chosen) if chosen else Path("~/.config").expanduser()) / "reprokit" / FILE


def load_settings() -> UserSettings:
    """Read the user's settings; without a file there are none.

    Raises:
        ConfigError: the file does not say something valid.
    """
    try:
        path = settings_path()
    except RuntimeError:  # nobody has a home folder here
        return UserSettings()
    if not path.is_file():
        return UserSettings()
    from reprokit import strictyaml

    said = strictyaml.load(path).plain() or {}
    if not isinstance(said, dict):
        raise _wrong(path, "settings are a mapping")
    if unknown := sorted(set(said) - {"base-images"}):
        raise _wrong(path, f"unknown setting `{unknown[0]}`; there is only `base-images`")
    images = said.get("base-images") or {}
    if not isinstance(images, dict) or not all(
        isinstance(word, str) for pair in images.items() for word in pair
    ):
        raise _wrong(path, "`base-images` maps image names to image names")
    return UserSettings({name: str(other) for name, other in images.items()})


def base_images(of_workspace: Mapping[str, str]) -> dict[str, str]:
    """Image name -> the name to pull in its place: the workspace's, and over it the user's own.

    The user's wins: where a registry can be reached is a fact about this machine.

    Raises:
        ConfigError: the user's settings are not valid.
    """
    return {**of_workspace, **load_settings().base_images}


def _wrong(path: Path, rule: str) -> ConfigError:
    return ConfigError("bad-settings", f"your settings are not valid: {rule}", where=str(path))
