"""A stand-in GPU: a small library in place of NVIDIA's, which the real bindings load."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import compiler

SOURCE = Path(__file__).resolve().parents[1] / "gpu" / "nvml_stub.c"


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which a process finds the stand-in."""
    library = tmp_path_factory.mktemp("standin") / "libnvidia-ml.so.1"
    subprocess.run([compiler(), "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    return {"LD_LIBRARY_PATH": str(library.parent)}
