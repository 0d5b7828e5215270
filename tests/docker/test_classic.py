"""Docker without buildx: the classic builder, asked for real."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.environments.image import NO_BUILDX, image_reference
from reprokit.errors import IntegrityError, MachineError
from reprokit.stacks.locks import LockedRequirements
from reprokit.stacks.pipconfig import PackageSettings
from tests.docker.tiny_stack import DOCKER, Tiny, docker, lock, remove
from tests.stacks.wheelhouse import make_wheel

pytestmark = pytest.mark.docker

PLANTED = "hunter22-planted"


def untagged() -> list[str]:
    """Images without a name, the latest first: what each step of the classic builder leaves."""
    return docker("image", "ls", "--all", "--quiet", "--filter", "dangling=true").split()


@pytest.fixture(autouse=True)
def _tidied(tiny: Tiny) -> Iterator[None]:
    """Remove the steps of a test's builds, their images first: one that a later one is built on cannot go."""
    before = set(untagged())
    yield
    remove(*tiny.made)
    for image in untagged():
        if image not in before:
            subprocess.run([DOCKER, "image", "rm", image], capture_output=True, check=False)


@pytest.fixture(autouse=True)
def _no_buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide buildx: the user's plugin of the name comes first, and this one is none."""
    plugin = tmp_path / "docker" / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\nexit 1\n")
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def test_the_classic_builder_takes_over_and_it_is_said(tiny: Tiny) -> None:
    steps: list[str] = []
    image = tiny.ensure(tiny.order(), on_step=lambda *step: steps.append(step[0]))
    assert image.builder == "classic"
    assert NO_BUILDX in steps
    assert "packages locks/stack.lock" in " ".join(steps) or "packages stack.lock" in " ".join(
        steps
    )
    assert "RUN --mount" not in image.dockerfile
    assert tiny.distributions(image) == {
        "torch": "9.9.9+cpu",
        "numpy": "1.0",
        "learn": "2.0",
        "colours": "0.1",
    }
    described = json.loads(docker("image", "inspect", image.reference))[0]
    assert described["Config"]["Labels"]["org.reprokit.builder"] == "classic"
    # Found again, with how it was made.
    assert tiny.ensure(tiny.order()) == image


def test_a_project_without_a_lock_of_its_own_has_its_stack(tiny: Tiny) -> None:
    image = tiny.ensure(tiny.order(locks=LockedRequirements(tiny.locks.stack)))
    assert tiny.distributions(image) == {"torch": "9.9.9+cpu", "numpy": "1.0"}


def test_prod_runs_the_code_as_a_user_without_rights(tiny: Tiny) -> None:
    code = tiny.folder / "code"
    code.mkdir()
    (code / "train.py").write_text("import os, learn; print(os.getuid(), learn.version)\n")
    (code / "train.py").chmod(0o600)
    (code / ".env").write_text(f"TOKEN={PLANTED}\n")
    prod = tiny.ensure(tiny.order(target="prod", code=code))
    assert tiny.run(prod) == "1000 2.0\n"
    assert ".env" not in tiny.run(prod, "ls", "-a").split()


@pytest.mark.slow
def test_dev_has_the_tools_too(tiny: Tiny) -> None:
    dev = tiny.ensure(tiny.order(target="dev", tools=tiny.tools))
    assert tiny.distributions(dev)["debugger"] == "3.0"
    assert tiny.run(dev, "git", "--version").startswith("git version")


def test_no_password_of_an_index_is_in_an_image_its_history_or_the_log(tiny: Tiny) -> None:
    settings = PackageSettings(
        index_url=f"https://ada:{PLANTED}@127.0.0.1:9/simple",
        find_links=tiny.settings.find_links,
        no_index=True,
    )
    image = tiny.ensure(tiny.order(), settings=settings)
    told = docker("history", "--no-trunc", image.reference)
    told += docker("image", "inspect", image.reference)
    assert image.log is not None
    told += image.log.read_text()
    assert PLANTED not in told
    search = f"grep -rlF {PLANTED} /etc /opt /run /root /tmp /var || true"
    assert tiny.run(image, "sh", "-c", search) == ""


def test_a_package_that_is_not_the_locked_one_stops_before_the_build(tiny: Tiny) -> None:
    tampered = make_wheel(tiny.folder / "other", "numpy", "1.0", needs=("surprise",))
    torch = tiny.folder / "wheels" / "torch-9.9.9+cpu-py3-none-any.whl"
    with pytest.raises(IntegrityError) as caught:
        tiny.ensure(tiny.order(locks=LockedRequirements(lock(torch, tampered))))
    assert caught.value.code == "hash-mismatch"
    assert "numpy" in (caught.value.where or "")


def test_a_step_that_fails_is_shown_with_its_last_words(tiny: Tiny) -> None:
    broken = replace(tiny.stack, system=("no-such-package-at-all",))
    with pytest.raises(MachineError) as caught:
        tiny.ensure(tiny.order(stack=broken))
    assert caught.value.code == "image-build"
    assert "Unable to locate package" in caught.value.message
    reference = image_reference(tiny.order().env_id, "tiny", "one")
    assert reference not in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
