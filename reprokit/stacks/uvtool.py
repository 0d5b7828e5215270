"""Running uv with the user's package settings, and its words -> errors that a person can act on."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from reprokit import files, process
from reprokit.errors import ConfigError, IntegrityError, MachineError, ReproKitError
from reprokit.stacks.pipconfig import PackageSettings, without_credentials


def uv_program() -> str:
    """The path of the uv that came with ReproKit.

    Raises:
        MachineError: it is not installed.
    """
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise MachineError(
            "no-uv",
            "uv, which makes locks and environments, is not installed beside ReproKit",
            hint="install ReproKit again: `python -m pip install --force-reinstall uv`",
        ) from error


def uv_version() -> str:
    """The version of uv, e.g. `0.13.8`."""
    return process.run([uv_program(), "--version"]).text.split()[1]


def run_uv(
    arguments: Sequence[str],
    settings: PackageSettings,
    *,
    cwd: Path,
    torch_backend: str | None = None,
) -> process.Completed:
    """Run uv to its end; whether it went well is for the caller to see."""
    return process.run(
        _argv(arguments, settings),
        cwd=cwd,
        env=_environment(arguments, settings, torch_backend),
    )


def follow_uv(
    arguments: Sequence[str],
    settings: PackageSettings,
    *,
    cwd: Path,
    on_line: Callable[[str], None],
    torch_backend: str | None = None,
) -> tuple[int, str]:
    """Run uv, hand on each line as it comes; return its exit code and all that it said."""
    said: list[str] = []

    def take(line: bytes) -> None:
        text = without_credentials(line.decode("utf-8", "replace").rstrip())
        said.append(text)
        on_line(text)

    code = process.stream(
        _argv(arguments, settings),
        cwd=cwd,
        env=_environment(arguments, settings, torch_backend),
        on_line=take,
    )
    return code, "\n".join(said)


def _argv(arguments: Sequence[str], settings: PackageSettings) -> list[str]:
    reads_indexes = tuple(arguments[:2]) in (("pip", "compile"), ("pip", "install"))
    return [uv_program(), *arguments, *(settings.uv_options() if reads_indexes else ())]


# A question is asked twice at most, so that an index that cannot be reached is told in under 10 s; with
# uv's own three retries and 10 s a connection it took 47 s. Downloads keep uv's patience.
_QUESTION = {"UV_HTTP_CONNECT_TIMEOUT": "3", "UV_HTTP_RETRIES": "1"}


def _environment(
    arguments: Sequence[str], settings: PackageSettings, torch_backend: str | None
) -> dict[str, str]:
    environment = settings.uv_environment()
    if tuple(arguments[:2]) == ("pip", "compile"):
        environment = _QUESTION | environment
    if torch_backend is not None:
        environment["UV_TORCH_BACKEND"] = torch_backend
    return environment


def torch_backend(torch_version: str | None, settings: PackageSettings, *, cwd: Path) -> str | None:
    """Whether PyTorch's own index is needed for this build of torch, as uv's name of that index.

    The rule: the user's own settings come first. Where they have the exact build (a find-links
    folder, a mirror), or forbid every index, PyTorch's index is never asked. Otherwise it serves
    torch and its family and nothing else: its copies of other packages are old and may lack hashes.

    Args:
        torch_version: with the variant, e.g. `2.13.0+cpu`; without one, no such index is needed.
        settings: the user's settings.
        cwd: a folder for a temporary file.

    Returns:
        `cpu`, `cu126` ... or None.

    Raises:
        MachineError: the user's index cannot be reached.
    """
    _, plus, variant = (torch_version or "").partition("+")
    if not plus or settings.no_index:
        return None
    question = cwd / "torch.in"
    files.write_text(question, f"torch=={torch_version}\n")
    done = run_uv(["pip", "compile", "--quiet", "--no-deps", question.name], settings, cwd=cwd)
    if done.code and "No solution found" not in done.error_text:
        raise explain(done.code, done.error_text, settings)
    return variant if done.code else None


_HASH_MISMATCH = re.compile(r"Hash mismatch for `([^`]+)`")
_BROKEN = re.compile(
    r"Failed to (?:extract|read) (?:archive|zip|metadata)[^\n]*|The wheel [^\n]* is invalid[^\n]*"
)
_BLAME = re.compile(r"Failed to (?:download|fetch|install|prepare|build)[: ]+`?([^\s`]+)`?")
_NETWORK = re.compile(
    r"error sending request|client error|Failed to fetch|Request failed|HTTP status|dns error"
    r"|timed out|UnknownIssuer|Network connectivity is disabled"
)
_ABSENT = re.compile(
    r"Because (\S+) was not found in the (?:package registry|cache|provided package locations)"
)
_GONE = re.compile(r"Because there is no version of (\S+?)[, ]")


def explain(code: int, said: str, settings: PackageSettings) -> ReproKitError:
    """The error that uv's words stand for.

    Args:
        code: its exit code; negative where a signal ended it.
        said: what it printed to standard error.
        settings: the settings that it ran with: the one that chose a failing index is named.
    """
    if code < 0:
        return MachineError("uv-killed", f"uv was ended by signal {-code}", hint="run it again")
    said = without_credentials(said)
    blamed = _BLAME.search(said)
    what = f"`{blamed[1]}`" if blamed else "a package"
    if mismatch := _HASH_MISMATCH.search(said):
        return IntegrityError(
            "hash-mismatch",
            f"`{mismatch[1]}`: the file that was found has none of the hashes in the lock",
            hint="the file or the lock was changed: see `git diff`; `reprokit lock` writes it",
        )
    for sign, make in _SIGNS:
        if sign in said:
            return make(said)
    if broken := _BROKEN.search(said):
        return IntegrityError(
            "broken-package",
            f"{what} is truncated or no package: {_last_cause(said)}",
            where=broken.group(),
        )
    if _NETWORK.search(said):
        return MachineError(
            "index-unreachable",
            f"cannot get {what}: {_last_cause(said)}",
            where=f"index chosen by {settings.chooser(said)}",
            hint="`python -m pip config list` shows the package settings in force",
        )
    return _unsolvable(said, settings)


def _unsolvable(said: str, settings: PackageSettings) -> ReproKitError:
    missing = _ABSENT.search(said) or _GONE.search(said)
    if missing:
        return MachineError(
            "not-on-index",
            f"`{missing[1]}` is not on the index",
            where=f"index chosen by {settings.chooser('')}",
            hint="is its name right? `python -m pip config list` shows where it was looked for",
        )
    if "No solution found" in said:
        return ConfigError(
            "no-solution", f"the requirements contradict one another: {_last_cause(said)}"
        )
    return MachineError("uv-failed", f"uv: {_last_cause(said)}")


def _full(_: str) -> ReproKitError:
    return MachineError(
        "disk-full",
        "no space is left for packages",
        hint="free some space (`uv cache prune`), or set REPROKIT_HOME and UV_CACHE_DIR elsewhere",
    )


def _forbidden(said: str) -> ReproKitError:
    return MachineError(
        "no-permission",
        f"cannot write: {_last_cause(said)}",
        hint="set REPROKIT_HOME and UV_CACHE_DIR to folders of yours",
    )


_SIGNS: tuple[tuple[str, Callable[[str], ReproKitError]], ...] = (
    ("(os error 28)", _full),
    ("(os error 122)", _full),
    ("(os error 30)", _forbidden),
    ("(os error 13)", _forbidden),
)


def _last_cause(said: str) -> str:
    """The innermost cause that uv names, on one line."""
    causes = re.findall(
        r"^\s*(?:error|cause): *(.+(?:\n(?!\s*(?:error|cause|hint):)[ \t]+\S.*)*)",
        said,
        re.MULTILINE,
    )
    return " ".join((causes[-1] if causes else said).split()) or "it gave no reason"
