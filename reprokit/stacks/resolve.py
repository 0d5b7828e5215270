"""Requirements -> exact pins with hashes: uv by default, pip-tools for those who prefer it."""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from reprokit import files, process
from reprokit.errors import ConfigError, MachineError
from reprokit.stacks.model import PYTORCH_INDEX, UV_PLATFORMS
from reprokit.stacks.pipconfig import PackageSettings, read_settings, without_credentials
from reprokit.stacks.requirements import Pin, parse_pins
from reprokit.stacks.uvtool import explain, run_uv, torch_backend, uv_version
from reprokit.values import dataclass, replace


@dataclass(frozen=True)
class Question:
    """What is to be resolved, and for which machine.

    Attributes:
        requirements: lines of a requirements file.
        constraints: limits on whatever comes in.
        preferences: pins of the lock that is replaced; kept where they still fit, so that one
            more package does not move the others.
        python: e.g. `3.11` (as its first release) or `3.11.7`.
        platform: e.g. `linux/amd64`.
        exclude_newer: RFC 3339 time; files uploaded then or later are not looked at.
        settled: distributions that the constraints hold to one version; no time counts for them.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    preferences: tuple[str, ...]
    python: str
    platform: str
    exclude_newer: str | None = None
    settled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where packages come from: the user's settings, and PyTorch's index if those lack torch."""

    settings: PackageSettings
    torch_backend: str | None


def find_source(torch_version: str) -> Source:
    """Ask pip for the user's settings, and those for this build of torch (`torch_backend`).

    Raises:
        MachineError: pip's configuration is broken, or the user's index cannot be reached.
    """
    settings = read_settings()
    with tempfile.TemporaryDirectory(prefix="reprokit-lock-") as folder:
        return Source(settings, torch_backend(torch_version, settings, cwd=Path(folder)))


@dataclass(frozen=True)
class Resolution:
    """Pins with hashes, and the program (with its version) that chose them."""

    pins: tuple[Pin, ...]
    resolver: str


Resolver = Callable[[Question, Source], Resolution]


def resolve_with_uv(question: Question, source: Source) -> Resolution:
    """Resolve with `uv pip compile`, for the platform and the Python of the question.

    Raises:
        ConfigError: the requirements contradict one another.
        MachineError: an index is unreachable or lacks a package.
        IntegrityError: a package has no hash on its index.
    """
    with tempfile.TemporaryDirectory(prefix="reprokit-lock-") as folder:
        text = _uv_compile(question, source, Path(folder))
    return Resolution(parse_pins(text, where="uv's answer"), f"uv {uv_version()}")


def resolve_with_pip_tools(question: Question, source: Source) -> Resolution:
    """Resolve with pip-tools' `pip-compile`, for the Python and platform that we run on.

    pip-compile chooses the versions; uv reads the hashes of exactly those. With
    `--generate-hashes` it would download every wheel of each version, for all platforms, unless the
    index has PyPI's JSON interface: 5.2 GB were measured (see pip-tools issue 1470 on PyTorch's
    index). It sees the micro version of our Python, so its lock may need that one or a later one.

    Raises:
        ConfigError: the requirements contradict one another.
        MachineError: another Python or platform is asked for, or an index is unreachable.
        IntegrityError: a package has no hash on its index.
    """
    _same_machine(question)
    with tempfile.TemporaryDirectory(prefix="reprokit-lock-") as folder:
        chosen = _pip_compile(question, source, Path(folder))
        exact = replace(
            question,
            requirements=chosen,
            # `===` says which build is meant: uv would take another one for a plain `==` as well.
            constraints=tuple(limit for limit in question.constraints if "===" in limit),
            preferences=(),
            python="{}.{}.{}".format(*sys.version_info[:3]),
        )
        pins = parse_pins(_uv_compile(exact, source, Path(folder)), where="uv's answer")
    if extra := {str(pin) for pin in pins} - {line.replace("===", "==") for line in chosen}:
        raise MachineError(
            "resolvers-differ",
            f"pip-tools left out what uv needs: {', '.join(sorted(extra))}",
            hint="use `--resolver uv`",
        )
    return Resolution(pins, _pip_tools_version())


RESOLVERS: dict[str, Resolver] = {"uv": resolve_with_uv, "pip-tools": resolve_with_pip_tools}


def resolver(name: str) -> Resolver:
    """The resolver called `name`. Raises ConfigError for a name that none has."""
    if name not in RESOLVERS:
        raise ConfigError(
            "no-resolver",
            f"there is no resolver `{name}`",
            hint=f"resolvers: {', '.join(RESOLVERS)}",
        )
    return RESOLVERS[name]


