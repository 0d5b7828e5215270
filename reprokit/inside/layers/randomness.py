"""The environment variables that change which numbers come out: seeds, threads, instruction sets.

Values are recorded by this list only; of every other variable the name alone, because values may be
secret.
"""

from __future__ import annotations

import os

from reprokit.inside.layers import _reading

NAME = "randomness"

_VARIABLES = (
    # Python
    "PYTHONHASHSEED PYTHONOPTIMIZE PYTHONUTF8 PYTHONNOUSERSITE "
    # threads: their number changes the order of sums
    "OMP_NUM_THREADS OMP_DYNAMIC OMP_SCHEDULE OMP_PROC_BIND OMP_PLACES GOMP_CPU_AFFINITY "
    "KMP_AFFINITY KMP_BLOCKTIME KMP_DETERMINISTIC_REDUCTION MKL_NUM_THREADS MKL_DYNAMIC "
    "MKL_THREADING_LAYER OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS NUMBA_NUM_THREADS "
    # which kernels a CPU library picks: three dispatchers, each with a variable of its own
    "ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA ONEDNN_DEFAULT_FPMATH_MODE "
    "DNNL_DEFAULT_FPMATH_MODE MKL_CBWR MKL_ENABLE_INSTRUCTIONS MKL_DEBUG_CPU_TYPE "
    "OPENBLAS_CORETYPE NPY_DISABLE_CPU_FEATURES NPY_ENABLE_CPU_FEATURES "
    # GPUs
    "CUBLAS_WORKSPACE_CONFIG CUBLASLT_WORKSPACE_SIZE CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER "
    "CUDA_LAUNCH_BLOCKING NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES NVIDIA_TF32_OVERRIDE "
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE TORCH_BLAS_PREFER_CUBLASLT PYTORCH_CUDA_ALLOC_CONF "
    "PYTORCH_ALLOC_CONF TORCHINDUCTOR_DETERMINISTIC TORCHINDUCTOR_MAX_AUTOTUNE "
    "FLASH_ATTENTION_DETERMINISTIC TF_DETERMINISTIC_OPS TF_CUDNN_DETERMINISTIC XLA_FLAGS "
    # several GPUs
    "NCCL_ALGO NCCL_PROTO NCCL_NVLS_ENABLE NCCL_COLLNET_ENABLE NCCL_MIN_NCHANNELS "
    "NCCL_MAX_NCHANNELS NCCL_P2P_DISABLE NCCL_LAUNCH_MODE WORLD_SIZE RANK LOCAL_RANK "
    # what is loaded, and how text and time are read
    "LD_PRELOAD LD_LIBRARY_PATH LANG LC_ALL LC_CTYPE LC_COLLATE TZ "
    # ours
    "REPROKIT_SEED REPROKIT_DETERMINISM"
)
RECORDED = frozenset(_VARIABLES.split())


def gather() -> dict[str, object]:
    """Seed, mode, the variables that matter with their values, and the names of all others."""
    return observe(dict(os.environ))


def observe(environment: dict[str, str]) -> dict[str, object]:
    """The layer as given by `environment`."""
    seed = environment.get("REPROKIT_SEED", "")
    known = sorted(RECORDED & environment.keys())
    return {
        "seed": int(seed) if seed.isdigit() else None,
        "determinism": environment.get("REPROKIT_DETERMINISM"),
        "variables": {name: _reading.plain(environment[name]) for name in known},
        "other_variables": [_reading.plain(name) for name in sorted(environment.keys() - RECORDED)],
    }
