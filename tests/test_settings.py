"""The user's own settings."""

from pathlib import Path

import pytest

from reprokit.errors import ConfigError
from reprokit.settings import base_images, load_settings, settings_path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "reprokit").mkdir()
    return tmp_path


def test_without_a_file_there_are_none(folder: Path) -> None:
    assert settings_path() == folder / "reprokit" / "settings.yaml"
    assert load_settings().base_images == {}


def test_the_users_mirror_goes_over_the_workspaces() -> None:
    settings_path().write_text("base-images:\n  python: mine.example/python\n")
    both = base_images({"python": "team.example/python", "debian": "team.example/debian"})
    assert both == {"python": "mine.example/python", "debian": "team.example/debian"}


@pytest.mark.parametrize(
    "text", ["- 1\n", "base-image: {}\n", "base-images: [1]\n", "base-images: {a: 1}\n", "a: [\n"]
)
def test_what_is_not_valid_is_refused_by_name(text: str) -> None:
    settings_path().write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert str(settings_path()) in (caught.value.where or "")
