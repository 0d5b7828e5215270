import random

import numpy as np
import pytest
import torch

from reprokit.core import (
    CoreError,
    derive_seed,
    numpy_generator,
    seed_everything,
    torch_generator,
)

pytestmark = pytest.mark.usefixtures("torch_switches")


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), torch.rand(1).item()


@pytest.mark.parametrize("determinism", ["strict", "seeded"])
def test_the_same_seed_gives_the_same_numbers_everywhere(determinism: str) -> None:
    seed_everything(7, determinism)
    first = draws()
    seed_everything(7, determinism)
    assert draws() == first
    seed_everything(8, determinism)
    assert all(one != two for one, two in zip(draws(), first, strict=True))


def test_strict_makes_an_operation_without_a_repeatable_way_an_error() -> None:
    seeded = seed_everything(7, "strict")
    assert seeded.generators == ("python", "numpy", "torch")
    assert seeded.threads == torch.get_num_threads()
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_seeded_makes_it_a_warning() -> None:
    seed_everything(7, "strict")
    seed_everything(7, "seeded")
    assert torch.is_deterministic_algorithms_warn_only_enabled()


def test_off_changes_nothing() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)[1]
    torch.manual_seed(1)
    torch.rand(1)
    seeded = seed_everything(7, "off")
    assert seeded.seed is None
    assert torch.rand(1) == expected
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_a_seed_out_of_range_is_refused_and_nothing_is_set(seed: int) -> None:
    with pytest.raises(CoreError, match="bad-seed"):
        seed_everything(seed, "strict")
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(CoreError, match="strict, seeded, off"):
        seed_everything(7, "very")


def test_generators_of_different_names_are_unrelated() -> None:
    keys = [(), ("a",), ("b",), ("a", 0), ("a", 1), ("a", "1"), ("a1",), (1, "a")]
    assert len({derive_seed(7, *key) for key in keys}) == len(keys)
    assert derive_seed(7, "a") != derive_seed(8, "a")


def test_a_generator_of_a_name_is_not_disturbed_by_other_draws() -> None:
    seed_everything(7, "seeded")
    first = torch_generator(7, "noise").initial_seed(), numpy_generator(7, "noise").rand()
    draws()
    assert first == (torch_generator(7, "noise").initial_seed(), numpy_generator(7, "noise").rand())


def test_the_streams_never_change() -> None:
    # Old runs split and shuffle by these numbers: a new value here breaks every reproduction.
    assert derive_seed(42, "augment", 3, 17) == 1847117309351920402
    assert numpy_generator(42, "order", "train", 0).permutation(8).tolist() == [
        4,
        0,
        2,
        6,
        5,
        1,
        7,
        3,
    ]
