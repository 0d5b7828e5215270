"""What a machine is: looked at through the real bindings of NVML (on a stand-in), or described."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reprokit.errors import ConfigError
from reprokit.stacks.machine import Card, described

REPOSITORY = Path(__file__).resolve().parents[2]
LOOK = "import json; from reprokit.machine.look import here; print(json.dumps(here().document()))"


def looked(**environment: str) -> Any:
    """`here()` in a process of its own, as the library is loaded once a process."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    argv = [sys.executable, "-W", "error", "-c", LOOK]
    done = subprocess.run(argv, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_the_driver_and_each_gpu_are_read_through_nvml(standin: dict[str, str]) -> None:
    machine = looked(
        **standin,
        STANDIN_GPUS="NVIDIA H100 80GB HBM3;NVIDIA GeForce RTX 4090",
        STANDIN_CAPABILITY="9.0",
        STANDIN_DRIVER="570.86.15",
        STANDIN_CUDA="12080",
    )
    assert (machine["driver"], machine["cuda"]) == ("570.86.15", "12.8")
    assert machine["cards"] == [
        {"name": "NVIDIA H100 80GB HBM3", "capability": "9.0", "kind": "datacenter"},
        {"name": "NVIDIA GeForce RTX 4090", "capability": "9.0", "kind": "consumer"},
    ]
    assert machine["reason"] is None
    assert machine["platform"] in ("linux/amd64", "linux/arm64")
    assert machine["glibc"]
    assert machine["free_bytes"] > 0


def test_a_driver_without_gpus_is_told_from_no_driver(standin: dict[str, str]) -> None:
    machine = looked(**standin, STANDIN_GPUS="")
    assert machine["driver"] == "550.54.15"
    assert machine["reason"] == "the driver shows no GPU to this process"


def test_a_driver_that_is_not_loaded_is_told(standin: dict[str, str]) -> None:
    machine = looked(**standin, STANDIN_ERROR="9")
    assert machine["driver"] is None
    assert "Driver Not Loaded" in machine["reason"]


def test_what_the_driver_does_not_say_is_unknown(standin: dict[str, str]) -> None:
    machine = looked(**standin, STANDIN_GPUS="NVIDIA Something New")
    assert machine["cards"] == [{"name": "NVIDIA Something New", "capability": None, "kind": None}]


def test_a_machine_is_described_by_names_or_capabilities() -> None:
    machine = described(("h100", "8.6", "sm_120"), "550.54")
    assert machine.cards[0] == Card("H100", "9.0", "datacenter")
    assert [card.capability for card in machine.cards] == ["9.0", "8.6", "12.0"]
    assert machine.described
    assert machine.platform is None


def test_a_gpu_that_no_table_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no `RTX 4070 SUPER`") as caught:
        described(("RTX 4070 SUPER",), None)
    assert "GeForce RTX 4070" in str(caught.value.hint)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("driver", ["new", "R550", "550.54.15.1", "", "12.4"])
def test_what_is_no_version_of_a_driver_is_refused(driver: str) -> None:
    with pytest.raises(ConfigError, match="no version of a driver"):
        described(("H100",), driver)
