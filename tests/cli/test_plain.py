"""The quick reading of `reprokit run` and typer's: what the first takes, the second takes the same way."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.cli import app, job
from reprokit.cli.plain import FLAGS, VALUES, run_options

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(job.perform).parameters.items()
    if name != "config"
}


def by_typer(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any] | None:
    """What typer hands to the job; None where it refuses the words or does something else."""
    seen: list[dict[str, Any]] = []

    def perform(config: Path, **options: Any) -> int:
        seen.append({"config": config, **options})
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(job, "perform", perform)
        app.run(["run", *words])
    return complete(seen[0]) if seen else None


def complete(options: dict[str, Any]) -> dict[str, Any]:
    """Options with every default filled in."""
    filled = {**DEFAULTS, **options}
    return filled | {"override": list(filled["override"])}


@pytest.mark.parametrize(
    "words",
    [
        "config.yaml",
        "config.yaml --engine venv",
        "-q config.yaml -o params.lr=0.01 --override params.epochs=1 --seed 7",
        "config.yaml --detach --json --verbose --engine docker",
        "--workspace here config.yaml -v --quiet",
        "config.yaml --seed 1 --seed 2 --engine venv --engine docker",
        "a=b -o",
    ],
)
def test_the_usual_words_are_read_without_typer_and_as_typer_reads_them(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [*words.split(), *(["x = 1, 2"] if words.endswith("-o") else [])]
    options = run_options(argv)
    assert options is not None
    assert complete(options) == by_typer(argv, monkeypatch)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "config.yaml --help",
        "config.yaml --dry-run",
        "config.yaml --debug",
        "config.yaml other.yaml",
        "config.yaml --sed 7",
        "config.yaml --seed seven",
        "config.yaml --seed -7",
        "config.yaml --seed ٣",
        "config.yaml --seed=7",
        "config.yaml --engine",
        "config.yaml -o -q",
        "config.yaml -qv",
        "config.yaml --no-detach",
        "-- config.yaml",
        "-",
    ],
)
def test_words_that_leave_a_doubt_are_left_to_typer(words: str) -> None:
    assert run_options(words.split(" ") if words else []) is None


WORDS = st.sampled_from(
    [
        *FLAGS,
        *VALUES,
        *("--help", "--debug", "--dry-run", "--no-detach", "--seed=3", "-qv", "--", "-"),
        *("a.yaml", "b.yaml", "", "7", "-7", "+7", " 7", "7_0", "٣", "venv", "params.lr=1", "--x"),
    ]
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(argv=st.lists(WORDS, max_size=6))
def test_whatever_is_taken_typer_takes_the_same_way(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = run_options(argv)
    if options is not None:
        assert complete(options) == by_typer(argv, monkeypatch)


def test_every_option_of_the_job_is_one_that_typer_declares() -> None:
    from reprokit.cli import run

    declared = set(inspect.signature(run.run).parameters)
    assert {name for name, _ in VALUES.values()} | set(FLAGS.values()) <= declared
    assert set(DEFAULTS) == declared - {"config", "debug"}
