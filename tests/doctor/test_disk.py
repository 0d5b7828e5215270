from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.doctor import disk
from reprokit.doctor.disk import ENVIRONMENTS, GIB, RUNS, Volume
from reprokit.workspace import Workspace
from tests.doctor.conftest import ENGINE, context

HOME = Volume("environments", Path("/home"), 1, 100 * GIB, None, ENVIRONMENTS, "prune")


@pytest.mark.parametrize(
    ("free", "status"), [(20 * GIB, "ok"), (11 * GIB, "warn"), (1 * GIB, "fail")]
)
def test_room_for_an_environment_decides(free: int, status: str) -> None:
    found = disk.decide([replace(HOME, free=free)])
    assert found.status == status
    assert (found.fix is None) == (status == "ok")


def test_too_little_room_says_why_so_much_is_wanted() -> None:
    assert "CUDA environment" in disk.decide([replace(HOME, free=3 * GIB)]).message


def test_runs_need_less() -> None:
    runs = replace(HOME, label="runs", need=RUNS, device=2)
    assert disk.decide([replace(runs, free=3 * GIB)]).status == "ok"
    assert disk.decide([replace(runs, free=1 * GIB)]).status == "warn"
    assert disk.decide([replace(runs, free=1024)]).status == "fail"


def test_places_on_one_file_system_are_told_together() -> None:
    images = replace(HOME, label="images", path=Path("/var/lib/docker"))
    found = disk.decide([HOME, images])
    assert found.message == "100.0 GiB free for environments and images"


def test_a_file_system_can_run_out_of_files() -> None:
    found = disk.decide([replace(HOME, free_files=10)])
    assert (found.status, found.fix) == ("warn", "prune")


def test_a_folder_that_is_not_there_yet_is_measured_where_it_will_be(tmp_path: Path) -> None:
    volume = disk.observe("runs", tmp_path / "not" / "yet", RUNS, "")
    assert volume is not None
    assert (volume.path, volume.device) == (tmp_path, tmp_path.stat().st_dev)
    assert volume.free > 0


def test_every_place_that_can_be_seen_is_looked_at(lab: Workspace, tmp_path: Path) -> None:
    found = disk.run(context(lab, engine=replace(ENGINE, root=tmp_path)))
    assert found.status in ("ok", "warn", "fail")
    assert {detail.partition(":")[0] for detail in found.details} == {
        "environments",
        "images",
        "runs",
    }


def test_a_folder_of_an_engine_elsewhere_is_not_taken_for_one_of_here(tmp_path: Path) -> None:
    engine = replace(ENGINE, root=tmp_path)
    found = disk.run(context(engine=engine, endpoint="tcp://there:2376"))
    assert not any(detail.startswith("images") for detail in found.details)
