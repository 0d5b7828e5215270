"""A stack and a machine -> yes, no or unknown, with the row that says so."""

from dataclasses import replace

import pytest

from reprokit.errors import MachineError
from reprokit.stacks.compatibility import Report, examine, need_runnable
from reprokit.stacks.findings import Finding
from reprokit.stacks.machine import Card, Machine, described
from reprokit.stacks.model import BaseImage, Stack
from reprokit.stacks.resolution import resolve_stack
from reprokit.stacks.room import Room

PLAIN = "python:3.11-slim-bookworm"
H100 = Card("NVIDIA H100 80GB HBM3", "9.0", "datacenter")
RTX = Card("NVIDIA GeForce RTX 3090", "8.6", "consumer")


def stack(torch: str, variant: str, image: str = PLAIN, python: str = "3.11") -> Stack:
    return Stack("mine", python, torch, variant, BaseImage(image))


def machine(driver: str, *cards: Card, cuda: str | None = None, **more: bool) -> Machine:
    return Machine(driver, cuda, cards, platform="linux/amd64", glibc="2.36", **more)  # type: ignore[arg-type]


def checked(wanted: Stack, on: Machine, engine: str = "venv", gpus: int = 1) -> Report:
    return examine(resolve_stack(wanted), on, gpus=gpus, engine=engine)


def found(report: Report, check: str) -> Finding:
    return next(finding for finding in report.findings if finding.check == check)


def test_a_stack_with_driver_and_code_for_the_gpu_runs() -> None:
    report = checked(stack("2.5.1", "cu124"), machine("550.54.15", H100))
    assert report.verdict == "yes"
    assert found(report, "driver").row == "minor_versions 12: driver 525.60.13"
    assert "code for 9.0" in found(report, "gpu").message
    assert all(finding.source for finding in report.findings if finding.row)


@pytest.mark.parametrize(
    ("variant", "torch", "driver", "verdict"),
    [
        ("cu117", "1.13.1", "450.80.02", "yes"),
        ("cu117", "1.13.1", "450.51.06", "no"),
        ("cu124", "2.5.1", "525.60.13", "yes"),
        ("cu124", "2.5.1", "525.53", "no"),
        ("cu130", "2.12.1", "580.65.06", "yes"),
        ("cu130", "2.12.1", "575.57.08", "no"),
        ("cu102", "1.12.1", "440.33", "yes"),
        ("cu102", "1.12.1", "418.87", "no"),
    ],
)
def test_the_oldest_driver_is_that_of_the_cuda_major(
    variant: str, torch: str, driver: str, verdict: str
) -> None:
    card = Card("a GPU of compute capability 7.0", "7.0")
    if variant == "cu130":
        card = H100
    python = "3.10" if torch.startswith("2.") else "3.9"
    report = checked(stack(torch, variant, python=python), machine(driver, card))
    assert found(report, "driver").verdict == verdict


def test_an_older_driver_of_the_same_major_is_told_to_lack_ptx() -> None:
    report = checked(stack("2.5.1", "cu124"), machine("535.54.03", H100))
    assert report.verdict == "yes"
    assert "minor-version compatibility, without PTX" in found(report, "driver").message


def test_what_the_driver_says_of_itself_counts_before_the_table() -> None:
    report = checked(stack("2.5.1", "cu124"), machine("999.1", H100, cuda="14.0"))
    assert "says that it serves CUDA 14.0" in found(report, "driver").message


def test_forward_compatibility_is_offered_to_data_centre_gpus_only() -> None:
    old = checked(stack("2.5.1", "cu124"), machine("515.48.07", H100))
    assert "cuda-compat-12-4" in str(found(old, "driver").fix)
    consumer = checked(stack("2.5.1", "cu124"), machine("515.48.07", RTX))
    assert "not for these GPUs" in str(found(consumer, "driver").fix)
    assert old.verdict == consumer.verdict == "no"


def test_an_image_with_cuda_compat_bridges_an_old_driver_of_a_data_centre_gpu() -> None:
    wanted = stack("2.5.1", "cu124", "nvidia/cuda:12.4.1-runtime-ubuntu22.04")
    bridged = checked(wanted, machine("470.82.01", H100, toolkit=True), "docker")
    assert bridged.verdict == "yes"
    assert "cuda-compat in the image" in found(bridged, "driver").message
    assert checked(wanted, machine("470.82.01", RTX, toolkit=True), "docker").verdict == "no"
    assert checked(wanted, machine("470.82.01", H100), "venv").verdict == "no"
    assert checked(wanted, machine("510.39.01", H100, toolkit=True), "docker").verdict == "no"


