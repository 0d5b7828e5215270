"""A container's configuration -> the `docker run` line for it: pure text, no engine needed."""

from typing import Any

import pytest

from reprokit.engines.docker_line import command_line

CONFIG: dict[str, Any] = {
    "Image": "reprokit/cpu-p:0",
    "Entrypoint": [],
    "Cmd": ["python", "train.py", "--lr", "a b"],
    "Env": ["A=1", "TOKEN=s3cr3t", "EMPTY="],
    "User": "1000:1001",
    "WorkingDir": "/workspace/projects/p",
    "Labels": {"org.reprokit.run": "id"},
    "StopTimeout": 30,
    "HostConfig": {
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,exec"},
        "PidsLimit": 4096,
        "ShmSize": 1 << 30,
        "Memory": 1 << 20,
        "MemorySwap": 1 << 20,
        "NanoCpus": 1_500_000_000,
        "NetworkMode": "none",
        "Mounts": [],
        "DeviceRequests": [],
    },
}


def line(**host: Any) -> list[str]:
    """The words for the container, with these changes to its host part."""
    config = {**CONFIG, "HostConfig": {**CONFIG["HostConfig"], **host}}
    return command_line(config, secrets={"TOKEN"})


def test_every_setting_of_the_container_is_an_option() -> None:
    assert line() == [
        "docker", "run", "--rm", "--user=1000:1001", "--workdir=/workspace/projects/p", "--stop-timeout=30",
        "--network=none", "--pids-limit=4096", "--shm-size=1073741824", "--memory=1048576",
        "--memory-swap=1048576", "--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        "--cpus=1.5", "--label=org.reprokit.run=id", "--tmpfs=/tmp:rw,exec", "--env=A=1", "--env=TOKEN",
        "--env=EMPTY=", "--entrypoint=", "reprokit/cpu-p:0", "python", "train.py", "--lr", "a b",
    ]  # fmt: skip


def test_a_secret_is_named_and_never_shown() -> None:
    assert "s3cr3t" not in " ".join(line())


def test_what_is_not_limited_is_not_an_option() -> None:
    words = " ".join(line(Memory=None, MemorySwap=None, NanoCpus=None))
    assert "--memory" not in words
    assert "--cpus" not in words


@pytest.mark.parametrize(
    ("mount", "option"),
    [
        (
            {"Type": "bind", "Source": "/a b", "Target": "/x", "ReadOnly": True},
            "--mount=type=bind,source=/a b,target=/x,readonly",
        ),
        (
            {"Type": "bind", "Source": "/a", "Target": "/x", "ReadOnly": False},
            "--mount=type=bind,source=/a,target=/x",
        ),
        (
            {"Type": "bind", "Source": '/a,"b"', "Target": "/x", "ReadOnly": True},
            '--mount=type=bind,"source=/a,""b""",target=/x,readonly',
        ),
        (
            {"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Mode": 0o1777}},
            "--mount=type=tmpfs,target=/x,tmpfs-mode=1777",
        ),
    ],
)
def test_a_mount_is_a_line_of_csv(mount: dict[str, Any], option: str) -> None:
    assert option in line(Mounts=[mount])


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        ({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}, ["--device=nvidia.com/gpu=0"]),
        (
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]},
            ["--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=1"],
        ),
        ({"Count": 2, "Capabilities": [["gpu"]]}, ["--gpus=2"]),
    ],
)
def test_gpus_are_asked_for_as_the_engine_knows_them(
    request_: dict[str, Any], options: list[str]
) -> None:
    words = line(DeviceRequests=[request_])
    assert [word for word in words if word.startswith(("--device", "--gpus"))] == options
