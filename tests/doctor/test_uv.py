import errno
import os
import tomllib
from pathlib import Path

import pytest

from reprokit.doctor import uv
from reprokit.doctor.uv import Observed, try_link
from tests.conftest import REPOSITORY
from tests.doctor.conftest import context

GOOD = Observed("0.13.8", Path("/cache"), Path("/store"))


def test_the_supported_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"uv{uv.SUPPORTED}" in project["dependencies"]


def test_the_uv_beside_us_is_one_of_them_and_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REPROKIT_HOME", str(tmp_path / "store"))
    found = uv.run(context())
    assert found.status == "ok"
    assert found.details == (f"cache: {tmp_path / 'cache'}", f"environments: {tmp_path / 'store'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["0.13.7", "0.14.0", "1.0"])
def test_another_uv_writes_other_locks(version: str) -> None:
    found = uv.decide(Observed(version, GOOD.cache, GOOD.store))
    assert (found.status, found.fix) == ("fail", uv.INSTALL)


def test_different_file_systems_cost_copies() -> None:
    found = uv.decide(Observed("0.13.8", GOOD.cache, GOOD.store, link=errno.EXDEV))
    assert found.status == "warn"
    assert "different file systems" in found.message


def test_a_file_system_without_links_is_told_apart() -> None:
    found = uv.decide(Observed("0.13.8", GOOD.cache, GOOD.store, link=errno.EPERM))
    assert "operation not permitted" in found.message


def test_a_folder_that_cannot_be_written_is_named() -> None:
    found = uv.decide(Observed("0.13.8", GOOD.cache, GOOD.store, closed=Path("/cache")))
    assert found.status == "fail"
    assert "/cache cannot be written" in found.message


def test_a_link_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    assert try_link(tmp_path, tmp_path) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_link_across_file_systems_fails(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    before = set(other.iterdir())
    assert try_link(tmp_path, other) == (errno.EXDEV, None)
    assert list(tmp_path.iterdir()) == []
    assert not [path for path in set(other.iterdir()) - before if "doctor" in path.name]


def test_a_folder_that_is_gone_cannot_be_linked_from(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert try_link(gone, tmp_path) == (None, gone)
