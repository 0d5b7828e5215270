import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reprokit.core import (
    Checkpoints,
    CoreError,
    EpochSampler,
    Fitted,
    Goal,
    NonFiniteLossError,
    Recorder,
    Run,
    fit,
)

Validate = Callable[[nn.Module], Mapping[str, float]]


def train(
    run: Run,
    *,
    epochs: int = 3,
    validate: Validate | None = None,
    goal: Goal | None = None,
    lr: float = 0.1,
    steps: int = 0,
    **options: Any,
) -> tuple[nn.Module, Fitted]:
    """Fit y = 2x + 1 with a line and dropout, 4 steps an epoch."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 16).unsqueeze(1)
    y = 2 * x + 1
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.1))
    sampler = EpochSampler(16, 4, seed=1)

    def batches(start: int, stop: int) -> Iterator[list[int]]:
        return sampler.batches(start, steps or stop)

    def loss(model: nn.Module, rows: list[int]) -> Tensor:
        error: Tensor = model(x[rows]) - y[rows]
        return error.square().mean()

    def measure(model: nn.Module) -> dict[str, float]:
        return {"loss": loss(model, list(range(16))).item()}

    with Recorder(run, epochs=epochs, steps_per_epoch=4, tensorboard=False) as recorder:
        fitted = fit(
            model,
            torch.optim.SGD(model.parameters(), lr=lr),
            epochs=epochs,
            steps_per_epoch=4,
            batches=batches,
            loss=loss,
            validate=validate or measure,
            goal=goal or Goal(),
            recorder=recorder,
            checkpoints=Checkpoints.of(run),
            **options,
        )
    return model, fitted


def scripted(*values: float) -> Validate:
    """A validation that measures these accuracies, one after another."""
    left = iter(values)
    return lambda _model: {"accuracy": next(left)}


HIGHEST = Goal("accuracy", higher_is_better=True)


def phases(run: Run) -> list[tuple[str, int]]:
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    return [(row["phase"], row["step"]) for row in map(json.loads, lines)]


def test_it_validates_after_each_epoch(run: Run) -> None:
    _, fitted = train(run)
    assert fitted.steps == 12
    assert [step for phase, step in phases(run) if phase == "validation"] == [4, 8, 12]
    assert [step for phase, step in phases(run) if phase == "train"] == list(range(1, 13))


def test_the_last_checkpoint_is_the_model_as_it_ended(run: Run) -> None:
    model, _ = train(run)
    last = Checkpoints.of(run).load("last")
    assert last["step"] == 12
    assert all(
        torch.equal(last["model"][name], value) for name, value in model.state_dict().items()
    )
    assert last["optimizer"]["param_groups"][0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((0.1, 0.3, 0.2), 8),
        ((0.3, 0.3, 0.3), 4),
        ((0.1, 0.2, 0.3), 12),
        ((float("nan"), 0.1, float("nan")), 8),
    ],
)
def test_the_best_checkpoint_is_the_first_that_validated_best(
    run: Run, values: tuple[float, ...], best: int
) -> None:
    _, fitted = train(run, validate=scripted(*values), goal=HIGHEST)
    assert fitted.best is not None
    assert fitted.best.step == best
    assert fitted.best.metrics == {"accuracy": values[best // 4 - 1]}
    assert Checkpoints.of(run).load("best")["step"] == best


def test_lower_is_better_for_a_loss(run: Run) -> None:
    goal = Goal("accuracy")
    _, fitted = train(run, validate=scripted(0.3, 0.1, 0.2), goal=goal)
    assert fitted.best is not None
    assert fitted.best.step == 8


def test_there_is_no_best_where_nothing_could_be_measured(run: Run) -> None:
    _, fitted = train(run, validate=scripted(*[float("nan")] * 3), goal=HIGHEST)
    assert fitted.best is None
    assert not Checkpoints.of(run).path("best").exists()


def test_a_goal_that_validation_does_not_measure_is_refused(run: Run) -> None:
    with pytest.raises(CoreError, match=r"no-such-metric.*accuracy"):
        train(run, validate=scripted(1.0), goal=Goal("f1", higher_is_better=True))


def test_what_validation_draws_does_not_disturb_the_training(run: Run) -> None:
    def draws(_model: nn.Module) -> dict[str, float]:
        return {"loss": torch.rand(100).mean().item()}

    quiet, _ = train(run, validate=lambda _model: {"loss": 0.5})
    noisy, _ = train(run, validate=draws)
    for one, two in zip(quiet.parameters(), noisy.parameters(), strict=True):
        assert torch.equal(one, two)


def test_validation_runs_in_evaluation_mode_without_gradients(run: Run) -> None:
    seen = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append((model.training, torch.is_grad_enabled()))
        return {"loss": 0.5}

    model, _ = train(run, validate=validate)
    assert seen == [(False, False)] * 3
    assert model.training
    assert torch.is_grad_enabled()


def test_a_loss_that_explodes_stops_the_training_and_makes_no_checkpoint(run: Run) -> None:
    with pytest.raises(NonFiniteLossError, match=r"at step \d+"):
        train(run, epochs=30, lr=1e18)
    assert not Checkpoints.of(run).path("last").exists()


@pytest.mark.parametrize("steps", [2, 6])
def test_batches_that_end_early_are_not_taken_for_a_finished_training(run: Run, steps: int) -> None:
    with pytest.raises(CoreError, match=f"after {steps} of 12 steps"):
        train(run, steps=steps)


def test_a_scheduler_is_stepped_with_the_optimiser_and_kept(run: Run) -> None:
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    with Recorder(run, epochs=1, steps_per_epoch=3, tensorboard=False) as recorder:
        fit(
            model,
            optimizer,
            epochs=1,
            steps_per_epoch=3,
            batches=range,
            loss=lambda model, _batch: (model(torch.ones(1, 1)) ** 2).mean(),
            validate=lambda _model: {"loss": 0.5},
            goal=Goal(),
            recorder=recorder,
            checkpoints=Checkpoints.of(run),
            scheduler=scheduler,
        )
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert [row["lr"] for row in map(json.loads, lines) if "lr" in row] == [1.0, 0.5, 0.25]
    assert Checkpoints.of(run).load("last")["scheduler"]["last_epoch"] == 3


def test_checkpoints_hold_what_the_caller_adds(run: Run) -> None:
    train(run, extra={"classes": ["cat", "dog"]})
    assert Checkpoints.of(run).load("best")["classes"] == ["cat", "dog"]
