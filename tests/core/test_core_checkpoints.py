import errno
import os
import pickle
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from reprokit.core import Checkpoints, CoreError, Run


@pytest.fixture
def checkpoints(run: Run) -> Checkpoints:
    return Checkpoints.of(run)


def state(number: int) -> dict[str, Any]:
    return {"model": {"weight": torch.full((3, 4), float(number))}, "step": number}


def litter(checkpoints: Checkpoints) -> list[str]:
    return [path.name for path in checkpoints.folder.iterdir() if path.name.startswith(".")]


def test_what_is_saved_is_loaded_again(checkpoints: Checkpoints) -> None:
    saved = checkpoints.save("best", state(1))
    loaded = checkpoints.load("best")
    assert loaded["step"] == 1
    assert torch.equal(loaded["model"]["weight"], torch.ones(3, 4))
    assert saved.path == checkpoints.path("best")
    assert saved.size == saved.path.stat().st_size


def test_a_plain_torch_load_reads_it_with_weights_only(checkpoints: Checkpoints) -> None:
    path = checkpoints.save("best", state(1)).path
    assert torch.load(path, weights_only=True)["step"] == 1


def test_sha256sum_checks_it(checkpoints: Checkpoints) -> None:
    checkpoints.save("last", state(1))
    checkpoints.save("last", state(2))
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "last.pt.sha256"],
        cwd=checkpoints.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "last.pt: OK\n")


def test_the_same_values_are_the_same_bytes(tmp_path: Path) -> None:
    one = Checkpoints(tmp_path / "a").save("best", state(1))
    two = Checkpoints(tmp_path / "other folder").save("last", state(1))
    assert one.sha256 == two.sha256


def test_a_flipped_bit_is_refused(checkpoints: Checkpoints) -> None:
    path = checkpoints.save("best", state(1)).path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CoreError, match="checkpoint-damaged"):
        checkpoints.load("best")


def test_a_checkpoint_without_its_digest_is_refused(checkpoints: Checkpoints) -> None:
    checkpoints.save("best", state(1))
    (checkpoints.folder / "best.pt.sha256").unlink()
    with pytest.raises(CoreError, match="checkpoint-damaged"):
        checkpoints.load("best")


def test_a_checkpoint_that_was_never_saved_is_named(checkpoints: Checkpoints) -> None:
    with pytest.raises(CoreError, match="no-checkpoint") as caught:
        checkpoints.load("best")
    assert caught.value.where == str(checkpoints.path("best"))


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_cannot_execute_anything(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save("best", {"model": Harmful(tmp_path / "harm")})
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.load("best")
    assert not (tmp_path / "harm").exists()


def test_a_state_that_cannot_be_saved_leaves_the_old_one(checkpoints: Checkpoints) -> None:
    checkpoints.save("best", state(1))
    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoints.save("best", {"model": lambda: None})
    assert checkpoints.load("best")["step"] == 1
    assert litter(checkpoints) == []


class Breaking:
    """Lets the first calls of a function through and fails the next one."""

    def __init__(self, working: Callable[..., Any], calls: int) -> None:
        self.working = working
        self.left = calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.working(*args, **kwargs)


def save_fails(checkpoints: Checkpoints, name: str, calls: int) -> bool:
    """Save with one call of `os.NAME` failing; whether it came to that call."""
    breaking = Breaking(getattr(os, name), calls)
    with pytest.MonkeyPatch.context() as patch, suppress(OSError):
        patch.setattr(os, name, breaking)
        checkpoints.save("last", state(2))
    return breaking.left < 0


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_a_disk_that_fails_at_any_call_leaves_a_checkpoint_that_loads(
    checkpoints: Checkpoints, name: str
) -> None:
    calls = 0
    checkpoints.save("last", state(1))
    while save_fails(checkpoints, name, calls):
        assert checkpoints.load("last")["step"] in {1, 2}
        assert litter(checkpoints) == []
        checkpoints.save("last", state(1))
        calls += 1
    assert calls >= 2
    assert checkpoints.load("last")["step"] == 2