def test_on_wsl_the_driver_is_that_of_windows() -> None:
    old = stack("1.13.1", "cu117", python="3.10")
    assert checked(old, machine("452.39", RTX, wsl=True)).verdict == "yes"
    assert checked(old, machine("452.06", RTX, wsl=True)).verdict == "no"
    unknown = checked(stack("2.12.1", "cu130"), machine("581.15", RTX, wsl=True))
    assert found(unknown, "driver").verdict == "unknown"
    told = checked(stack("2.12.1", "cu130"), machine("581.15", RTX, wsl=True, cuda="13.0"))  # type: ignore[arg-type]
    assert told.verdict == "yes"


def test_a_gpu_runs_code_of_its_major_and_no_higher_minor() -> None:
    ada = Card("NVIDIA L40S", "8.9", "datacenter")
    report = checked(stack("2.5.1", "cu124"), machine("550.54.15", ada))
    assert "code for 8.6" in found(report, "gpu").message
    thor = Card("a GPU of compute capability 11.0", "11.0")
    assert checked(stack("2.12.1", "cu130"), machine("580.65.06", thor)).verdict == "no"


def test_a_gpu_without_code_is_refused_with_what_the_build_was_compiled_for() -> None:
    blackwell = Card("NVIDIA GeForce RTX 5090", "12.0", "consumer")
    report = checked(stack("2.5.1", "cu124"), machine("580.65.06", blackwell))
    assert report.verdict == "no"
    assert "compiled for 5.0, 6.0, 7.0, 7.5, 8.0, 8.6, 9.0" in found(report, "gpu").message
    assert found(report, "gpu").row == (
        "builds 2.5.1 cu124: sass 5.0 6.0 7.0 7.5 8.0 8.6 9.0, ptx none"
    )


def test_ptx_serves_a_newer_gpu_if_the_driver_is_as_new_as_the_ptx() -> None:
    newer = Card("a GPU of compute capability 13.0", "13.0")
    build = stack("2.9.1", "cu130")
    assert checked(build, machine("580.65.06", newer)).verdict == "yes"
    old = checked(build, machine("580.60", newer))
    assert old.verdict == "no"
    assert found(old, "gpu").fix == "install driver 580.65.06 or newer"
    plain = stack("2.12.1", "cu130")
    assert checked(plain, machine("580.95.05", newer)).verdict == "no"


def test_a_driver_that_no_longer_knows_the_gpu_is_told() -> None:
    volta = Card("Tesla V100-SXM2-16GB", "7.0", "datacenter")
    report = checked(stack("2.7.1", "cu126"), machine("595.45.04", volta))
    assert [finding.check for finding in report.refusals] == ["driver"]
    assert "branch R580" in str(report.refusals[0].fix)
    assert checked(stack("2.7.1", "cu126"), machine("580.65.06", volta)).verdict == "yes"


def test_what_no_row_establishes_is_unknown_and_neither_yes_nor_no() -> None:
    b100 = described(("B100",), "580.65.06", platform="linux/amd64")
    report = checked(stack("2.8.0", "cu128"), b100)
    assert report.verdict == "unknown"
    assert found(report, "gpu").row == "gpus B100"
    build = checked(stack("2.10.0", "cu129"), machine("580.65.06", H100))
    assert found(build, "gpu").verdict == "unknown"
    beyond = checked(stack("9.9.9", "cu124"), machine("580.65.06", H100))
    assert found(beyond, "build").verdict == "unknown"
    unverified = checked(stack("2.15.0", "cu130"), machine("580.65.06", H100))
    assert found(unverified, "build").verdict == "unknown"
    orin = described(("Jetson AGX Orin",), "540.0", platform="linux/arm64")
    assert found(checked(stack("2.8.0", "cu128"), orin), "gpu").verdict == "unknown"


def test_a_machine_without_a_driver_is_refused_and_one_whose_driver_was_not_told_is_not() -> None:
    bare = Machine(platform="linux/amd64", reason="no NVIDIA driver")
    report = checked(stack("2.5.1", "cu124"), bare)
    assert {finding.check for finding in report.refusals} == {"driver", "gpus"}
    told = checked(stack("2.5.1", "cu124"), described(("H100",), None))
    assert (told.verdict, found(told, "driver").verdict) == ("unknown", "unknown")


def test_fewer_gpus_than_asked_for_are_refused() -> None:
    report = checked(stack("2.5.1", "cu124"), machine("550.54.15", H100), gpus=2)
    assert found(report, "gpus").message == "2 asked for, this machine has 1"
    assert report.verdict == "no"


def test_a_run_without_gpus_needs_no_driver() -> None:
    bare = Machine(platform="linux/amd64", glibc="2.36")
    assert checked(stack("2.5.1", "cu124"), bare, gpus=0).verdict == "yes"
    assert checked(stack("2.13.0", "cpu"), bare, gpus=1).verdict == "yes"


