import json
from itertools import chain

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from reprokit.core import CoreError, EpochSampler, Run, split_indices


def test_a_split_holds_every_row_once_in_parts_of_80_10_10() -> None:
    split = split_indices(1797, seed=42)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [1437, 180, 180]
    assert sorted(split.train + split.validation + split.test) == list(range(1797))


def test_the_same_seed_splits_the_same_and_another_does_not() -> None:
    assert split_indices(100, seed=1) == split_indices(100, seed=1)
    assert split_indices(100, seed=1).sha256 != split_indices(100, seed=2).sha256


@pytest.mark.parametrize(
    ("count", "fractions"),
    [(4, (0.8, 0.1, 0.1)), (100, (0.8, 0.2, 0.0)), (100, (0.8, 0.1, 0.2)), (0, (0.8, 0.1, 0.1))],
)
def test_a_split_with_an_empty_part_or_more_than_all_is_refused(
    count: int, fractions: tuple[float, float, float]
) -> None:
    with pytest.raises(CoreError, match="bad-split"):
        split_indices(count, seed=1, fractions=fractions)


def test_a_recorded_split_can_be_read_back(run: Run) -> None:
    split = split_indices(50, seed=3)
    split.record(run)
    document = json.loads((run.folder / "outputs/split.json").read_text())
    assert document["schema"] == "reprokit/split/1"
    assert document["sha256"] == split.sha256
    assert tuple(document["test"]) == split.test


def test_each_epoch_goes_through_every_row_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(count=10, batch_size=4, seed=5)
    assert sampler.steps_per_epoch == 3
    batches = list(sampler.batches(0, 6))
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = list(chain(*batches[:3])), list(chain(*batches[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [7, 8, 9])
def test_any_step_can_be_had_without_those_before_it(count: int, drop_last: bool) -> None:
    sampler = EpochSampler(count, batch_size=4, seed=5, drop_last=drop_last)
    everything = list(sampler.batches(0, 9))
    assert len(everything) == 9
    for start in range(10):
        for stop in range(start, 10):
            assert list(sampler.batches(start, stop)) == everything[start:stop]


def test_the_last_smaller_batch_can_be_dropped() -> None:
    sampler = EpochSampler(count=10, batch_size=4, seed=5, drop_last=True)
    assert [len(batch) for batch in sampler.batches(0, 4)] == [4, 4, 4, 4]


def test_samplers_of_two_names_shuffle_differently() -> None:
    one, two = (EpochSampler(20, 4, seed=5, name=name) for name in ("labelled", "unlabelled"))
    assert one.order(0) != two.order(0)


@pytest.mark.parametrize(
    ("count", "batch_size", "drop_last"), [(0, 4, False), (3, 4, True), (10, 0, False)]
)
def test_a_sampler_without_a_single_batch_is_refused(
    count: int, batch_size: int, drop_last: bool
) -> None:
    with pytest.raises(CoreError, match="bad-sampler"):
        EpochSampler(count, batch_size, seed=5, drop_last=drop_last)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_takes_its_batches_from_any_step_on(workers: int) -> None:
    sampler = EpochSampler(count=10, batch_size=4, seed=5)
    loader = DataLoader(
        TensorDataset(torch.arange(10)),
        batch_sampler=sampler.batches(2, 7),
        num_workers=workers,
    )
    assert [rows.tolist() for (rows,) in loader] == list(sampler.batches(2, 7))
