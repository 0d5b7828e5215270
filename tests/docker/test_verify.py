"""Building twice, for real: the same image, or the file that differs by its name."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reprokit.environments.content import differences
from reprokit.environments.engine_api import engine_trouble
from reprokit.environments.verify import image_content, verify, verify_builds
from tests.docker.tiny_stack import DOCKER, Tiny, docker

pytestmark = pytest.mark.docker


def test_two_builds_from_nothing_are_the_same_image(tiny: Tiny) -> None:
    order = tiny.order()
    tiny.made.append(order.reference)
    steps: list[str] = []
    result = verify(
        order,
        home=tiny.home,
        settings=tiny.settings,
        on_step=lambda *step: steps.append(step[0]),
    )
    assert result.identical
    assert result.same_content
    assert result.first.digest == result.second.digest
    assert {name.partition(" ")[0] for name in steps} == {"first", "second"}
    assert "locks/stack.lock" in result.log.read_text()
    assert "reprokit/verify" not in docker("image", "ls")


def test_the_file_that_differs_is_named_with_what_differs(tiny: Tiny) -> None:
    tag = f"reprokit/unsteady:{tiny.order().env_id}"
    tiny.made.append(tag)
    (tiny.folder / "Dockerfile").write_text(
        f"FROM {tiny.stack.image}\nRUN date +%s%N >/etc/made && touch -d @1 /etc/made /etc\n"
    )

    def build(_: str) -> tuple[str, str]:
        words = ("--no-cache", "--provenance=false", "-t", tag, str(tiny.folder))
        docker("buildx", "build", "--builder", "default", *words)
        described = json.loads(docker("image", "inspect", tag))[0]
        return described["Id"], "buildx"

    result = verify_builds(tag, build, tiny.folder / "log")
    assert not result.identical
    assert not result.same_content
    (named,) = (each for each in result.differences if each.path == "/etc/made")
    assert list(named.what) == ["sha256"]
    assert result.first.content != result.second.content
    assert "reprokit/verify" not in docker("image", "ls")


@contextmanager
def another_engine(*, containerd: bool) -> Iterator[str]:
    """A second engine with a data root of its own, which never built anything; its address.

    It has a bridge of its own and leaves the firewall alone: else it would take the first one's network away.
    """
    dockerd = shutil.which("dockerd")
    if dockerd is None or os.geteuid() != 0:
        pytest.skip("a second engine needs root and the program dockerd")
    # A short path: a socket's name has 104 bytes at most. Each worker's engine has a network of its own.
    folder, name = Path(tempfile.mkdtemp(prefix="rk")), f"rk{os.getpid()}"
    address = f"unix://{folder}/engine.sock"
    settings = {
        "data-root": str(folder / "data"),
        "exec-root": str(folder / "run"),
        "pidfile": str(folder / "pid"),
        "hosts": [address],
        "bridge": name,
        "iptables": False,
        "ip6tables": False,
        "features": {"containerd-snapshotter": containerd},
    }
    (folder / "daemon.json").write_text(json.dumps(settings))
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    subprocess.run(
        ["ip", "addr", "add", f"10.213.{os.getpid() % 256}.1/24", "dev", name], check=True
    )
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [dockerd, "--config-file", str(folder / "daemon.json")], stdout=log, stderr=log
        )
    try:
        _wait_for(address, child, folder / "log")
        yield address
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)
        subprocess.run(["ip", "link", "del", name], check=False)
        _unmount(folder)


def _wait_for(address: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        if child.poll() is not None:
            break
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", address)
            if engine_trouble() is None:
                return
        time.sleep(0.1)
    pytest.fail(f"the second engine did not start: {log.read_text()[-2000:]}")


def _unmount(folder: Path) -> None:
    """What a stopped engine may leave mounted would stand in the way of removing its folder."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[1].startswith(str(folder)):
            subprocess.run(["umount", "-l", line.split()[1]], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("containerd", [True, False], ids=["same-store", "other-store"])
def test_another_engine_makes_the_same_image_or_the_same_content_in_another_store(
    containerd: bool, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tiny.build(tiny.order(), fresh=True)
    content = image_content(here.reference)
    own_store = "io.containerd.snapshotter.v1" in docker("info", "--format", "{{.DriverStatus}}")
    with another_engine(containerd=containerd) as address:
        base = subprocess.run(
            [DOCKER, "save", str(tiny.stack.image)], capture_output=True, check=True
        )
        monkeypatch.setenv("DOCKER_HOST", address)
        subprocess.run(
            [DOCKER, "load", "--quiet"], input=base.stdout, capture_output=True, check=True
        )
        there = tiny.build(tiny.order(), fresh=True)
        assert differences(content, image_content(there.reference)) == []
        if containerd == own_store:
            assert there.digest == here.digest
