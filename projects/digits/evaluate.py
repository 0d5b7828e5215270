"""Test the best checkpoint of a run again, from that file alone."""

from __future__ import annotations

import torch
from digits import THREADS, build_model, load_images, measure

from reprokit.core import Checkpoints, Run, seed_everything


def main() -> None:
    run = Run.current()
    torch.set_num_threads(THREADS)
    seed_everything(run.seed, run.determinism)
    checkpoint = Checkpoints.of(run).load("best")
    model = build_model()
    model.load_state_dict(checkpoint["model"])
    model.eval()

    rows = checkpoint["test_rows"]
    images, labels = (values[rows] for values in load_images())
    with torch.no_grad():
        result = measure(model, images, labels)
        certainty, predicted = model(images).softmax(1).max(1)

    columns = (rows.tolist(), labels.tolist(), predicted.tolist(), certainty.tolist())
    lines = [
        f"{row},{label},{guess},{sure:.6f}"
        for row, label, guess, sure in zip(*columns, strict=True)
    ]
    run.write_text(
        "outputs/predictions.csv", "\n".join(["row,label,predicted,certainty", *lines, ""])
    )
    run.write_json("outputs/evaluation.json", {"step": checkpoint["step"], **result})
    print(f"test accuracy {result['accuracy']:.4f}, loss {result['loss']:.4f}")


if __name__ == "__main__":
    main()
