import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.errors import ConfigError, IntegrityError, NotFoundError
from reprokit.stacks.requirements import Header, Lock, Pin, parse_pins, read, render

ONE, TWO = "1" * 64, "2" * 64
HEADER = Header("cpu", "3.11", "linux/amd64", "uv 0.13.8", "sha256:" + "a" * 64)


def lock(*pins: Pin) -> Lock:
    return Lock(HEADER, pins)


def test_a_lock_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    written = lock(
        Pin("a", "1.0", (ONE, TWO)), Pin("b", "2+cpu", (ONE,), 'sys_platform == "linux"')
    )
    (tmp_path / "x.lock").write_text(render(written))
    assert read(tmp_path / "x.lock") == written
    assert read(tmp_path / "x.lock").digest == written.digest


def test_the_same_pins_give_the_same_bytes_whatever_their_order_and_spelling() -> None:
    h1, h2 = f"--hash=sha256:{ONE}", f"--hash=sha256:{TWO}"
    one = parse_pins(f"Zope.Interface==1 {h2} {h1}\na==1 \\\n  {h1}\n", where="x")
    other = parse_pins(f"a==1 {h1}\r\nzope-interface==1 {h1} \\\r\n    {h2}\r\n", where="x")
    assert render(lock(*one)) == render(lock(*other))
    assert [pin.name for pin in one] == ["a", "zope-interface"]


def test_the_digest_is_that_of_the_pins_alone() -> None:
    pin = Pin("a", "1", (ONE,))
    later = Lock(Header("cpu", "3.11", "linux/amd64", "pip-tools 9", "sha256:other"), (pin,))
    assert later.digest == lock(pin).digest
    assert lock(Pin("a", "1", (TWO,))).digest != lock(pin).digest


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("numpy==1.0", "`numpy` has no hash"),
        (f"numpy>=1.0 --hash=sha256:{ONE}", "`numpy` is no exact pin"),
        (f"numpy==1.* --hash=sha256:{ONE}", "`numpy` is no exact pin"),
        (f"numpy --hash=sha256:{ONE}", "`numpy` is no exact pin"),
        (f"numpy @ https://x.example/numpy.whl --hash=sha256:{ONE}", "`numpy` is no exact pin"),
        ("-e .", "no exact pin"),
        ("--index-url https://x.example/simple", "no exact pin"),
        (f"numpy==1.0 --hash=md5:{ONE[:32]}", "no sha256 hash"),
        (f"numpy==1.0 --hash=sha256:{ONE[:-1]}", "no sha256 hash"),
        (f"numpy==1.0 --hash=sha256:{ONE} --global-option=x", "no sha256 hash"),
    ],
)
def test_an_entry_that_is_no_hashed_exact_pin_is_refused_and_named(line: str, rule: str) -> None:
    with pytest.raises(IntegrityError, match=rule) as caught:
        parse_pins(f"# comment\na==1 --hash=sha256:{ONE}\n{line}\n", where="x.lock")
    assert caught.value.where == "x.lock:3"
    assert caught.value.exit_code == 5


def test_a_package_that_is_locked_twice_is_refused() -> None:
    with pytest.raises(IntegrityError, match="`numpy` is locked twice"):
        parse_pins(f"numpy==1 --hash=sha256:{ONE}\nNumPy==2 --hash=sha256:{TWO}\n", where="x")


def test_every_bad_entry_is_listed() -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_pins("a==1\nb\n", where="x")
    assert [problem.where for problem in caught.value.problems] == ["x:1", "x:2"]


def test_a_lock_of_a_later_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_text(render(lock()).replace("reprokit-lock/1", "reprokit-lock/2"))
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "x.lock")
    assert caught.value.code == "lock-format"


@pytest.mark.parametrize("text", ["", "a==1\n", "# reprokit-lock/1\n# stack: cpu\n"])
def test_a_file_without_our_first_lines_is_no_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.lock").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "x.lock")
    assert caught.value.code == "not-a-lock"


def test_bytes_that_are_no_text_are_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(IntegrityError):
        read(tmp_path / "x.lock")


def test_a_lock_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read(tmp_path / "x.lock")


def test_reading_locks_imports_nothing_heavy() -> None:
    heavy = {"yaml", "packaging", "subprocess", "uv", "pip", "importlib.metadata", "shutil"}
    modules = "reprokit.stacks.locks, reprokit.environments.venv"
    code = f"import sys, {modules}; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


def test_pins_that_were_changed_by_hand_are_refused(tmp_path: Path) -> None:
    pins = (Pin("a", "1.0", ("0" * 64,)), Pin("b", "2.0", ("1" * 64,)))
    path = tmp_path / "requirements.lock"
    text = render(Lock(Header("cpu", "3.11", "linux/amd64", "uv 0", "sha256:0"), pins))
    path.write_text(text)
    assert read(path).pins == pins
    path.write_text(text.replace("b==2.0", "b==2.1"))
    with pytest.raises(IntegrityError) as error:
        read(path)
    assert error.value.code == "edited-lock"
