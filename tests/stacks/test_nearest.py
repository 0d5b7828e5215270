"""What to take where a stack cannot run: ranked, with what changes and what that costs."""

from dataclasses import replace

from reprokit.stacks.machine import Machine, described
from reprokit.stacks.model import BaseImage, Stack
from reprokit.stacks.nearest import TRUST, Candidate, nearest
from reprokit.stacks.resolution import resolve_stack


def stack(torch: str, variant: str, python: str = "3.12") -> Stack:
    return Stack("mine", python, torch, variant, BaseImage("python:3.12-slim-bookworm"))


def near(wanted: Stack, gpu: str, driver: str, *shipped: Stack) -> list[Candidate]:
    machine = described((gpu,), driver, platform="linux/amd64")
    return list(nearest(resolve_stack(wanted), machine, shipped=shipped))


def told(candidates: list[Candidate]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.torch, one.variant) for one in candidates if one.verdict == "yes"]


def test_the_same_torch_for_another_cuda_comes_first_then_its_minor_then_the_newest() -> None:
    found = near(stack("2.12.1", "cu130"), "V100", "550.54.15")
    assert told(found) == [
        ("same torch", "2.12.1", "cu126"),
        ("same minor", "2.12.0", "cu126"),
        ("newest", "2.14.1", "cu126"),
    ]
    assert found[0].changes == (
        "CUDA 13.0 -> 12.6",
        "cuDNN 9.20.0.48 -> unknown",
        "NCCL 2.29.7 -> 2.29.3",
    )
    assert [one.trust for one in found[:3]] == [TRUST[one.kind] for one in found[:3]]


def test_where_no_build_of_that_minor_runs_the_closest_release_is_named() -> None:
    found = near(stack("2.5.1", "cu124"), "RTX 5090", "580.65.06")
    assert told(found) == [("closest torch", "2.7.0", "cu128"), ("newest", "2.15.0", "cu132")]


def test_a_python_that_the_release_lacks_is_told_to_change() -> None:
    found = near(stack("1.13.1", "cu117", "3.10"), "RTX 5090", "580.65.06")
    assert found[0].python == "3.10"
    newest = next(one for one in found if one.kind == "newest")
    assert (newest.torch, newest.python) == ("2.15.0", "3.11")
    assert "Python 3.10 -> 3.11" in newest.changes


def test_what_is_not_established_comes_last_and_is_said_to_be() -> None:
    found = near(stack("2.12.1", "cu130"), "V100", "550.54.15")
    assert [one.verdict for one in found] == ["yes", "yes", "yes", "unknown"]
    assert found[-1].variant == "cu129"
    assert "not established" in found[-1].told()


def test_a_stack_of_the_workspace_is_named() -> None:
    mine = replace(stack("2.12.1", "cu126"), name="torch2.12-cu126")
    found = near(stack("2.12.1", "cu130"), "V100", "550.54.15", mine)
    assert found[0].stack == "torch2.12-cu126"
    assert "stack `torch2.12-cu126`" in found[0].told()


def test_nothing_is_near_where_the_driver_no_longer_knows_the_gpu() -> None:
    assert near(stack("2.12.1", "cu130"), "V100", "595.45.04") == []


def test_a_machine_without_any_gpu_is_offered_the_processor_as_a_choice() -> None:
    bare = Machine(platform="linux/amd64", reason="no NVIDIA driver")
    (only,) = nearest(resolve_stack(stack("2.5.1", "cu124")), bare)
    assert (only.kind, only.variant, only.changes) == ("processor", "cpu", ("cu124 -> cpu",))


def test_only_builds_for_the_same_processor_are_named() -> None:
    arm = replace(stack("2.5.1", "cu124", "3.11"), platform="linux/arm64")
    machine = described(("GH200",), "515.48.07", platform="linux/arm64")
    for candidate in nearest(resolve_stack(arm), machine):
        assert candidate.verdict == "unknown"
