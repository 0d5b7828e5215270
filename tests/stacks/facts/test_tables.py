"""The tables of facts: complete, in order, each row with a source, and of one mind with one another."""

import pytest

from reprokit.errors import IntegrityError
from reprokit.stacks import facts
from reprokit.stacks.facts import load, lookup
from reprokit.stacks.facts.lookup import numbers
from reprokit.stacks.facts.rows import Gpu, Release

PLATFORMS = ("linux/amd64", "linux/arm64")
TABLES = [name for name in facts.__all__ if name[0].islower() and name != "sources"]


def test_no_row_was_lost() -> None:
    counts = {name: len(getattr(facts, name)()) for name in TABLES}
    assert counts == {
        "architectures": 24,
        "branches": 4,
        "builds": 125,
        "conflicts": 13,
        "dropped": 4,
        "gpus": 117,
        "images": 42,
        "limits": 2,
        "minor_versions": 4,
        "releases": 33,
        "rules": 22,
        "systems": 6,
        "toolkits": 56,
    }
    assert sum(len(kinds) for row in facts.images() for kinds in row.tags.values()) == 424


def test_what_is_unknown_stays_unknown() -> None:
    cuda = [row for row in facts.builds() if row.variant != "cpu"]
    assert len(cuda) == 92
    assert sum(row.cudnn is not None for row in cuda) == 81
    assert sum(row.nccl is not None for row in cuda) == 58
    assert sum(row.amd64 is not None for row in cuda) == 88
    assert [row.name for row in facts.gpus() if row.capability is None] == ["B100"]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_names_sources_that_are_listed(table: str) -> None:
    for row in getattr(facts, table)():
        assert row.source
        assert set(row.source) <= facts.sources().keys()


def test_a_source_that_two_files_list_under_one_key_is_the_same_one() -> None:
    seen: dict[str, str] = {}
    for name in load.FILES:
        for key, text in load._file(name)["sources"].items():
            assert seen.setdefault(key, text) == text


def test_versions_go_up() -> None:
    releases = [numbers(row.version) for row in facts.releases()]
    assert releases == sorted(set(releases))
    assert [row.date for row in facts.releases()] == sorted(row.date for row in facts.releases())
    toolkits = [numbers(row.version.replace("x", "99")) for row in facts.toolkits()]
    assert toolkits == sorted(toolkits, reverse=True)
    drivers = [numbers(row.driver) for row in facts.toolkits() if row.driver]
    assert drivers == sorted(drivers, reverse=True)
    images = [numbers(row.cuda) for row in facts.images()]
    assert images == sorted(set(images))
    minimums = [numbers(row.driver) for row in facts.minor_versions() if row.driver]
    assert minimums == sorted(minimums)


def test_every_build_belongs_to_a_release_and_every_default_is_a_build() -> None:
    known = {row.version for row in facts.releases()}
    assert {row.torch for row in facts.builds()} == known
    for row in facts.releases():
        assert lookup.build(row.version, "cpu") is not None
        for platform in PLATFORMS:
            assert lookup.build(row.version, row.default[platform]) is not None


def test_the_defaults_of_the_package_index_are_the_known_generations() -> None:
    defaults: dict[str, list[str]] = {}
    for row in facts.releases():
        defaults.setdefault(row.default["linux/amd64"], []).append(row.version)
    assert {variant: (all_[0], all_[-1]) for variant, all_ in defaults.items()} == {
        "cu102": ("1.11.0", "1.12.1"),
        "cu117": ("1.13.0", "2.0.1"),
        "cu121": ("2.1.0", "2.4.1"),
        "cu124": ("2.5.0", "2.6.0"),
        "cu126": ("2.7.0", "2.7.1"),
        "cu128": ("2.8.0", "2.10.0"),
        "cu130": ("2.11.0", "2.14.1"),
        "cu132": ("2.15.0", "2.15.0"),
    }


def test_every_build_for_cuda_has_a_toolkit_with_a_driver() -> None:
    for row in facts.builds():
        if row.cuda:
            toolkit = lookup.first_toolkit(row.cuda)
            assert toolkit is not None
            assert toolkit.driver is not None
            assert lookup.minor_version(row.cuda) is not None


def test_no_build_has_code_for_what_its_cuda_does_not_know() -> None:
    for row in facts.builds():
        for platform in PLATFORMS:
            kernels = row.kernels(platform)
            for capability in kernels.sass + kernels.ptx if kernels else ():
                known = lookup.architecture(capability)
                assert known is not None
                assert numbers(known.first_cuda) <= numbers(row.cuda or "")
                if known.last_cuda:
                    assert numbers(row.cuda or "") <= numbers(known.last_cuda)


def test_gpus_agree_with_the_table_of_architectures() -> None:
    for row in facts.gpus():
        if row.capability is not None:
            known = lookup.architecture(row.capability)
            assert known is not None
            assert (row.first_cuda, row.last_cuda) == (known.first_cuda, known.last_cuda)
            assert row.last_branch == known.last_branch
    assert {row.kind for row in facts.gpus()} == {
        "datacenter",
        "workstation",
        "consumer",
        "jetson",
    }


def test_no_name_of_a_gpu_stands_for_two() -> None:
    words = [lookup._words(row.name) for row in facts.gpus()]
    assert len(set(words)) == len(words)


def test_a_toolkits_driver_is_of_no_older_branch_than_its_majors_oldest() -> None:
    for row in facts.toolkits():
        oldest = lookup.minor_version(row.version)
        if row.driver and oldest and oldest.driver:
            assert numbers(row.driver)[0] >= numbers(oldest.driver)[0]


def test_a_row_that_says_too_little_too_much_or_nonsense_is_refused() -> None:
    good = {"name": "X", "architecture": "A", "kind": "k", "confidence": "c", "source": ["s"]}
    assert load.row(good, Gpu, "here", {"s": "S"}).name == "X"
    for bad in (
        {**good, "source": []},
        {**good, "source": ["other"]},
        {**good, "colour": "red"},
        {**good, "name": 5},
        {key: value for key, value in good.items() if key != "kind"},
    ):
        with pytest.raises(IntegrityError, match="table of facts"):
            load.row(bad, Gpu, "here", {"s": "S"})


def test_an_inner_row_is_checked_as_well() -> None:
    raw = {"sass": ["9.0"], "ptx": [], "confidence": "primary", "source": ["nobody"]}
    with pytest.raises(IntegrityError, match="nobody"):
        load.row({"amd64": raw, "source": ["s"]}, facts.Build, "here", {"s": "S"})


def test_a_release_keeps_its_types() -> None:
    row = lookup.release("2.5.1")
    assert isinstance(row, Release)
    assert row.pythons["linux/amd64"] == ("3.9", "3.10", "3.11", "3.12", "3.13")
    assert (row.torchvision, row.torchaudio, row.cuda_packages) == ("0.20.1", "2.5.1", "12.4.127")
