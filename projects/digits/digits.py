"""The images and the network that train.py and evaluate.py share."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

CLASSES = 10
# A second thread saves a fifth on an idle machine, and on a busy one its waiting made 2 s into 30.
# With one thread the result does not depend on the number of cores either.
THREADS = 1


def load_images() -> tuple[Tensor, Tensor]:
    """1,797 images of handwritten digits, 1 x 8 x 8 with values from 0 to 1, and their labels.

    They ship inside scikit-learn, so the lock pins them too: there is nothing to download.
    """
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
    return images, torch.tensor(digits.target)


def build_model() -> nn.Sequential:
    """A small convolutional network of 29,162 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 4 * 4, CLASSES),
    )


def measure(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss and accuracy (0 to 1) of the model as it is."""
    scores = model(images)
    return {
        "loss": cross_entropy(scores, labels).item(),
        "accuracy": (scores.argmax(1) == labels).float().mean().item(),
    }
