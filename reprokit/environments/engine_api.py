"""Questions to a Docker engine over its own socket: is it there, and has it this image?

Importing the docker SDK takes 0.1 s, which is all that `reprokit run` may cost; a question over the
socket takes 1 to 10 ms.
"""

import os
import socket
from typing import Any

from reprokit.errors import MachineError
from reprokit.values import dataclass

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"
# Docker 23: the first whose own BuildKit reads here-documents without a `# syntax=` line.
OLDEST_API = (1, 42)
PING_S = 2.0
ANSWER_S = 30.0
OK, NOT_FOUND = 200, 404


@dataclass(frozen=True)
class Trouble:
    """Why no engine can be used, in one line, and what to do about it."""

    reason: str
    fix: str


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def endpoint() -> str:
    """The engine's address: DOCKER_HOST, else the machine's own socket, as for the SDK."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_ENDPOINT


def engine_trouble() -> Trouble | None:
    """None when an engine answers that is new enough; it takes about a millisecond to know."""
    try:
        answer = _get("/_ping", timeout=PING_S)
    except OSError as error:
        return _no_answer(error)
    if answer.status != OK:
        return Trouble(f"{endpoint()} answers with {answer.status}", "look at the engine's own log")
    if "libpod-api-version" in answer.headers:
        return Trouble("podman answers here, and it cannot build with BuildKit", "install Docker")
    version = answer.headers.get("api-version", "")
    if _numbers(version) < OLDEST_API:
        return Trouble(
            f"the Docker engine is too old (API {version or 'unknown'})",
            "install Docker 23 or newer",
        )
    return None


def engine_reachable() -> str | None:
    """None when a Docker engine can be used, else one line that says why it cannot."""
    trouble = engine_trouble()
    return None if trouble is None else trouble.reason


def need_engine() -> None:
    """Stop when there is no engine.

    Raises:
        MachineError: `no-docker`, with the cause and the command that fixes it.
    """
    if trouble := engine_trouble():
        raise _refusal(trouble)


def inspect_image(reference: str) -> dict[str, Any] | None:
    """What the engine knows about a local image, or None. It never asks a registry.

    Raises:
        MachineError: the engine does not answer, or answers with an error.
    """
    import json

    try:
        answer = _get(f"/images/{reference}/json", timeout=ANSWER_S)
    except OSError as error:
        raise _refusal(_no_answer(error)) from error
    if answer.status == NOT_FOUND:
        return None
    document = json.loads(answer.body)
    if answer.status != OK or not isinstance(document, dict):
        raise MachineError(
            "engine-refused",
            f"the Docker engine cannot say what `{reference}` is",
            where=str(document)[:300],
        )
    return document


def ask(path: str, *, timeout: float = ANSWER_S) -> dict[str, Any]:
    """The engine's answer to a GET request, such as `/info`, which must be a JSON object.

    Args:
        path: of the API, without a version: the engine answers with its newest.
        timeout: seconds to wait for each piece of the answer.

    Raises:
        MachineError: the engine does not answer, or answers with an error.
    """
    import json

    try:
        answer = _get(path, timeout=timeout)
    except OSError as error:
        raise _refusal(_no_answer(error)) from error
    document = json.loads(answer.body) if answer.body.startswith(b"{") else None
    if answer.status != OK or not isinstance(document, dict):
        raise MachineError(
            "engine-refused",
            f"the Docker engine does not answer `{path}`",
            where=str(document)[:300],
        )
    return document


def _get(path: str, *, timeout: float) -> _Answer:
    """One GET request. HTTP/1.0: the answer ends where the connection does. Raises OSError."""
    address = endpoint()
    scheme, _, place = address.partition("://")
    if scheme not in ("unix", "tcp") or os.environ.get("DOCKER_TLS_VERIFY"):
        return _get_with_sdk(path, timeout=timeout)
    with _connect(scheme, place, timeout) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        raw = bytearray()
        while piece := connection.recv(1 << 16):
            raw += piece
    head, found, body = bytes(raw).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = first.partition(" ")[2][:3]
    if not found or not status.isdigit():
        raise OSError(f"{address} does not speak HTTP")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return _Answer(int(status), headers, body)


def _connect(scheme: str, place: str, timeout: float) -> socket.socket:
    if scheme == "tcp":
        host, _, port = place.rstrip("/").rpartition(":")
        if not port.isdigit():
            raise OSError(f"DOCKER_HOST has no port: {place}")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection


def _get_with_sdk(path: str, *, timeout: float) -> _Answer:
    """The same for engines behind ssh or TLS, which the SDK knows how to reach."""
    import docker
    import docker.errors
    import requests

    try:
        api = docker.from_env(timeout=int(timeout)).api
        response = api.get(api.base_url + path)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise OSError(str(error)) from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    return _Answer(response.status_code, headers, response.content)


def _no_answer(error: OSError) -> Trouble:
    from shutil import which

    where = endpoint()
    if isinstance(error, PermissionError):
        return Trouble(
            f"you may not use the Docker engine at {where}",
            "`sudo usermod -aG docker $USER`, then log in again",
        )
    if isinstance(error, TimeoutError):
        return Trouble(
            f"the Docker engine at {where} gives no answer", "`sudo systemctl restart docker`"
        )
    if which("docker") is None:
        return Trouble("Docker is not installed", "install Docker, or use `--engine venv`")
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return Trouble(
            f"no Docker engine runs at {where}",
            "`sudo systemctl start docker`, or set DOCKER_HOST to where it runs",
        )
    return Trouble(
        f"the Docker engine at {where} cannot be reached: {error}", "is DOCKER_HOST right?"
    )


def _refusal(trouble: Trouble) -> MachineError:
    return MachineError("no-docker", trouble.reason, hint=trouble.fix)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
