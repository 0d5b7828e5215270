import json
import math
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from reprokit.core import CoreError, NonFiniteLossError, Recorder, Run


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def recorder(run: Run, clock: Clock, **options: Any) -> Recorder:
    return Recorder(
        run, epochs=2, steps_per_epoch=500, clock=clock, **{"tensorboard": False, **options}
    )


def rows(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def progress(run: Run) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run.folder / "progress.json").read_text())
    return document


def test_progress_is_there_before_the_first_step(run: Run, clock: Clock) -> None:
    with recorder(run, clock):
        now = progress(run)
    assert {key: now[key] for key in ("epoch", "epochs", "step", "steps")} == {
        "epoch": 1,
        "epochs": 2,
        "step": 0,
        "steps": 1000,
    }
    assert "loss" not in now
    assert now["started"].endswith("Z")


def test_progress_is_replaced_four_times_a_second(run: Run, clock: Clock) -> None:
    seen = []
    with recorder(run, clock) as record:
        for step in range(1, 129):
            clock.now += 1 / 64
            record.step(step, loss=torch.tensor(0.5))
            seen.append(progress(run)["step"])
    assert sorted(set(seen)) == [0, 16, 32, 48, 64, 80, 96, 112, 128]


def test_the_end_is_written_though_no_time_went_by(run: Run, clock: Clock) -> None:
    with recorder(run, clock) as record:
        for step in range(1, 8):
            record.step(step, loss=torch.tensor(step / 8))
        assert progress(run)["step"] == 0
    assert (progress(run)["step"], progress(run)["loss"]) == (7, 0.875)
    assert [row["step"] for row in rows(run)] == [1, 2, 3, 4, 5, 6, 7]


def test_steps_know_their_epoch(run: Run, clock: Clock) -> None:
    with recorder(run, clock) as record:
        for step in (1, 500, 501, 1000):
            record.step(step, loss=0.5)
    assert [row["epoch"] for row in rows(run)] == [1, 1, 2, 2]
    assert progress(run)["epoch"] == 2


def test_no_more_than_so_many_steps_wait(run: Run, clock: Clock) -> None:
    with recorder(run, clock) as record:
        for step in range(1, 513):
            record.step(step, loss=0.5)
        assert len(rows(run)) == 512


def test_without_a_watcher_the_log_gets_a_line_a_minute_and_one_each_epoch(
    run: Run, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorder(run, clock) as record:
        for step in range(1, 501):
            clock.now += 0.25
            record.step(step, loss=0.5)
        record.epoch(500, {"loss": 0.25, "accuracy": 0.75})
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/2  step 240/1000  loss 0.5000  4.0 steps/s",
        "epoch 1/2  step 480/1000  loss 0.5000  4.0 steps/s",
        "epoch 1/2  step 500/1000  loss 0.5000  validation:  loss 0.2500  accuracy 0.7500",
    ]


def test_with_a_watcher_the_log_gets_none(
    run: Run, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorder(replace(run, watched=True), clock) as record:
        clock.now += 100
        record.step(1, loss=0.5)
        record.epoch(500, {"loss": 0.25})
    assert capsys.readouterr().out == ""


def train(run: Run, clock: Clock, losses: list[float], error: Exception | None = None) -> None:
    """Record losses, one a step, then fail as a training does."""
    with recorder(run, clock) as record:
        for step, loss in enumerate(losses, start=1):
            record.step(step, loss=torch.tensor(loss))
        if error is not None:
            raise error


@pytest.mark.parametrize(("bad", "word"), [(math.nan, "NaN"), (math.inf, "Infinity")])
def test_a_loss_that_is_not_finite_is_written_and_then_stops_the_training(
    run: Run, clock: Clock, bad: float, word: str
) -> None:
    with pytest.raises(NonFiniteLossError, match="at step 2") as caught:
        train(run, clock, [0.5, bad, bad])
    assert caught.value.step == 2
    assert [row["loss"] for row in rows(run)] == [0.5, word, word]
    assert "loss" not in progress(run)


def test_an_error_of_the_training_is_not_hidden_by_its_last_loss(run: Run, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        train(run, clock, [math.nan], ZeroDivisionError())
    assert rows(run)[0]["loss"] == "NaN"


def test_progress_that_cannot_be_written_does_not_stop_the_training(run: Run, clock: Clock) -> None:
    (run.folder / "progress.json").mkdir()
    with recorder(run, clock) as record:
        record.step(1, loss=0.5)
    assert len(rows(run)) == 1
    assert [path.name for path in run.folder.iterdir() if path.name.startswith(".")] == []


def test_a_run_by_hand_replaces_the_numbers_of_the_one_before(run: Run, clock: Clock) -> None:
    local = replace(run, managed=False)
    for step in (1, 2):
        with recorder(local, clock, tensorboard=True) as record:
            record.step(step, loss=0.5)
    assert [row["step"] for row in rows(run)] == [2]
    assert len(list((run.folder / "tensorboard").iterdir())) == 1


def test_tensorboard_shows_the_same_numbers(run: Run, clock: Clock) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with recorder(run, clock, tensorboard=True) as record:
        for step in (1, 2):
            record.step(step, loss=torch.tensor(step / 4))
        record.epoch(500, {"accuracy": 0.75})
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss/train")] == [
        (1, 0.25),
        (2, 0.5),
    ]
    assert [event.value for event in events.Scalars("accuracy/validation")] == [0.75]


def test_without_tensorboard_it_says_what_to_do(
    run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(CoreError, match=r"no-tensorboard.*requirements\.in"):
        recorder(run, clock, tensorboard=True)
