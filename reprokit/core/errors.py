"""What the training core refuses, told as ReproKit tells it.

It has a base of its own, since `reprokit.errors` stays on the host.
"""

from __future__ import annotations


class CoreError(RuntimeError):
    """Base of every expected failure of the training core.

    Attributes:
        code: stable short name, e.g. `checkpoint-damaged`.
        message: what happened, in one sentence.
        where: the file, variable or step that it is about, if there is one.
        hint: what to do next.
    """

    def __init__(
        self, code: str, message: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        place = f" ({where})" if where else ""
        advice = f"; {hint}" if hint else ""
        super().__init__(f"error[{code}]: {message}{place}{advice}")
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint


class NonFiniteLossError(CoreError):
    """The loss became NaN or infinite: every later step would only spread it."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(
            "non-finite-loss",
            f"the loss is {loss} at step {step}",
            hint="lower the learning rate or clip the gradients; the last checkpoint is untouched",
        )
        self.step = step
        self.loss = loss
