"""Other programs: their exact words, output and exit codes; what is missing is told with the fix."""

import os
import signal
import sys
from pathlib import Path

import pytest

from reprokit import process
from reprokit.errors import MachineError


def test_words_go_to_the_program_and_not_to_a_shell() -> None:
    nasty = ["$HOME", "a b", "*", "'", '"', ";", "", "\n", "ü", os.fsdecode(b"\xff")]
    script = "import os, sys; print([os.fsencode(word) for word in sys.argv[1:]])"
    done = process.run([sys.executable, "-c", script, *nasty])
    assert done.text.strip() == str([os.fsencode(word) for word in nasty])


def test_an_exit_code_is_an_answer() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.error_text) == (3, b"out\n", "err")
    assert process.run(["sh", "-c", "kill -9 $$"]).code == -signal.SIGKILL


def test_output_that_is_no_text_is_kept() -> None:
    done = process.run(["printf", r"\377"])
    assert done.stdout == b"\xff"
    assert os.fsencode(done.text) == b"\xff"


def test_standard_input_is_what_was_given_or_nothing() -> None:
    assert process.run(["cat"], stdin=b"given").stdout == b"given"
    assert process.run(["cat"]).stdout == b""


@pytest.mark.parametrize("call", [process.run, lambda argv: process.stream(argv, on_line=print)])
def test_a_program_that_is_not_installed_is_e4_with_the_fix(call: object) -> None:
    assert callable(call)
    with pytest.raises(MachineError) as caught:
        call(["no-such-program-anywhere"])
    assert caught.value.code == "no-program"
    assert "no-such-program-anywhere" in str(caught.value.hint)


def test_a_working_folder_that_is_not_there_is_not_mistaken_for_the_program(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        process.run(["true"], cwd=tmp_path / "none")
    assert caught.value.code == "no-folder"


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(MachineError) as caught:
        process.run([tmp_path / "x"])
    assert caught.value.code == "cannot-execute"


def test_a_program_that_outlives_its_time_is_ended_and_told() -> None:
    with pytest.raises(MachineError) as caught:
        process.run(["sleep", "60"], timeout=0.05)
    assert caught.value.code == "timeout"


def test_lines_are_handed_on_as_they_come() -> None:
    lines: list[bytes] = []
    code = process.stream(
        ["sh", "-c", "echo one; echo two >&2; printf three; exit 4"], on_line=lines.append
    )
    assert code == 4
    assert sorted(lines) == [b"one\n", b"three", b"two\n"]


def test_a_stream_that_is_broken_off_leaves_no_program_behind() -> None:
    pids: list[int] = []

    def stop(line: bytes) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.stream(["sh", "-c", "echo $$; exec sleep 60"], on_line=stop)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_a_session_of_its_own_is_waited_for_and_signalled(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        child = process.spawn_session(
            ["sh", "-c", "ps -o sid= -p $$; exec sleep 60"],
            env={"PATH": os.environ["PATH"]},
            cwd=tmp_path,
            output=out.fileno(),
        )
    assert not child.wait_for(0.05)
    assert os.getsid(child.pid) == child.pid
    assert process.send(child.pid, signal.SIGKILL, group=True)
    assert child.wait_for(10)
    assert not process.send(child.pid, signal.SIGTERM)
