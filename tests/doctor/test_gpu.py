"""The driver and its GPUs. No GPU is needed: the bus is a folder, the driver's library a stand-in."""

import os
import subprocess
import sys
from pathlib import Path

import pynvml
import pytest

from reprokit.doctor import gpu
from reprokit.doctor.gpu_facts import Card, GpuFacts, Problem, count_on_bus, observe, problem_of
from tests.conftest import compiler

H100 = Card("NVIDIA H100", 80 << 30, "9.0")


def test_no_gpu_is_fine_and_said() -> None:
    found = gpu.decide(GpuFacts("no-library"))
    assert found.status == "ok"
    assert "no NVIDIA GPU" in found.message


def test_a_library_without_a_gpu_is_fine_too() -> None:
    assert gpu.decide(GpuFacts("no-driver")).status == "ok"


@pytest.mark.parametrize(
    ("facts", "status", "fix"),
    [
        (GpuFacts("no-library", on_bus=1), "warn", "install NVIDIA's driver"),
        (GpuFacts("no-library", wsl=True), "warn", "in Windows"),
        (GpuFacts("no-driver", on_bus=2), "fail", "modprobe nvidia"),
        (GpuFacts("mismatch", on_bus=1), "fail", "reboot"),
        (GpuFacts("no-permission", on_bus=1), "fail", "/dev/nvidia"),
        (GpuFacts("other", "Unknown Error"), "fail", "nvidia-smi"),
        (GpuFacts(driver="550", cuda="12.4", on_bus=1), "fail", "dmesg"),
        (GpuFacts(driver="550", cuda="12.4", lost=("GPU 0: lost",), on_bus=1), "fail", "gpu-reset"),
    ],
)
def test_each_way_to_fail_has_its_own_fix(facts: GpuFacts, status: str, fix: str) -> None:
    found = gpu.decide(facts)
    assert found.status == status
    assert fix in (found.fix or "")


def test_gpus_are_listed_once_a_kind_with_what_the_driver_does_not_say_as_unknown() -> None:
    cards = (H100, Card("Odd"), H100)
    found = gpu.decide(GpuFacts(driver="550.90", cuda="12.4", cards=cards, on_bus=3))
    assert found.status == "ok"
    assert found.message == (
        "2 x NVIDIA H100 (80.0 GiB, compute capability 9.0), "
        "1 x Odd (memory unknown, compute capability unknown); driver 550.90, CUDA up to 12.4"
    )


def test_what_hides_gpus_from_trainings_is_told() -> None:
    found = gpu.decide(GpuFacts(driver="550", cuda="12.4", cards=(H100,)), visible="")
    assert found.details == ("CUDA_VISIBLE_DEVICES leaves trainings ``",)


def test_gpus_are_counted_on_the_bus_and_nothing_else_is(tmp_path: Path) -> None:
    devices = {
        "0000:01:00.0": ("0x10de", "0x030000"),  # a graphics card
        "0000:01:00.1": ("0x10de", "0x040300"),  # its sound
        "0000:02:00.0": ("0x10de", "0x030200"),  # a data-centre card
        "0000:03:00.0": ("0x8086", "0x030000"),  # another maker's
    }
    for name, (vendor, kind) in devices.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    (tmp_path / "0000:04:00.0").mkdir()
    assert count_on_bus(tmp_path) == 2
    assert count_on_bus(tmp_path / "no-bus") == 0


@pytest.mark.parametrize(
    ("code", "problem"),
    [(12, "no-library"), (9, "no-driver"), (4, "no-permission"), (18, "mismatch"), (999, "other")],
)
def test_errors_of_the_driver_are_told_apart(code: int, problem: Problem) -> None:
    assert problem_of(pynvml.NVMLError(code)) == problem


def test_this_machine_can_be_looked_at_whatever_it_has() -> None:
    facts = observe()
    assert facts.cards or facts.problem or facts.lost or facts.driver


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stand-in for the driver's library."""
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("nvml_stand_in.c")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler(), "-shared", "-fPIC", "-o", library, source], check=True)
    return folder


def asked(driver: Path, **settings: int) -> GpuFacts:
    """What is seen of the stand-in by a process that has it on its library path."""
    names = {f"STAND_IN_{name.upper()}": str(value) for name, value in settings.items()}
    code = "from reprokit.doctor.gpu_facts import *; print(repr(observe()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LD_LIBRARY_PATH": str(driver), **names},
        capture_output=True,
        check=True,
        text=True,
    )
    found = eval(done.stdout, {"GpuFacts": GpuFacts, "Card": Card})
    assert isinstance(found, GpuFacts)
    return found


def test_the_drivers_library_is_asked_for_everything(driver: Path) -> None:
    facts = asked(driver, cards=2)
    assert (facts.problem, facts.driver, facts.cuda) == (None, "550.90.07", "12.4")
    assert facts.cards == (Card("NVIDIA Stand-in", 80 << 30, "9.0"),) * 2


def test_a_gpu_that_fell_off_the_bus_does_not_hide_the_others(driver: Path) -> None:
    facts = asked(driver, cards=2, lost=1)
    assert len(facts.cards) == 1
    assert facts.lost[0].startswith("GPU 0: ")
    assert gpu.decide(facts).status == "fail"


def test_a_library_of_another_version_than_the_driver_is_seen(driver: Path) -> None:
    assert asked(driver, error=18).problem == "mismatch"
