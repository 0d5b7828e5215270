"""Running other programs: the only user of `subprocess` outside `reprokit.inside`.

`run` resolves a program, runs it to its end and hands back what it printed; nothing goes through a shell.
"""

import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reprokit.errors import MachineError
from reprokit.values import dataclass


@dataclass(frozen=True)
class Completed:
    """A program that ended: its argv, exit code (negative: killed by that signal) and output bytes."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are kept as surrogates (file names)."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def error_text(self) -> str:
        """Standard error as text for people."""
        return self.stderr.decode("utf-8", "replace").strip()


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run `argv` to its end and capture what it prints. A non-zero exit is an answer, not an exception.

    Raises:
        MachineError: the program is not installed, cannot be executed, or outlived `timeout` seconds.
    """
    words = tuple(os.fspath(word) for word in argv)
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise missing(words[0], error) from error
    except PermissionError as error:
        raise MachineError(
            "cannot-execute", f"cannot execute {words[0]}", where=str(error)
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            "timeout", f"`{words[0]}` gave no answer within {timeout:g} seconds"
        ) from error
    return Completed(words, done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Running:
    """A program that was begun, and whose answer is fetched later; it should print little."""

    argv: tuple[str, ...]
    child: "subprocess.Popen[bytes]"

    def result(self) -> Completed:
        """What it said, once it has ended; to be asked for once."""
        stdout, stderr = self.child.communicate()
        return Completed(self.argv, self.child.returncode, stdout, stderr)

    def close(self) -> None:
        """Let it end, if nobody asked for its result."""
        if self.child.returncode is None:
            self.child.communicate()


def _start(
    words: tuple[str, ...], *, cwd: Path | None, env: Mapping[str, str] | None, stderr: int
) -> "subprocess.Popen[bytes]":
    """Start a program that asks nothing and whose output we read."""
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    except FileNotFoundError as error:
        raise missing(words[0], error) from error
    except PermissionError as error:
        raise MachineError(
            "cannot-execute", f"cannot execute {words[0]}", where=str(error)
        ) from error


def begin(
    argv: Sequence[str | os.PathLike[str]], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Running:
    """Start `argv` and go on with something else; a program that asks nothing and prints little.

    Raises:
        MachineError: the program is not installed, or cannot be executed.
    """
    words = tuple(os.fspath(word) for word in argv)
    child = _start(words, cwd=cwd, env=env, stderr=subprocess.PIPE)
    return Running(words, child)


def stream(
    argv: Sequence[str | os.PathLike[str]],
    *,
    on_line: Callable[[bytes], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run `argv`, hand each line that it prints (both streams, as one) to `on_line`; return its exit code.

    The program gets SIGTERM when the caller is interrupted, and is waited for.
    """
    words = tuple(os.fspath(word) for word in argv)
    child = _start(words, cwd=cwd, env=env, stderr=subprocess.STDOUT)
    assert child.stdout is not None  # noqa: S101 - Popen was asked for a pipe
    try:
        with child.stdout:
            for line in child.stdout:
                on_line(line)
        return child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise


def attach(argv: Sequence[str], *, env: Mapping[str, str], stdout: int | None = None) -> int:
    """Give `argv` our own terminal until it ends; return its exit code.

    Ctrl-C reaches it as it reaches us, and is its business; SIGTERM is handed on.

    Args:
        argv: the program and its words.
        env: its environment.
        stdout: a descriptor for its standard output, if not our own.

    Raises:
        MachineError: the program is not installed.
    """
    try:
        child = subprocess.Popen(tuple(argv), env=dict(env), stdout=stdout)
    except FileNotFoundError as error:
        raise missing(argv[0], error) from error
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Child:
    """A program that we started and do not own: it lives in a session of its own."""

    pid: int

    def wait_for(self, seconds: float) -> bool:
        """Whether it ended within `seconds`."""
        descriptor = os.pidfd_open(self.pid)
        try:
            if not select.select([descriptor], [], [], seconds)[0]:
                return False
        finally:
            os.close(descriptor)
        os.waitpid(self.pid, 0)
        return True


def spawn_session(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int,
    keep: Sequence[int] = (),
) -> Child:
    """Start `argv` in a session of its own, so that no terminal and no death of ours reaches it.

    `output` is the descriptor that takes both of its streams; `keep` are further ones that it inherits.

    Raises:
        FileNotFoundError: the program is not there.
    """
    child = subprocess.Popen(
        tuple(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        pass_fds=tuple(keep),
    )
    # It is meant to outlive us: Popen must neither wait for it nor warn that it still runs.
    child.returncode = 0
    return Child(child.pid)


def wait(child: Child) -> None:
    """Wait until a child of ours has ended."""
    os.waitpid(child.pid, 0)


def send(pid: int, number: signal.Signals, *, group: bool = False) -> bool:
    """Send a signal to a process or its group; false when it is gone."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    return True


def missing(program: str, error: FileNotFoundError) -> MachineError:
    """The error for a program, or the folder it was to run in, that is not there."""
    if error.filename is not None and os.fspath(error.filename) != program:
        return MachineError(
            "no-folder", "the working folder is not there", where=str(error.filename)
        )
    return MachineError(
        "no-program", f"`{program}` is not installed", hint=f"install {program} and put it on PATH"
    )
