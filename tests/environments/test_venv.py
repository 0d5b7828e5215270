import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from reprokit.environments import venv
from reprokit.environments.identity import env_id
from reprokit.errors import IntegrityError, MachineError, ReproKitError
from reprokit.stacks.locks import LockedRequirements
from reprokit.stacks.requirements import Header, Lock, parse_pins
from tests.stacks.wheelhouse import index, locked_line, make_wheel

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
REPOSITORY = Path(__file__).parents[2]
# A process of its own, to be killed: it makes the environment of the lock on its stdin.
CHILD = """
import sys
from reprokit.environments import venv
from reprokit.stacks.locks import LockedRequirements
from reprokit.stacks.requirements import Header, Lock, parse_pins

header = Header("tiny", "{python}", "linux/amd64", "uv", "sha256:0")
venv.ensure(LockedRequirements(Lock(header, parse_pins(sys.stdin.read(), where="stdin"))))
print("made")
"""


def locked(text: str, *, python: str = HERE, platform: str = "linux/amd64") -> LockedRequirements:
    header = Header("tiny", python, platform, "uv", "sha256:0")
    return LockedRequirements(Lock(header, parse_pins(text, where="x.lock")))


@pytest.fixture
def both(wheelhouse: Path) -> str:
    """The lines of a lock with two packages, which the wheelhouse has."""
    one = make_wheel(wheelhouse, "one", "1.0", needs=("two-parts>=2",))
    return locked_line(one) + locked_line(make_wheel(wheelhouse, "two-parts", "2.5"))


def distributions(made: venv.VenvEnvironment) -> set[str]:
    return {path.name for path in made.root.glob("lib/python*/site-packages/*.dist-info")}


def refused(lock: LockedRequirements, *, exit_code: int) -> ReproKitError:
    """The error that `ensure` gives; nothing finished and nothing big is left behind."""
    with pytest.raises(ReproKitError) as caught:
        venv.ensure(lock)
    assert caught.value.exit_code == exit_code
    assert venv.ready(venv.venv_id(lock)) is None
    assert not list((Path(os.environ["REPROKIT_HOME"]) / "envs").glob("*"))
    return caught.value


def test_an_environment_holds_what_is_locked_and_nothing_else(both: str) -> None:
    lock = locked(both)
    assert venv.ready(venv.venv_id(lock)) is None
    made = venv.ensure(lock)
    assert distributions(made) == {"one-1.0.dist-info", "two_parts-2.5.dist-info"}
    said = subprocess.check_output(
        [made.python, "-I", "-c", "import one, two_parts, sys; print(sys.prefix)"]
    )
    assert Path(said.decode().strip()) == made.root
    assert made.python_version == ".".join(map(str, sys.version_info[:3]))


