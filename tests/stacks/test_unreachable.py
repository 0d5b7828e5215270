"""A wheel index that cannot be reached: told soon, with the setting that chose it, and nothing half-written."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reprokit.errors import MachineError
from reprokit.stacks import locks


@pytest.fixture
def hole() -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full, as a dropped packet looks."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def unreachable(root: Path) -> MachineError:
    with pytest.raises(MachineError) as caught:
        locks.lock_stack(root, "tiny")
    assert not (root / "envs" / "tiny" / "requirements.lock").exists()
    assert (caught.value.code, caught.value.exit_code) == ("index-unreachable", 4)
    return caught.value


@pytest.fixture(autouse=True)
def _only_the_index(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "UV_HTTP_RETRIES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.timeout(60)
def test_a_name_that_nobody_knows(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
    error = unreachable(workspace)
    assert "PIP_INDEX_URL" in str(error.where)


@pytest.mark.timeout(60)  # it would wait for minutes, did we let it
@pytest.mark.slow
def test_a_host_that_never_answers(
    workspace: Path, hole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{hole}/simple")
    error = unreachable(workspace)
    assert "PIP_INDEX_URL" in str(error.where)
