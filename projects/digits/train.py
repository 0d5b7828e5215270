"""Train a small CNN on handwritten digits; test the checkpoint that validated best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from digits import THREADS, build_model, load_images, measure
from torch.nn.functional import cross_entropy

from reprokit.core import (
    Checkpoints,
    EpochSampler,
    Goal,
    Recorder,
    Run,
    fit,
    seed_everything,
    split_indices,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    Batch = tuple[Tensor, Tensor]

DEFAULTS = {"lr": 0.005, "batch_size": 64, "epochs": 10}


def main() -> None:
    run = Run.current(DEFAULTS)
    torch.set_num_threads(THREADS)
    seed_everything(run.seed, run.determinism)
    epochs = run.params["epochs"]

    images, labels = load_images()
    split = split_indices(len(labels), run.seed)
    split.record(run)
    train, validation, test = map(torch.tensor, (split.train, split.validation, split.test))
    sampler = EpochSampler(len(train), run.params["batch_size"], run.seed)

    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=run.params["lr"])
    steps = epochs * sampler.steps_per_epoch
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, run.params["lr"], total_steps=steps)

    def batches(start: int, stop: int) -> Iterator[Batch]:
        for picks in sampler.batches(start, stop):
            rows = train[picks]
            yield images[rows], labels[rows]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        inputs, targets = batch
        return cross_entropy(model(inputs), targets)

    checkpoints = Checkpoints.of(run)
    with Recorder(run, epochs=epochs, steps_per_epoch=sampler.steps_per_epoch) as recorder:
        fitted = fit(
            model,
            optimizer,
            epochs=epochs,
            steps_per_epoch=sampler.steps_per_epoch,
            batches=batches,
            loss=loss,
            validate=lambda model: measure(model, images[validation], labels[validation]),
            goal=Goal("loss"),
            recorder=recorder,
            checkpoints=checkpoints,
            scheduler=scheduler,
            extra={"test_rows": test},
        )
        model.load_state_dict(checkpoints.load("best")["model"])
        model.eval()
        with torch.no_grad():
            result = measure(model, images[test], labels[test])
        recorder.log("test", fitted.steps, result)

    run.write_json("outputs/test.json", result)
    print(f"test accuracy {result['accuracy']:.4f}, loss {result['loss']:.4f}")


if __name__ == "__main__":
    main()