def test_a_finished_environment_is_used_again_without_uv_and_without_packages(
    both: str, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locked(both)
    made = venv.ensure(lock)
    for wheel in wheelhouse.glob("*.whl"):
        wheel.unlink()
    monkeypatch.setenv("UV_CACHE_DIR", str(wheelhouse / "empty"))
    assert venv.ready(made.env_id) == made
    assert venv.ensure(lock) == made


def test_no_connection_is_opened_when_uvs_cache_has_everything(
    both: str, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def note(request: BaseHTTPRequestHandler) -> bool:
        asked.append(request.path)
        return False

    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with index(wheelhouse, first=note) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
        venv.ensure(locked(both))
        assert asked
        asked.clear()
        monkeypatch.setenv("REPROKIT_HOME", str(wheelhouse / "another-home"))
        venv.ensure(locked(both))
        assert not asked


def test_a_file_with_another_hash_is_refused_and_named(both: str, wheelhouse: Path) -> None:
    make_wheel(wheelhouse, "two-parts", "2.5", needs=("something-else",))
    error = refused(locked(both), exit_code=5)
    assert error.code == "hash-mismatch"
    assert "two-parts==2.5" in error.message


def test_a_truncated_wheel_is_refused_and_named(both: str, wheelhouse: Path) -> None:
    wheel = wheelhouse / "two_parts-2.5-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-60])
    error = refused(locked(both), exit_code=5)
    assert "two-parts==2.5" in error.message


def test_a_package_that_is_needed_and_not_in_the_lock_is_named(both: str) -> None:
    error = refused(locked(both.splitlines()[0]), exit_code=5)
    assert error.code == "incomplete-lock"
    assert "two-parts" in error.message


def test_a_package_that_no_index_has_is_named(both: str, wheelhouse: Path) -> None:
    (wheelhouse / "one-1.0-py3-none-any.whl").unlink()
    error = refused(locked(both), exit_code=4)
    assert error.code == "not-on-index"
    assert "one" in error.message


def test_an_index_that_is_down_is_told_and_leaves_nothing(
    both: str, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with index(wheelhouse) as host:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://planted:word@{host}/simple")
    error = refused(locked(both), exit_code=4)
    assert error.code == "index-unreachable"
    assert "PIP_INDEX_URL" in str(error.where)
    assert "planted" not in str(error.document())


def test_what_an_unfinished_attempt_left_is_removed_and_never_used(
    both: str, tmp_path: Path
) -> None:
    lock = locked(both)
    left = tmp_path / "home" / "envs" / venv.venv_id(lock) / "3" / "bin"
    left.mkdir(parents=True)
    (left / "python").symlink_to(sys.executable)
    assert venv.ready(venv.venv_id(lock)) is None
    made = venv.ensure(lock)
    assert made.root.name == "4"
    assert not left.exists()


def test_an_environment_whose_python_is_gone_is_made_again_with_a_notice(both: str) -> None:
    made = venv.ensure(locked(both))
    made.python.unlink()
    made.python.symlink_to(made.root / "uninstalled")
    assert venv.ready(made.env_id) is None
    said: list[str] = []
    again = venv.ensure(locked(both), on_line=said.append)
    assert again.root != made.root
    assert any("is gone" in line for line in said)
    assert not made.root.exists()


def test_an_environment_that_lost_a_distribution_is_made_again_with_a_notice(both: str) -> None:
    made = venv.ensure(locked(both))
    (gone, *_) = made.root.glob("lib/python3*/site-packages/*.dist-info")
    shutil.rmtree(gone)
    said: list[str] = []
    again = venv.ensure(locked(both), on_line=said.append)
    assert any("was changed" in line for line in said)
    assert [path.name for path in again.root.glob(f"lib/python3*/site-packages/{gone.name}")]


@contextmanager
def stuck_download(
    wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """An index whose first download hangs: (set when it began, set it to let it go on)."""
    began, go_on = threading.Event(), threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> bool:
        if request.path.startswith("/files/") and not began.is_set():
            began.set()
            go_on.wait()
        return False

    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    try:
        with index(wheelhouse, first=hang) as host:
            monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
            yield began, go_on
    finally:
        go_on.set()


def start(lock_text: str) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(python=HERE)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.write(lock_text.encode())
    child.stdin.close()
    child.stdin = None
    return child


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_uv_killed_half_way_leaves_nothing_and_the_next_attempt_works(
    both: str, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stuck_download(wheelhouse, monkeypatch) as (began, go_on):
        child = start(both)
        assert began.wait(60)
        (uv,) = children(child.pid)
        os.kill(uv, signal.SIGKILL)
        _, said = child.communicate()
        assert child.returncode == 1
        assert b"uv was ended by signal 9" in said
        go_on.set()
        assert venv.ready(venv.venv_id(locked(both))) is None
        assert len(distributions(venv.ensure(locked(both)))) == 2


def test_reprokit_killed_half_way_is_never_taken_for_finished_even_while_its_uv_lives_on(
    both: str, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stuck_download(wheelhouse, monkeypatch) as (began, go_on):
        child = start(both)
        assert began.wait(60)
        (uv,) = children(child.pid)
        child.kill()
        child.communicate()
        name = venv.venv_id(locked(both))
        assert Path(f"/proc/{uv}").exists()
        assert venv.ready(name) is None
        go_on.set()
        made = venv.ensure(locked(both))
        assert made.root.name == "2"
        assert distributions(made) == {"one-1.0.dist-info", "two_parts-2.5.dist-info"}


def test_two_that_want_the_same_environment_at_once_make_it_once(both: str, tmp_path: Path) -> None:
    pair = [start(both), start(both)]
    answers = [child.communicate() for child in pair]
    assert [child.returncode for child in pair] == [0, 0], answers
    folder = tmp_path / "home" / "envs" / venv.venv_id(locked(both))
    assert sorted(path.name for path in folder.iterdir()) == ["1", "environment.json"]


def test_an_interrupt_leaves_no_half_made_environment(both: str, tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        venv.ensure(locked(both), on_line=interrupt)
    assert not list((tmp_path / "home" / "envs").glob("*"))


@pytest.mark.parametrize("inside", ["file/home", "proc"])
def test_a_store_that_cannot_be_written_is_told(
    both: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    (tmp_path / "file").touch()
    home = Path("/proc/reprokit") if inside == "proc" else tmp_path / inside
    monkeypatch.setenv("REPROKIT_HOME", str(home))
    with pytest.raises(MachineError) as caught:
        venv.ensure(locked(both))
    assert caught.value.code == "store-not-writable"
    assert "REPROKIT_HOME" in str(caught.value.hint)


def test_a_lock_for_another_machine_is_refused(both: str) -> None:
    error = refused(locked(both, platform="linux/s390x"), exit_code=4)
    assert error.code == "wrong-platform"


def test_a_python_that_nobody_has_is_told(both: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    error = refused(locked(both, python="3.77"), exit_code=4)
    assert error.code == "no-python"
    assert "3.77" in error.message


def test_more_in_an_environment_than_its_lock_says_is_told(both: str) -> None:
    from reprokit.environments.install import verify

    made = venv.ensure(locked(both))
    pins = locked(both.splitlines()[0]).pins
    with pytest.raises(IntegrityError, match="`two-parts`"):
        verify(made.root, pins)


def test_the_name_of_an_environment_is_that_of_its_content() -> None:
    lock = locked("one==1 --hash=sha256:" + "1" * 64, python="3.11")
    assert env_id("venv", lock) == "tiny-02584a4505f527c9"  # the same on every machine, for ever
    others = {
        env_id("docker", lock),
        env_id("venv", lock, {"base": "sha256:1"}),
        env_id("venv", locked("one==1 --hash=sha256:" + "2" * 64, python="3.11")),
        env_id("venv", locked("one==1 --hash=sha256:" + "1" * 64, python="3.12")),
        env_id("venv", LockedRequirements(lock.stack, lock.stack)),
    }
    assert len(others | {env_id("venv", lock)}) == 6
