"""Which engine answers, which does not, and why."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.doctor import access, engine, engine_facts
from reprokit.doctor.engine_facts import EngineFacts, parse
from reprokit.environments.engine_api import Trouble
from tests.doctor.conftest import ENGINE, SOCKET, context

VERSION = {"Version": "28.5.2", "ApiVersion": "1.51", "Os": "linux", "Arch": "amd64"}
INFO = {
    "Driver": "overlayfs",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {}, "nvidia": {}},
    "DiscoveredDevices": [
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
        {"Source": "other", "ID": "x"},
    ],
    "CDISpecDirs": ["/etc/cdi"],
    "MemoryLimit": True,
    "CpuCfsQuota": False,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
}


def test_what_an_engine_answers_is_read() -> None:
    found = parse(VERSION, INFO)
    assert (found.version, found.api, found.platform) == ("28.5.2", "1.51", "linux/amd64")
    assert (found.runtimes, found.devices) == (("nvidia", "runc"), ("nvidia.com/gpu=0",))
    assert (found.root, found.cdi_folders) == (Path("/var/lib/docker"), (Path("/etc/cdi"),))
    assert (found.unlimited, found.rootless) == (("cpus",), True)


def test_an_engine_without_devices_says_so_and_an_older_one_says_nothing() -> None:
    bare = {**INFO, "DiscoveredDevices": None, "Runtimes": None, "SecurityOptions": None}
    assert parse(VERSION, bare).devices == ()
    assert parse({**VERSION, "ApiVersion": "1.47"}, bare).devices is None


def test_an_engine_that_answers_is_well() -> None:
    assert access.run(context()).status == "ok"


def test_no_docker_at_all_is_a_choice() -> None:
    trouble = Trouble("Docker is not installed", "install Docker, or use `--engine venv`")
    found = access.decide(EngineFacts(SOCKET, intended=False, trouble=trouble))
    assert found.status == "warn"
    assert "virtual environments" in found.message


def test_docker_that_is_installed_and_not_to_be_used_is_a_failure_with_the_engines_own_fix() -> (
    None
):
    trouble = Trouble("you may not use it", "`sudo usermod -aG docker $USER`, then log in again")
    found = access.decide(EngineFacts(SOCKET, trouble=trouble))
    assert (found.status, found.message, found.fix) == ("fail", "you may not use it", trouble.fix)


def test_where_the_docker_program_has_another_address_the_fix_names_it() -> None:
    facts = EngineFacts(SOCKET, trouble=Trouble("none runs", "start it"), elsewhere=("unix:///x",))
    assert access.decide(facts).fix == "`export DOCKER_HOST=unix:///x`; else start it"


def test_a_chosen_context_and_a_rootless_engine_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_ins: Callable[..., None]
) -> None:
    stand_ins(docker="exit 1")
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "desktop"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setattr(
        "reprokit.environments.engine_api.DEFAULT_ENDPOINT", f"unix://{tmp_path}/no"
    )
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as rootless:
        rootless.bind("docker.sock")
        facts = engine_facts.observe()
    assert facts.trouble is not None
    assert facts.intended
    assert facts.elsewhere == (
        "$(docker context inspect desktop -f '{{.Endpoints.docker.Host}}')",
        f"unix://{tmp_path}/docker.sock",
    )


def test_without_a_docker_program_and_address_docker_is_not_meant_to_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_ins: Callable[..., None]
) -> None:
    stand_ins()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(
        "reprokit.environments.engine_api.DEFAULT_ENDPOINT", f"unix://{tmp_path}/no"
    )
    assert not engine_facts.observe().intended


def test_an_engine_that_cannot_limit_a_run_is_warned_of() -> None:
    found = engine.decide(replace(ENGINE, unlimited=("memory", "cpus")))
    assert found.status == "warn"
    assert "cannot limit a run's memory, cpus" in found.message
    assert "rootless" in (
        engine.decide(replace(ENGINE, unlimited=("cpus",), rootless=True)).fix or ""
    )


def test_an_engine_of_windows_containers_is_of_no_use() -> None:
    assert engine.decide(replace(ENGINE, platform="windows/amd64")).status == "fail"


def test_without_an_engine_there_is_nothing_to_describe() -> None:
    assert engine.run(context(engine=None)).status == "skip"


@pytest.mark.docker
def test_the_real_engine_describes_itself() -> None:
    facts = engine_facts.observe()
    assert facts.engine is not None
    found = engine.decide(facts.engine)
    assert found.status in ("ok", "warn")
    assert f"Docker {facts.engine.version}, API 1." in found.message
    assert "runc" in facts.engine.runtimes