def _uv_compile(question: Question, source: Source, folder: Path) -> str:
    arguments = ["pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
    arguments += ["--python-version", question.python]
    arguments += ["--python-platform", UV_PLATFORMS[question.platform]]
    # Any interpreter will do to ask questions about another; uv must not fetch one for it.
    arguments += ["--no-python-downloads"]
    if question.exclude_newer:
        arguments += ["--exclude-newer", question.exclude_newer, *_exempt(question, source)]
    arguments += _files(question, folder)
    done = run_uv(arguments, source.settings, cwd=folder, torch_backend=source.torch_backend)
    if done.code:
        raise explain(done.code, done.error_text, source.settings)
    return (folder / "out.txt").read_text("utf-8")


def _exempt(question: Question, source: Source) -> list[str]:
    """Leave what is exact anyway out of the cutoff.

    A stack may be of a later day than a project on it: without its packages uv would go back to some
    ancient version that needs none of them (measured: transformers 2.3.0 for 4.40.1). And PyTorch's
    index does not say when files came, which uv takes for too new; torch itself pins triton.
    """
    names = set(question.settled)
    if source.torch_backend is not None:
        names |= {"triton", "pytorch-triton"}
    return [word for name in sorted(names) for word in ("--exclude-newer-package", f"{name}=false")]


def _pip_compile(question: Question, source: Source, folder: Path) -> tuple[str, ...]:
    arguments = ["--quiet", "--no-config", "--no-header", "--no-annotate", "--strip-extras"]
    # Without --allow-unsafe setuptools is left out, and torch needs it.
    arguments += ["--allow-unsafe", "--no-emit-index-url", "--no-emit-trusted-host"]
    arguments += ["--no-emit-find-links", "--no-emit-options"]
    if question.exclude_newer:
        arguments += ["--pip-args", f"--uploaded-prior-to={question.exclude_newer}"]
    done = process.run(
        [sys.executable, "-P", "-m", "piptools", "compile", *arguments, *_files(question, folder)],
        cwd=folder,
        env=_pip_environment(source),
    )
    if done.code:
        raise _pip_error(done.error_text, source.settings)
    lines = (folder / "out.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith(("#", "-")))


def _files(question: Question, folder: Path) -> list[str]:
    """Write what is asked to files; the arguments, the same for both programs, that name them."""
    _lines(folder / "requirements.in", question.requirements)
    _lines(folder / "constraints.txt", question.constraints)
    _lines(folder / "out.txt", question.preferences)
    return ["--constraint", "constraints.txt", "--output-file", "out.txt", "requirements.in"]


def _lines(path: Path, lines: Sequence[str]) -> None:
    files.write_text(path, "".join(f"{line}\n" for line in lines))


def _pip_environment(source: Source) -> dict[str, str]:
    """The user's own, where pip finds its settings by itself, with PyTorch's index where needed."""
    environment = dict(os.environ)
    if source.torch_backend is not None:
        extra = (*source.settings.extra_index_urls, PYTORCH_INDEX + source.torch_backend)
        environment["PIP_EXTRA_INDEX_URL"] = " ".join(extra)
    return environment


def _same_machine(question: Question) -> None:
    machine = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(os.uname().machine)
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (ours, machine) != (question.python, question.platform):
        raise MachineError(
            "resolver-platform",
            f"pip-tools resolves for the Python it runs on ({ours}, {machine}); the stack is for "
            f"{question.python}, {question.platform}",
            hint="use `--resolver uv`, which resolves for any",
        )


def _pip_error(said: str, settings: PackageSettings) -> ConfigError | MachineError:
    lines = [line for line in without_credentials(said).splitlines() if line.strip()]
    cause = next(
        (line for line in reversed(lines) if "ERROR" in line or "Error" in line),
        "pip-compile failed",
    )
    if "no such option: --uploaded-prior-to" in said:
        return MachineError(
            "old-pip",
            "the pip beside ReproKit is too old to ask an index as of a day",
            hint="use `--resolver uv`, or `python -m pip install 'pip>=26.3,<27'`",
        )
    if "ResolutionImpossible" in said or "conflict" in said:
        return ConfigError("no-solution", f"the requirements contradict one another: {cause}")
    return MachineError(
        "index-unreachable",
        f"pip-compile: {cause}",
        where=f"index chosen by {settings.chooser(said)}",
        hint="`python -m pip config list` shows the package settings in force",
    )


def _pip_tools_version() -> str:
    from importlib.metadata import version

    return f"pip-tools {version('pip-tools')}"
