"""Questions to the tables."""

import pytest

from reprokit.stacks.facts import lookup


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("H100", "H100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("Tesla V100-SXM2-16GB", "Tesla V100"),
        ("v100", "Tesla V100"),
        ("NVIDIA GeForce RTX 3090", "GeForce RTX 3090"),
        ("rtx 3080 ti", "GeForce RTX 3080 Ti"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA H200", "H200"),
    ],
)
def test_a_gpu_is_known_by_what_people_and_drivers_call_it(name: str, row: str) -> None:
    found = lookup.gpu(name)
    assert found is not None
    assert found.name == row


@pytest.mark.parametrize(
    "name",
    ["GeForce RTX 4070 SUPER", "NVIDIA GeForce RTX 3080 Laptop GPU", "A10G", "RTX", "", "NVIDIA"],
)
def test_a_name_that_no_row_has_is_not_taken_for_the_next_best(name: str) -> None:
    assert lookup.gpu(name) is None


def test_a_version_told_in_fewer_parts_means_the_newest_of_its_kind() -> None:
    assert lookup.at_least("550.54", "550.54.15")
    assert lookup.at_least("580", "580.65.06")
    assert not lookup.at_least("550.54.14", "550.54.15")
    assert not lookup.at_least("525", "535")


def test_the_newest_image_of_a_cuda_release_is_found_by_kind() -> None:
    assert lookup.cuda_image("12.4", "devel") == "nvidia/cuda:12.4.1-devel-ubuntu22.04"
    assert lookup.cuda_image("12.6", "base") == "nvidia/cuda:12.6.3-base-ubuntu24.04"
    assert lookup.cuda_image("13.2", "devel") == "nvidia/cuda:13.2.1-cudnn-devel-ubuntu24.04"
    assert lookup.cuda_image("13.2", "runtime") is None
    assert lookup.cuda_image("10.2", "devel") is None


def test_an_image_is_known_behind_a_mirror_too() -> None:
    row = lookup.image("mirror.example/nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04")
    assert row is not None
    assert row.cuda == "12.4.1"
    assert lookup.image("python:3.11-slim-bookworm") is None


@pytest.mark.parametrize(
    ("reference", "glibc"),
    [
        ("python:3.11-slim-bookworm", "2.36"),
        ("python:3.12-trixie", "2.41"),
        ("nvidia/cuda:12.4.1-devel-ubuntu22.04", "2.35"),
        ("ubuntu:24.04", "2.39"),
        ("debian:11-slim", "2.31"),
    ],
)
def test_the_c_library_of_an_image_is_known_by_its_tag(reference: str, glibc: str) -> None:
    found = lookup.system_of(reference)
    assert found is not None
    assert found.glibc == glibc


def test_an_image_whose_tag_names_no_distribution_is_unknown() -> None:
    assert lookup.system_of("python:3.11") is None
    assert lookup.system_of("someone/thing:latest") is None


def test_only_final_releases_inside_the_table_are_covered() -> None:
    assert lookup.covered("2.5.3")
    assert not lookup.covered("9.9.9")
    assert not lookup.covered("1.8.0")
    assert not lookup.covered("2.6.0rc1")
