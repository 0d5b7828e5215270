"""Which rows train, validate and test, in what order: pure functions of seed and position."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprokit.core.errors import CoreError
from reprokit.core.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprokit.core.context import Run

FRACTIONS = (0.8, 0.1, 0.1)
SCHEMA = "reprokit/split/1"


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts; together they hold every row once."""

    seed: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def sha256(self) -> str:
        """A digest of the parts and their order, to compare two splits by."""
        parts = json.dumps([self.train, self.validation, self.test])
        return hashlib.sha256(parts.encode("ascii")).hexdigest()

    def record(self, run: Run, name: str = "outputs/split.json") -> None:
        """Write the row numbers into the run, where an evaluation years later finds them."""
        document = {"schema": SCHEMA, "sha256": self.sha256, **vars(self)}
        run.write_text(name, json.dumps(document) + "\n")


def split_indices(
    count: int, seed: int, fractions: tuple[float, float, float] = FRACTIONS
) -> Split:
    """Deal `count` rows into train, validation and test at random; the same seed deals the same.

    Args:
        count: how many rows there are.
        seed: what the deal depends on.
        fractions: the parts of train, validation and test; validation and test are rounded, and
            train gets the rest.

    Raises:
        CoreError: the fractions are not three parts of one, or a part would be empty.
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:  # noqa: PLR2004 - rounding of 0.8 + 0.1 + 0.1
        raise CoreError("bad-split", f"not positive parts that add up to 1: {fractions}")
    sizes = [round(count * part) for part in fractions[1:]]
    train = count - sum(sizes)
    if min(train, *sizes) < 1:
        raise CoreError("bad-split", f"{count} rows are too few for the parts {fractions}")
    rows = tuple(int(row) for row in numpy_generator(seed, "split").permutation(count))
    cut = train + sizes[0]
    return Split(seed, rows[:train], rows[train:cut], rows[cut:])


@dataclass(frozen=True)
class EpochSampler:
    """Shuffled batches of row numbers, in an order that depends on nothing but seed and epoch.

    There is no state to save: the batch of any step can be had without those before it.

    Attributes:
        count: how many rows an epoch goes through.
        batch_size: rows of a batch; the last one of an epoch may be smaller.
        seed: what the order depends on.
        drop_last: leave out the last batch of an epoch if it is smaller.
        name: tells the orders of two samplers of one run apart.
    """

    count: int
    batch_size: int
    seed: int
    drop_last: bool = False
    name: str = "train"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.steps_per_epoch < 1:
            raise CoreError(
                "bad-sampler", f"no batch of {self.batch_size} rows can be made of {self.count}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        extra = 0 if self.drop_last else self.batch_size - 1
        return (self.count + extra) // self.batch_size

    def order(self, epoch: int) -> list[int]:
        """Every row number once, in the order of epoch 0, 1, ..."""
        generator = numpy_generator(self.seed, "order", self.name, epoch)
        rows: list[int] = generator.permutation(self.count).tolist()
        return rows

    def batches(self, start: int, stop: int) -> Iterator[list[int]]:
        """The batches of the steps `start` to `stop` - 1, counted from 0, over all epochs.

        Fits `DataLoader(dataset, batch_sampler=sampler.batches(start, stop))`.
        """
        step = start
        while step < stop:
            epoch, position = divmod(step, self.steps_per_epoch)
            rows = self.order(epoch)
            for at in range(position, min(self.steps_per_epoch, position + stop - step)):
                yield rows[at * self.batch_size : (at + 1) * self.batch_size]
                step += 1
