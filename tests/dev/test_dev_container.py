"""What the dev container is given, as the line that starts it."""

import os
import socket
from pathlib import Path, PurePosixPath

import pytest

from reprokit.dev.container import JUPYTER_TOKEN, Desk, container, jupyter, secrets_of
from reprokit.dev.session import _free_port
from reprokit.engines.docker_line import command_line
from reprokit.errors import MachineError
from reprokit.values import replace
from tests.dev.test_devcontainer import plan


def desk(tmp_path: Path, **data: Path) -> Desk:
    folder = PurePosixPath("projects/digits")
    return Desk(plan(**data), tmp_path, folder, "reprokit/cpu-digits:0-dev", tmp_path / "kit")


def test_the_source_may_be_written_by_the_caller_and_the_rest_may_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    place = desk(tmp_path, there=tmp_path / "data", later=tmp_path / "later")
    words = command_line(container(place, ("bash",), devices=[], terminal=True))
    assert words[:3] == ["docker", "run", "--rm"]
    assert f"--user={os.getuid()}:{os.getgid()}" in words
    mounts = [word for word in words if word.startswith("--mount")]
    assert mounts == [
        f"--mount=type=bind,source={tmp_path},target=/workspace",
        f"--mount=type=bind,source={tmp_path / 'kit'},target=/reprokit/kit,readonly",
        f"--mount=type=bind,source={tmp_path / 'data'},target=/data/there,readonly",
    ]
    assert {"--interactive", "--tty", "--init", "--cap-drop=ALL"} <= set(words)
    assert "--workdir=/workspace/projects/digits" in words
    assert words[-3:] == ["--entrypoint=", "reprokit/cpu-digits:0-dev", "bash"]


def test_jupyter_is_published_on_this_machines_own_address_only(tmp_path: Path) -> None:
    box = container(desk(tmp_path), jupyter(1000), devices=[], terminal=False, port=9000)
    words = command_line(box, secrets={JUPYTER_TOKEN})
    assert "--publish=127.0.0.1:9000:8888" in words
    assert "--tty" not in words
    assert "--allow-root" not in words
    assert "--allow-root" in jupyter(0)


def test_no_secret_stands_in_the_line(tmp_path: Path) -> None:
    place = replace(desk(tmp_path), plan=replace(plan(), passed=("KEY",)))
    hidden = secrets_of(place, "planted-token", {"KEY": "planted-key", "OTHER": "x"})
    assert hidden == {"KEY": "planted-key", JUPYTER_TOKEN: "planted-token"}
    words = command_line(
        container(place, jupyter(1000), devices=[], terminal=False, port=1), secrets=hidden
    )
    assert {"--env=KEY", f"--env={JUPYTER_TOKEN}"} <= set(words)
    assert "planted" not in " ".join(words)


def test_gpus_are_handed_on_as_runs_have_them(tmp_path: Path) -> None:
    requests = [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}]
    words = command_line(container(desk(tmp_path), ("bash",), devices=requests, terminal=False))
    assert "--device=nvidia.com/gpu=0" in words


def test_a_port_that_somebody_has_is_refused_before_anything_is_built() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(MachineError) as caught:
            _free_port(other.getsockname()[1])
    assert caught.value.code == "port-taken"
    assert "--port 0" in (caught.value.hint or "")
    assert _free_port(0) > 0
