"""A stack's few words -> everything that follows from them."""

import pytest

from reprokit.errors import ConfigError
from reprokit.stacks.model import BaseImage, Stack
from reprokit.stacks.resolution import resolve_stack


def stack(torch: str, variant: str, python: str = "3.11", **more: str) -> Stack:
    image = BaseImage("python:3.11-slim-bookworm")
    return Stack("mine", python, torch, variant, image, **more)  # type: ignore[arg-type]


def refused(wanted: Stack) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve_stack(wanted)
    assert (caught.value.exit_code, caught.value.code) == (2, "no-such-build")
    assert "envs/mine/stack.yaml" in str(caught.value.where)
    return caught.value


def test_a_default_build_is_a_plain_pin_from_the_package_index() -> None:
    found = resolve_stack(stack("2.5.1", "cu124"))
    assert found.versions == {"torch": "2.5.1", "torchvision": "0.20.1", "torchaudio": "2.5.1"}
    assert (found.index, found.carries_cuda) == ("the package index", True)
    assert found.stack.torch_pin == "torch==2.5.1"
    assert found.limits == ("torch===2.5.1", "torchvision===0.20.1", "torchaudio===2.5.1")
    document = found.document()
    assert (document["cudnn"], document["nccl"]) == ("9.1.0.70", "2.21.5")
    assert document["sass"] == ["5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0"]
    assert document["minimum_driver"] == "525.60.13"
    assert document["devel_image"] == "nvidia/cuda:12.4.1-devel-ubuntu22.04"
    assert document["runtime_image"] == "nvidia/cuda:12.4.1-runtime-ubuntu22.04"


def test_any_other_build_has_its_variant_in_its_version_and_comes_from_pytorchs_index() -> None:
    found = resolve_stack(stack("2.5.1", "cu121"))
    assert found.versions["torch"] == "2.5.1+cu121"
    assert found.versions["torchvision"] == "0.20.1+cu121"
    assert found.index == "https://download.pytorch.org/whl/cu121"
    assert found.carries_cuda is None


def test_a_default_build_can_be_asked_of_pytorchs_index() -> None:
    found = resolve_stack(stack("2.5.1", "cu124", index="pytorch"))
    assert found.versions["torch"] == "2.5.1+cu124"


def test_the_build_for_processors_is_always_named_as_such() -> None:
    found = resolve_stack(stack("2.13.0", "cpu"))
    assert found.versions["torch"] == "2.13.0+cpu"
    assert (found.minimum_driver, found.devel_image) == (None, None)


def test_on_arm_the_index_serves_other_defaults() -> None:
    assert stack("2.12.1", "cu130", platform="linux/arm64").torch_version == "2.12.1"
    assert stack("2.5.1", "cu124", platform="linux/arm64").torch_version == "2.5.1+cu124"


def test_old_builds_are_held_to_the_packages_they_were_made_for() -> None:
    old = resolve_stack(stack("1.13.1", "cu117", "3.10"))
    assert old.limits[-2:] == ("setuptools<70", "numpy<2")
    assert resolve_stack(stack("2.3.0", "cu121")).needs == ()


def test_torchaudio_is_held_only_where_it_is_paired() -> None:
    assert "torchaudio" not in resolve_stack(stack("2.12.1", "cu130")).versions


def test_a_release_that_never_was_is_refused_with_the_nearest_that_was() -> None:
    error = refused(stack("2.5.3", "cu124"))
    assert error.message == "there never was a torch 2.5.3"
    assert error.hint == "the nearest that was: torch 2.5.1"


def test_a_variant_that_a_release_never_had_is_refused() -> None:
    error = refused(stack("2.5.1", "cu126"))
    assert error.message == "torch 2.5.1 was never built for cu126 on linux/amd64"
    assert error.hint == (
        "torch 2.5.1 was built for cpu, cu118, cu121, cu124; the nearest that has cu126: torch 2.6.0"
    )


def test_a_platform_that_a_build_never_had_is_refused() -> None:
    error = refused(stack("2.7.1", "cu126", platform="linux/arm64"))
    assert "cu126 on linux/arm64" in error.message


def test_a_python_that_a_release_never_had_is_refused() -> None:
    error = refused(stack("2.5.1", "cu124", "3.14"))
    assert error.message == "torch 2.5.1 has no wheel for Python 3.14 on linux/amd64"
    assert error.hint == (
        "the nearest that it has: Python 3.13; the nearest torch for Python 3.14: 2.9.0"
    )


def test_all_that_is_wrong_is_told_at_once() -> None:
    error = refused(stack("1.13.1", "cu121", "3.13"))
    assert "cu121" in error.message
    assert ["Python 3.13" in problem.message for problem in error.problems] == [True]


def test_the_package_index_is_not_asked_for_what_it_does_not_serve() -> None:
    error = refused(stack("2.5.1", "cu121", index="pypi"))
    assert error.message == "the package index serves torch 2.5.1 for cu124, not cu121"


@pytest.mark.parametrize("torch", ["9.9.9", "1.8.0", "2.16.0rc1"])
def test_what_the_tables_do_not_reach_is_unknown_and_not_refused(torch: str) -> None:
    found = resolve_stack(stack(torch, "cu121"))
    assert (found.release, found.build) == (None, None)
    assert found.versions == {"torch": f"{torch}+cu121"}


def test_a_python_that_sources_disagree_about_is_not_refused() -> None:
    assert resolve_stack(stack("2.13.0", "cpu", "3.15")).release is not None
    refused(stack("2.12.1", "cpu", "3.15"))
