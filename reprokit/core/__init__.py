"""What a training script may import: its run, seeds, data order, checkpoints, metrics, a loop.

Nothing here imports torch or numpy before it is used, and nothing of ReproKit but
`reprokit.inside`, so that the package also works as a bare folder on `PYTHONPATH`, in environments
that ReproKit is not installed in.
"""

from reprokit.core.checkpoints import Checkpoints, Saved
from reprokit.core.context import Run
from reprokit.core.data import EpochSampler, Split, split_indices
from reprokit.core.errors import CoreError, NonFiniteLossError
from reprokit.core.loop import Fitted, Goal, fit
from reprokit.core.recorder import Recorder
from reprokit.core.seeds import derive_seed, numpy_generator, seed_everything, torch_generator

__all__ = [
    "Checkpoints",
    "CoreError",
    "EpochSampler",
    "Fitted",
    "Goal",
    "NonFiniteLossError",
    "Recorder",
    "Run",
    "Saved",
    "Split",
    "derive_seed",
    "fit",
    "numpy_generator",
    "seed_everything",
    "split_indices",
    "torch_generator",
]
