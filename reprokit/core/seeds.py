"""Randomness from one seed: global generators, determinism switches, generators by name."""

from __future__ import annotations

import hashlib
import json
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprokit.core.context import DETERMINISM
from reprokit.core.errors import CoreError

if TYPE_CHECKING:
    import numpy as np
    import torch

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_REPEATABLE = (":4096:8", ":16:8")


@dataclass(frozen=True)
class Seeded:
    """What `seed_everything` did; no seed and no generators where it was told to do nothing."""

    seed: int | None
    determinism: str
    generators: tuple[str, ...]
    threads: int


def seed_everything(seed: int, determinism: str = "seeded") -> Seeded:
    """Seed the generators of Python, NumPy and torch (every device) and set torch's determinism.

    `strict` lets torch use only algorithms that repeat bit for bit, and raise where it has none;
    `seeded` warns there instead. `off` changes nothing. `reprokit run` sets the same from outside;
    a script that does it again seeds at a point that it knows, and also when it is run by hand.

    Args:
        seed: 0 to 2^32 - 1.
        determinism: `strict`, `seeded` or `off`.

    Returns:
        What was set. The number of threads is part of it: another number gives other bits.

    Raises:
        CoreError: the level is unknown, the seed out of range, or `strict` came too late for CUDA.
    """
    import torch

    if determinism not in DETERMINISM:
        raise CoreError("bad-determinism", f"not one of {', '.join(DETERMINISM)}: {determinism}")
    if determinism == "off":
        return Seeded(None, determinism, (), torch.get_num_threads())
    if not 0 <= seed < 1 << 32:
        raise CoreError("bad-seed", f"a seed is from 0 to 2^32 - 1, not {seed}")
    _use_repeatable_algorithms(warn_only=determinism == "seeded")
    return Seeded(seed, determinism, _seed_generators(seed), torch.get_num_threads())


def derive_seed(seed: int, *key: str | int) -> int:
    """A seed from 0 to 2^63 - 1 for one purpose: `derive_seed(42, "augment", epoch, index)`.

    The same on every machine and version; seeds of different keys are unrelated.
    """
    return int.from_bytes(_digest(seed, key)[:8], "little") >> 1


def torch_generator(seed: int, *key: str | int, device: str = "cpu") -> torch.Generator:
    """A torch generator of its own for `key`, which no other draw disturbs."""
    import torch

    return torch.Generator(device=device).manual_seed(derive_seed(seed, *key))


def numpy_generator(seed: int, *key: str | int) -> np.random.RandomState:
    """A NumPy generator of its own for `key`.

    A `RandomState`, since NumPy promises that its stream never changes (NEP 19), which it does not
    of `Generator`: the order of the data has to outlive versions of NumPy.
    """
    import numpy as np

    digest = _digest(seed, key)
    words = [int.from_bytes(digest[at : at + 4], "little") for at in range(0, 32, 4)]
    return np.random.RandomState(words)


def _digest(seed: int, key: tuple[str | int, ...]) -> bytes:
    """32 bytes that depend on every part of the key, unambiguously."""
    return hashlib.sha256(json.dumps([seed, *key]).encode("ascii")).digest()


def _seed_generators(seed: int) -> tuple[str, ...]:
    """Seed the global generators and name them; NumPy only if this environment has it."""
    import torch

    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy as np
    except ImportError:
        return ("python", "torch")
    np.random.seed(seed)
    return ("python", "numpy", "torch")


def _use_repeatable_algorithms(*, warn_only: bool) -> None:
    """Let torch use only algorithms that repeat bit for bit on the same machine."""
    import torch

    if os.environ.get(CUBLAS) not in CUBLAS_REPEATABLE:
        cuda: Any = torch.cuda
        if cuda.is_initialized() and not warn_only:
            raise CoreError(
                "too-late",
                f"CUDA is in use already without {CUBLAS}=:4096:8",
                hint="call seed_everything before the first use of the GPU",
            )
        os.environ[CUBLAS] = ":4096:8"
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    # It imports Inductor each time (1 s with torch 2.13), so not when `reprokit run` has done it.
    now = torch.are_deterministic_algorithms_enabled()
    if not now or torch.is_deterministic_algorithms_warn_only_enabled() != warn_only:
        torch.use_deterministic_algorithms(mode=True, warn_only=warn_only)
