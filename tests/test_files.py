"""A reader meets the old bytes or the new ones; a lock lives as long as its holder; refusals are told."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit import files
from reprokit.errors import LockedError, MachineError
from reprokit.inside import files as inside_files


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_text(path, "größer")
    files.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x"]


# The system calls of an atomic write, in their order; each is made to fail at each of its uses.
CALLS = ["open", "write", "fsync", "replace"]


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE]
)
@pytest.mark.parametrize("call", CALLS)
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "run.json"
    files.write_json(path, {"state": "old"})

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if call == "write":
            real = os.fdopen

            class Full:
                def __init__(self, handle: int) -> None:
                    self.stream = real(handle, "wb")

                def __enter__(self) -> "Full":
                    return self

                def __exit__(self, *_: object) -> None:
                    self.stream.close()

                write = refuse

            patch.setattr(inside_files.os, "fdopen", lambda handle, _: Full(handle))
        else:
            patch.setattr(inside_files.os, call, refuse)
        with pytest.raises(MachineError) as caught:
            files.write_json(path, {"state": "new"})
    assert caught.value.where == str(path)
    assert json.loads(path.read_text()) == {"state": "old"}
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_disk_that_is_full_is_told_with_the_fix(tmp_path: Path) -> None:
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
from pathlib import Path
from reprokit import files
from reprokit.errors import MachineError
try:
    files.write_bytes(Path({str(tmp_path / "x")!r}), b"x" * 100)
except MachineError as error:
    print(error.code)
"""
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, env=ours()
    )
    assert said.stdout.strip() in (b"write-failed", b"disk-full")
    assert os.listdir(tmp_path) == []


def ours() -> dict[str, str]:
    """The environment for a Python that is to import this checkout."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_json(path, {"n": 0, "fill": "y" * 100_000})
    script = f"""
from pathlib import Path
from reprokit import files
n = 0
while True:
    n += 1
    files.write_json(Path({str(path)!r}), {{"n": n, "fill": "y" * 100_000}})
"""
    with subprocess.Popen([sys.executable, "-c", script], env=ours()) as child:
        seen = 0
        while seen < 50:
            seen = max(seen, json.loads(path.read_text())["n"])
        child.kill()
    assert len(json.loads(path.read_text())["fill"]) == 100_000


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\udcff", "1" * 5000])
def test_what_is_no_json_object_is_a_value_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"JSON|Expecting|decode|nested|limit|delimiter"):
        files.read_json(path)


def test_a_number_that_json_cannot_say_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


def test_a_digest_says_which_one_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * (files.CHUNK + 1))
    assert files.sha256_file(tmp_path / "x") == files.sha256_bytes(b"x" * (files.CHUNK + 1))
    assert files.sha256_bytes(b"").startswith("sha256:e3b0c442")


def test_a_lock_keeps_others_out_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    assert not files.is_locked(path)
    with files.exclusive(path):
        assert files.is_locked(path)
        with pytest.raises(LockedError) as caught, files.exclusive(path, wait=False):
            pytest.fail("two hold it")
        assert caught.value.where == str(path)
        assert caught.value.exit_code == 7
    assert not files.is_locked(path)


def test_a_lock_whose_holder_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = f"""
import sys, time
from pathlib import Path
from reprokit import files
with files.exclusive(Path({str(path)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=ours()) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert files.is_locked(path)
        child.kill()
    assert not files.is_locked(path)


def test_an_error_inside_a_lock_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), files.exclusive(tmp_path / "lock"):
        raise BlockingIOError
    assert not files.is_locked(tmp_path / "lock")
