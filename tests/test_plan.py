"""A plan is everything that decides a run: variables, threads, what is let through and what is refused."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from reprokit.config import parse_config
from reprokit.errors import ConfigError, MachineError
from reprokit.plan import Plan, in_source, make_plan, need_gpus, refuse_secrets, stack_name
from reprokit.redact import cut, cut_all


def plan(host: dict[str, str] | None = None, **config: Any) -> Plan:
    """The plan of a small config."""
    document = {"project": "p", "stack": "cpu", "run": "python train.py", **config}
    return make_plan(
        parse_config(json.dumps(document).encode(), path=Path("config.yaml")),
        run_id="20260101-000000-calm-fox",
        engine="venv",
        cwd=PurePosixPath("projects/p"),
        data={},
        environment="cpu-0",
        locks={},
        host=host or {},
    )


def test_parameters_are_filled_into_the_command_and_handed_on_as_json() -> None:
    made = plan(run="python train.py --lr {params.lr}", params={"lr": 1e-3, "name": "größer"})
    assert made.argv == ("python", "train.py", "--lr", "0.001")
    assert json.loads(made.variables["REPROKIT_PARAMS"]) == {"lr": 0.001, "name": "größer"}


@pytest.mark.parametrize(("cpus", "threads"), [(1, "1"), (2.9, "2"), (0.5, "1"), (16, "16")])
def test_the_number_of_threads_is_that_of_the_cores(cpus: float, threads: str) -> None:
    made = plan(resources={"cpus": cpus}).variables
    assert made["OMP_NUM_THREADS"] == made["MKL_NUM_THREADS"] == threads


def test_without_a_number_of_cores_the_libraries_choose_their_threads() -> None:
    assert "OMP_NUM_THREADS" not in plan().variables


@pytest.mark.parametrize("level", ["strict", "seeded"])
def test_a_seeded_run_is_seeded_from_outside(level: str) -> None:
    made = plan(determinism=level, seed=7).variables
    assert made["PYTHONHASHSEED"] == made["REPROKIT_SEED"] == "7"
    assert made["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_no_gpus_means_that_none_is_seen() -> None:
    assert plan().variables["CUDA_VISIBLE_DEVICES"] == ""
    assert "CUDA_VISIBLE_DEVICES" not in plan(resources={"gpus": 1}).variables


def test_a_variable_is_let_through_by_name_alone() -> None:
    made = plan({"TOKEN": "s3cr3t-value"}, env=["TOKEN"])
    assert made.passed == ("TOKEN",)
    assert "s3cr3t-value" not in json.dumps(made.document(), default=str)


def test_a_variable_that_is_not_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="TOKEN"):
        plan(env=["TOKEN"])


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "TMPDIR", "PYTHONPATH", "REPROKIT_SEED", "LD_PRELOAD"]
)
def test_a_variable_of_ours_cannot_be_let_through(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan({name: "x"}, env=[name])
    assert "ReproKit" in str(caught.value.document())


@pytest.mark.parametrize(
    "config",
    [
        {"run": ["python", "--key=s3cr3t-value"]},
        {"params": {"key": "s3cr3t-value"}},
        {"params": {"deep": [{"key": 'with "s3cr3t-value"'}]}},
    ],
)
def test_a_secret_in_what_is_recorded_is_refused_and_not_repeated(config: dict[str, Any]) -> None:
    host = {"TOKEN": "s3cr3t-value"}
    with pytest.raises(ConfigError) as caught:
        refuse_secrets(plan(host, env=["TOKEN"], **config), host)
    assert "s3cr3t-value" not in str(caught.value.document())


def test_a_word_that_happens_to_be_a_short_value_is_no_secret() -> None:
    host = {"FLAG": "train"}
    refuse_secrets(plan(host, env=["FLAG"]), host)


def test_the_plan_learns_where_the_workspace_lies_in_its_source() -> None:
    made = in_source(plan(), PurePosixPath("inner"), {"inner/data": Path("/data")})
    assert made.cwd == PurePosixPath("inner/projects/p")
    assert made.document()["places"] == {"inner/data": "/data"}


def test_an_inline_stack_has_no_lock_to_build_from() -> None:
    text = json.dumps(
        {"project": "p", "run": "x", "stack": {"python": "3.11.7", "image": "python:3.11-slim"}}
    )
    config = parse_config(text.encode(), path=Path("config.yaml"))
    with pytest.raises(ConfigError, match="lock"):
        stack_name(config)


@pytest.mark.parametrize(("wanted", "found"), [(1, 0), (2, 1)])
def test_fewer_gpus_than_asked_for_stop_a_run(wanted: int, found: int) -> None:
    with pytest.raises(MachineError) as caught:
        need_gpus(wanted, found, where="here", hint="fewer")
    assert caught.value.code == "no-gpu"
    need_gpus(found, found, where="here", hint="")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("https://ada:pw@example.org/x", "https://***@example.org/x"),
        ("--url=git+ssh://git@example.org/x", "--url=git+ssh://***@example.org/x"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ('{"a":"http://host","b":"me@example.org"}', '{"a":"http://host","b":"me@example.org"}'),
        ("a://u@h b://v:w@i", "a://***@h b://***@i"),
    ],
)
def test_credentials_are_cut_from_addresses(text: str, shown: str) -> None:
    assert cut(text) == shown


def test_credentials_are_cut_however_deep_they_lie() -> None:
    value = {"a": ["x://u:p@h", {"b": ("y://u@h", 1, None, True)}]}
    assert cut_all(value) == {"a": ["x://***@h", {"b": ["y://***@h", 1, None, True]}]}
