"""Is an engine there, and has it this image? Against real sockets that answer in every way there is."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reprokit.environments import engine_api
from reprokit.errors import MachineError

OK = b"HTTP/1.0 200 OK\r\nApi-Version: 1.51\r\n\r\nOK"


@contextmanager
def engine(answer: bytes) -> Iterator[list[bytes]]:
    """An engine on the socket `d.sock` that says `answer`; yields the requests that it got."""
    got: list[bytes] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind("d.sock")
    server.listen()

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                got.append(connection.recv(4096))
                if not got[-1]:
                    return
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield got
    finally:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect("d.sock")
        thread.join()
        server.close()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix://d.sock")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """PATH holds nothing but programs of these names."""
    (folder / "bin").mkdir()
    for name in names:
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"))


def test_an_engine_that_answers_is_reachable() -> None:
    with engine(OK) as got:
        assert engine_api.engine_reachable() is None
    assert got[0].startswith(b"GET /_ping HTTP/1.0\r\n")


def test_the_machines_own_socket_is_asked_where_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    assert engine_api.endpoint() == "unix:///var/run/docker.sock"


def test_an_engine_at_an_address_is_asked_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(OK)

        thread = threading.Thread(target=serve)
        thread.start()
        assert engine_api.engine_reachable() is None
        thread.join()


def test_without_docker_the_cause_is_that_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch)
    assert engine_api.engine_reachable() == "Docker is not installed"


def test_without_a_daemon_the_cause_is_that_none_runs_and_the_hint_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, "docker")
    with pytest.raises(MachineError) as caught:
        engine_api.need_engine()
    assert (caught.value.code, caught.value.exit_code) == ("no-docker", 4)
    assert caught.value.message == "no Docker engine runs at unix://d.sock"
    assert "`sudo systemctl start docker`" in (caught.value.hint or "")


def test_a_socket_that_nobody_listens_on_is_an_engine_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, "docker")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("d.sock")
    assert engine_api.engine_reachable() == "no Docker engine runs at unix://d.sock"


def test_without_permission_the_fix_is_the_docker_group() -> None:
    with engine(OK):
        Path("d.sock").chmod(0)
        user = os.geteuid()
        if user == 0:  # whom no permission stops
            os.seteuid(65534)
        try:
            trouble = engine_api.engine_trouble()
        finally:
            os.seteuid(user)
            Path("d.sock").chmod(0o600)
    assert trouble is not None
    assert trouble.reason == "you may not use the Docker engine at unix://d.sock"
    assert "usermod -aG docker" in trouble.fix


def test_an_engine_that_is_too_old_is_named_so() -> None:
    with engine(OK.replace(b"1.51", b"1.41")):
        reason = engine_api.engine_reachable()
    assert reason == "the Docker engine is too old (API 1.41)"


def test_podman_is_not_taken_for_an_engine_that_can_build() -> None:
    with engine(OK.replace(b"\r\n\r\n", b"\r\nLibpod-API-Version: 5.0.0\r\n\r\n")):
        assert "podman" in (engine_api.engine_reachable() or "")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.0\r\n\r\n"])
def test_something_else_at_the_address_is_no_engine(answer: bytes) -> None:
    with engine(answer):
        assert "does not speak HTTP" in (engine_api.engine_reachable() or "")


def test_an_engine_that_hangs_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "PING_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("d.sock")
        silent.listen()
        reason = engine_api.engine_reachable()
    assert reason == "the Docker engine at unix://d.sock gives no answer"


def test_an_image_that_the_engine_lacks_is_none() -> None:
    with engine(b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "No such image"}') as got:
        assert engine_api.inspect_image("a/b:c") is None
    assert got[0].startswith(b"GET /images/a/b:c/json ")


def test_an_engine_that_fails_is_not_one_that_lacks_the_image() -> None:
    answer = b'HTTP/1.0 500 Oops\r\n\r\n{"message": "the disk is broken"}'
    with engine(answer), pytest.raises(MachineError, match="cannot say") as caught:
        engine_api.inspect_image("a/b:c")
    assert "the disk is broken" in (caught.value.where or "")
