from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.doctor import toolkit
from reprokit.doctor.gpu_facts import Card, GpuFacts
from reprokit.doctor.toolkit import Observed
from tests.doctor.conftest import ENGINE, context

SPEC = (Path("/etc/cdi/nvidia.yaml"),)
CDI = (Path("/etc/cdi"),)


def test_cdi_devices_are_named() -> None:
    devices = ("nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all", "vendor.com/x=0")
    found = toolkit.decide(2, replace(ENGINE, devices=devices), Observed(ctk="toolkit 1.17"))
    assert (found.status, found.message) == ("ok", "by CDI: nvidia.com/gpu=0, nvidia.com/gpu=1")


def test_a_specification_from_before_a_card_was_added_is_out_of_date() -> None:
    found = toolkit.decide(2, replace(ENGINE, devices=("nvidia.com/gpu=0",)), Observed())
    assert (found.status, found.fix) == ("warn", toolkit.GENERATE)


def test_the_nvidia_runtime_serves_as_well() -> None:
    assert (
        toolkit.decide(1, replace(ENGINE, runtimes=("nvidia", "runc")), Observed()).status == "ok"
    )


@pytest.mark.parametrize(
    ("seen", "status", "fix"),
    [
        (Observed(), "fail", "install-guide"),
        (Observed(ctk="toolkit 1.17"), "fail", "nvidia-ctk cdi generate"),
        (Observed(ctk="toolkit 1.17", hook=True), "warn", "makes it certain"),
        (Observed(specs=SPEC), "fail", "nvidia-ctk cdi list"),
    ],
)
def test_what_is_missing_decides_the_fix(seen: Observed, status: str, fix: str) -> None:
    found = toolkit.decide(1, replace(ENGINE, cdi_folders=CDI), seen)
    assert found.status == status
    assert fix in (found.fix or "")


def test_an_engine_in_which_cdi_is_off_is_told_to_turn_it_on() -> None:
    engine = replace(ENGINE, version="27.5.1", devices=(), cdi_folders=())
    assert '"cdi": true' in (toolkit.decide(1, engine, Observed(specs=SPEC)).fix or "")


def test_an_engine_too_old_to_list_devices_is_unknown_and_not_guessed() -> None:
    engine = replace(ENGINE, version="27.5.1", devices=None)
    found = toolkit.decide(1, engine, Observed(specs=SPEC))
    assert found.status == "warn"
    assert "too old to say" in found.message


def test_programs_and_specifications_are_looked_for(
    tmp_path: Path, stand_ins: Callable[..., None]
) -> None:
    stand_ins(nvidia_ctk="echo 'NVIDIA Container Toolkit CLI version 1.17.4'; echo commit: x")
    folder = tmp_path / "cdi"
    folder.mkdir()
    (folder / "nvidia.yaml").write_text("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n")
    (folder / "other.json").write_text('{"kind": "vendor.com/net"}')
    (folder / "notes.txt").write_text("nvidia.com/gpu")
    assert toolkit.observe([folder, tmp_path / "none"]) == Observed(
        "NVIDIA Container Toolkit CLI version 1.17.4", False, (folder / "nvidia.yaml",)
    )


def test_there_is_nothing_to_check_without_gpu_or_engine_or_with_one_elsewhere() -> None:
    gpus = GpuFacts(driver="550", cuda="12.4", cards=(Card("A"),))
    assert toolkit.run(context()).message == "no GPU to hand on"
    assert toolkit.run(context(engine=None, gpus=gpus)).status == "skip"
    assert toolkit.run(context(gpus=gpus, endpoint="ssh://me@there")).status == "skip"
    assert toolkit.run(context(gpus=gpus)).status != "skip"
