"""The training loop: `fit` trains, validates after each epoch, keeps the best checkpoint.

The number of finished steps is the only loop variable: which batch comes next, which epoch it is
and when to validate all follow from it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprokit.core.errors import CoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from reprokit.core.checkpoints import Checkpoints, Saved
    from reprokit.core.recorder import Recorder

SCHEMA = "reprokit/checkpoint/1"


@dataclass(frozen=True)
class Goal:
    """Which of the metrics that validation returns makes a checkpoint the best one."""

    metric: str = "loss"
    higher_is_better: bool = False

    def improves(self, metrics: Mapping[str, float], best: float | None) -> bool:
        """Whether `metrics` beat the best value so far; a tie and a NaN do not.

        Raises:
            CoreError: validation did not measure this metric.
        """
        if self.metric not in metrics:
            known = ", ".join(metrics) or "none"
            raise CoreError(
                "no-such-metric",
                f"validation returned no `{self.metric}`",
                hint=f"name one of those that it returned: {known}",
            )
        value = metrics[self.metric]
        if best is None:
            return value == value  # noqa: PLR0124 - false for NaN alone
        return value > best if self.higher_is_better else value < best


@dataclass(frozen=True)
class Best:
    """The best checkpoint so far: after which step, what validation measured, where it is."""

    step: int
    value: float
    metrics: Mapping[str, float]
    saved: Saved


@dataclass(frozen=True)
class Fitted:
    """A finished training: its steps, best checkpoint (none: every metric was NaN) and last."""

    steps: int
    best: Best | None
    last: Saved


def fit(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    epochs: int,
    steps_per_epoch: int,
    batches: Callable[[int, int], Iterable[Any]],
    loss: Callable[[nn.Module, Any], Tensor],
    validate: Callable[[nn.Module], Mapping[str, float]],
    goal: Goal,
    recorder: Recorder,
    checkpoints: Checkpoints,
    scheduler: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> Fitted:
    """Train `model` for `epochs`, validating after each.

    Args:
        model: what is trained, in place.
        optimizer: over the model's parameters.
        epochs: how many times the data is gone through, at least once.
        steps_per_epoch: optimiser steps of each, as `EpochSampler` counts them.
        batches: `batches(start, stop)` gives the batches of those steps, counted from 0.
        loss: the loss of the model on one batch.
        validate: measures the model; it runs in evaluation mode, without gradients, and what it
            draws at random does not disturb the training.
        goal: which of its metrics decides what the best checkpoint is.
        recorder: takes the numbers.
        checkpoints: takes `best` (to test and use) and `last` (with optimiser and scheduler).
        scheduler: a learning rate scheduler that is stepped with the optimiser.
        extra: anything more that each checkpoint shall hold.

    Raises:
        NonFiniteLossError: the loss became NaN or infinite; no checkpoint was made of it.
        CoreError: `batches` gave too few, or validation does not measure the goal.
    """
    total = epochs * steps_per_epoch
    best: Best | None = None
    last: Saved | None = None
    step = 0
    model.train()
    for batch in batches(0, total):
        rate = optimizer.param_groups[0]["lr"]
        value = _train_step(model, optimizer, loss, batch)
        if scheduler is not None:
            scheduler.step()
        step += 1
        recorder.step(step, loss=value, lr=rate)
        if step % steps_per_epoch:
            continue
        recorder.flush()
        metrics = _validated(model, validate)
        recorder.epoch(step, metrics)
        state = {"schema": SCHEMA, "step": step, "metrics": metrics, "model": model.state_dict()}
        state.update(extra or {})
        if goal.improves(metrics, best.value if best else None):
            saved = checkpoints.save("best", state)
            best = Best(step, metrics[goal.metric], metrics, saved)
        state["optimizer"] = optimizer.state_dict()
        state["scheduler"] = scheduler.state_dict() if scheduler is not None else None
        last = checkpoints.save("last", state)
    if last is None or step != total:
        raise CoreError("too-few-batches", f"the batches ended after {step} of {total} steps")
    return Fitted(step, best, last)


def _train_step(
    model: nn.Module, optimizer: Optimizer, loss: Callable[[nn.Module, Any], Tensor], batch: Any
) -> Tensor:
    """One optimiser step; the loss, cut from its graph so that it holds no memory."""
    import torch

    optimizer.zero_grad(set_to_none=True)
    value = loss(model, batch)
    torch.autograd.backward(value)
    optimizer.step()
    return value.detach()


def _validated(
    model: nn.Module, validate: Callable[[nn.Module], Mapping[str, float]]
) -> dict[str, float]:
    """What `validate` measures; training goes on as if it had not run."""
    model.eval()
    try:
        with _frozen():
            return {name: float(value) for name, value in validate(model).items()}
    finally:
        model.train()


@contextmanager
def _frozen() -> Iterator[None]:
    """No gradients, and generators put back afterwards."""
    import torch

    cuda: Any = torch.cuda
    devices = [cuda.current_device()] if cuda.is_initialized() else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        yield