def test_wheels_of_another_processor_are_refused() -> None:
    arm = replace(machine("550.54.15", H100), platform="linux/arm64")
    assert found(checked(stack("2.5.1", "cu124"), arm), "processor").verdict == "no"


def test_the_c_library_is_the_machines_own_or_that_of_the_image() -> None:
    old = replace(machine("550.54.15", H100), glibc="2.17")
    wanted = stack("2.8.0", "cu128")
    assert found(checked(wanted, old, "venv"), "glibc").verdict == "no"
    assert "--engine docker" in str(found(checked(wanted, old, "venv"), "glibc").fix)
    assert found(checked(wanted, old, "docker"), "glibc").verdict == "yes"
    foreign = stack("2.8.0", "cu128", "someone/thing:1")
    assert found(checked(foreign, old, "docker"), "glibc").verdict == "unknown"


@pytest.mark.parametrize(
    ("room", "verdict", "word"),
    [
        (None, "unknown", "what the lock needs is unknown"),
        (Room(0, 0, 9), "unknown", "what the lock needs is unknown"),
        (Room(3 << 30, 9, 0), "yes", "9 packages take 3.0 GiB"),
        (Room(3 << 30, 8, 1), "unknown", "of 1 others the size is unknown"),
        (Room(5 << 30, 8, 1), "no", "4.0 GiB are free"),
    ],
)
def test_free_space_is_held_against_what_is_known_of_the_size(
    room: Room | None, verdict: str, word: str
) -> None:
    on = replace(machine("550.54.15", H100), free_bytes=4 << 30)
    wanted = resolve_stack(stack("2.5.1", "cu124"))
    report = examine(wanted, on, gpus=1, engine="venv", room=room)
    disk = found(report, "disk")
    assert disk.verdict == verdict
    assert word in disk.message
    assert report.verdict == ("no" if verdict == "no" else "yes")


def test_an_engine_that_cannot_hand_out_gpus_is_refused() -> None:
    wanted, on = stack("2.5.1", "cu124"), machine("550.54.15", H100)
    for toolkit, verdict in ((True, "yes"), (False, "no"), (None, "unknown")):
        report = checked(wanted, replace(on, toolkit=toolkit), "docker")
        assert found(report, "toolkit").verdict == verdict
    assert not any(finding.check == "toolkit" for finding in checked(wanted, on).findings)


@pytest.mark.parametrize(
    ("image", "card", "driver", "verdict"),
    [
        ("12.6.3-runtime-ubuntu22.04", H100, "550.54.15", "yes"),
        ("12.6.3-runtime-ubuntu22.04", RTX, "550.54.15", "no"),
        ("12.6.3-runtime-ubuntu22.04", RTX, "560.35.03", "yes"),
        ("12.6.3-runtime-ubuntu22.04", H100, "545.23.06", "no"),
        ("12.4.1-runtime-ubuntu22.04", RTX, "535.54.03", "yes"),
        ("12.6.3-runtime-ubuntu22.04", Card("NVIDIA RTX A6000", "8.6", "workstation"), "550.54.15", "unknown"),
    ],
)  # fmt: skip
def test_an_image_can_refuse_a_driver_that_its_wheels_would_run_on(
    image: str, card: Card, driver: str, verdict: str
) -> None:
    wanted = stack("2.7.1", "cu126", f"nvidia/cuda:{image}")
    report = checked(wanted, machine(driver, card, toolkit=True), "docker")
    assert found(report, "driver").verdict == "yes"
    assert found(report, "image").verdict == verdict
    if verdict == "no":
        assert "python:3.11-slim-bookworm" in str(found(report, "image").fix)


def test_a_run_that_cannot_work_is_stopped_before_anything_is_built() -> None:
    blackwell = Card("NVIDIA GeForce RTX 5090", "12.0", "consumer")
    shipped = (stack("2.8.0", "cu128"), replace(stack("2.7.0", "cu128"), name="near"))
    with pytest.raises(MachineError) as caught:
        need_runnable(
            stack("2.5.1", "cu124"),
            machine("580.65.06", blackwell),
            gpus=1,
            engine="venv",
            shipped=shipped,
        )
    error = caught.value
    assert (error.code, error.exit_code) == ("stack-cannot-run", 4)
    assert str(error.where).startswith("gpu: builds 2.5.1 cu124")
    assert "torch 2.7.0 cu128" in str(error.hint)
    assert "`near`" in str(error.hint)


def test_a_run_that_can_work_or_that_no_fact_refuses_is_let_through() -> None:
    need_runnable(stack("2.5.1", "cu124"), machine("550.54.15", H100), gpus=1, engine="venv")
    unknown = Card("NVIDIA Something New", None)
    need_runnable(stack("2.5.1", "cu124"), machine("550.54.15", unknown), gpus=1, engine="venv")
    need_runnable(stack("2.5.1", "cu124"), Machine(), gpus=0, engine="venv")
