"""`reprokit check` and `reprokit facts`, as people and programs use them."""

import os
import shutil

import pytest

from reprokit.layout import RunPaths
from reprokit.runs.model import SCHEMA, EngineRecord, EnvironmentRecord, Exit, RunRecord
from reprokit.runs.store import write_record
from tests.conftest import REPOSITORY, Place
from tests.machine.conftest import standin

__all__ = ["standin"]

RECORD = RunRecord(
    schema=SCHEMA,
    id="20260101-000000-quiet-otter",
    project="one",
    state="completed",
    created="2026-01-01T00:00:00.000Z",
    argv=["python", "train.py"],
    engine=EngineRecord("venv", "asked for"),
    environment=EnvironmentRecord("cpu-0", "venv", "/nowhere"),
    reprokit="0.1.0",
    host="somewhere",
    exit=Exit(0, None, "completed", "exit code 0"),
)


@pytest.fixture
def lab(place: Place) -> Place:
    """A workspace with some of the shipped stacks."""
    for name in ("torch2.5-cu124", "torch2.8-cu128", "torch2.12-cu130"):
        shutil.copytree(REPOSITORY / "envs" / name, place.root / "envs" / name)
    return place


def test_a_machine_that_can_is_told_yes_with_rows_and_sources(lab: Place) -> None:
    answer = lab("check", "torch2.5-cu124", "--gpu", "H100", "--driver", "550.54", "--json")
    assert answer.code == 0, answer.stderr
    document = answer.json
    assert (document["schema"], document["verdict"]) == ("reprokit/check/1", "yes")
    assert document["subject"] == {"kind": "stack", "name": "torch2.5-cu124", "gpus": 1}
    driver = next(one for one in document["findings"] if one["check"] == "driver")
    assert driver["row"] == "minor_versions 12: driver 525.60.13"
    assert any("nvidia.com" in text for text in driver["source"].values())
    assert document["stack"]["versions"]["torchvision"] == "0.20.1"
    assert document["nearest"] == []


def test_a_machine_that_cannot_is_told_no_with_the_nearest_stacks(lab: Place) -> None:
    answer = lab("check", "torch2.5-cu124", "--gpu", "RTX 5090", "--driver", "580.65.06")
    assert answer.code == 4
    assert answer.stdout.startswith("no: stack torch2.5-cu124 on the machine described")
    assert "row: builds 2.5.1 cu124: sass" in answer.stdout
    assert "1. torch 2.7.0 cu128" in answer.stdout
    assert "changes: torch 2.5.1 -> 2.7.0; CUDA 12.4 -> 12.8" in answer.stdout
    assert "trust: " in answer.stdout


def test_a_stack_of_the_workspace_that_can_is_named(lab: Place) -> None:
    stack = lab.root / "envs" / "torch2.12-cu126" / "stack.yaml"
    stack.parent.mkdir()
    text = (lab.root / "envs" / "torch2.12-cu130" / "stack.yaml").read_text()
    stack.write_text(text.replace("cu130", "cu126"))
    answer = lab("check", "torch2.12-cu130", "--gpu", "V100", "--driver", "550.54", "--json")
    assert answer.code == 4
    assert answer.json["nearest"][0]["stack"] == "torch2.12-cu126"
    assert "next:" not in answer.stdout


def test_this_machine_is_looked_at_through_nvml(lab: Place, standin: dict[str, str]) -> None:
    here = {
        **os.environ,
        **standin,
        "STANDIN_GPUS": "NVIDIA GeForce RTX 5090",
        "STANDIN_CAPABILITY": "12.0",
        "STANDIN_DRIVER": "580.65.06",
        "STANDIN_CUDA": "13000",
    }
    answer = lab("check", "torch2.5-cu124", "--engine", "venv", "--json", env=here)
    assert answer.code == 4
    assert answer.json["machine"]["cards"][0]["kind"] == "consumer"
    refused = [one["check"] for one in answer.json["findings"] if one["verdict"] == "no"]
    assert refused == ["gpu"]
    assert lab("check", "torch2.8-cu128", "--engine", "venv", env=here).code == 0


def test_a_config_is_checked_with_the_gpus_that_it_asks_for(lab: Place) -> None:
    config = lab.project("one", "", stack="torch2.5-cu124")
    answer = lab("check", config, "--engine", "venv", "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "yes")
    config = lab.project("two", "", stack="torch2.5-cu124", resources={"gpus": 2})
    answer = lab("check", config.parent, "--gpu", "V100", "--driver", "470.82", "--json")
    assert answer.code == 4
    assert answer.json["subject"]["gpus"] == 2


def test_a_stack_written_inline_is_checked_too(lab: Place) -> None:
    inline = {"python": "3.11", "torch": "2.5.1", "variant": "cu126", "image": "python:3.11"}
    answer = lab("check", lab.project("one", "", stack=inline), "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "no-such-build"


def test_a_run_is_checked_by_what_its_lock_pinned(lab: Place) -> None:
    paths = RunPaths(lab.root / "runs" / "one" / RECORD.id)
    paths.root.mkdir(parents=True)
    write_record(paths, RECORD)
    paths.plan.write_text('{"stack": "torch2.5-cu124", "resources": {"gpus": 1}}')
    for path in (paths.source, paths.data):
        path.write_text("{}")
    pinned = lab.root / "envs" / "torch2.12-cu130" / "requirements.lock"
    paths.requirements.write_bytes(pinned.read_bytes())
    answer = lab("check", "@last", "--gpu", "V100", "--json")
    assert answer.code == 4, answer.stdout
    assert answer.json["subject"] == {"kind": "run", "name": RECORD.id, "gpus": 1}
    assert answer.json["stack"]["versions"]["torch"] == "2.12.1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("2.5.1", "2.5.9"), "there never was a torch 2.5.9"),
        (("cu124", "cu126"), "torch 2.5.1 was never built for cu126"),
        (('python: "3.11"', 'python: "3.14"'), "no wheel for Python 3.14"),
    ],
)
def test_a_stack_that_never_existed_is_a_mistake_with_the_nearest_that_did(
    lab: Place, change: tuple[str, str], message: str
) -> None:
    file = lab.root / "envs" / "torch2.5-cu124" / "stack.yaml"
    file.write_text(file.read_text().replace(*change))
    for command in ("check", "lock"):
        answer = lab(command, "torch2.5-cu124", "--json")
        assert answer.code == 2, answer.stdout
        assert answer.json["error"]["code"] == "no-such-build"
        assert message in answer.json["error"]["message"]
        assert "nearest" in answer.json["error"]["hint"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["torch2.5cu124"], 3),
        (["torch2.5-cu124", "--gpu", "RTX 9999 Ultra"], 2),
        (["torch2.5-cu124", "--driver", "new"], 2),
        (["torch2.5-cu124", "--engine", "dokcer"], 2),
        ([], 2),
    ],
)
def test_what_makes_no_sense_is_refused(lab: Place, words: list[str], code: int) -> None:
    answer = lab("check", *words, "--json")
    assert answer.code == code
    assert answer.json["error"]["hint"]


def test_a_known_stack_is_answered_without_a_network(lab: Place) -> None:
    words = ("check", "torch2.12-cu130", "--gpu", "V100", "--driver", "550.54", "--json")
    offline = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "PIP_INDEX_URL": "http://[::1]:9"}
    assert lab(*words, env=offline).code == 4


def test_the_tables_are_printed_with_nulls_as_unknown(lab: Place) -> None:
    listing = lab("facts")
    assert "builds" in listing.stdout
    assert "125" in listing.stdout
    gpus = lab("facts", "gpus").stdout
    (b100,) = (line for line in gpus.splitlines() if line.startswith("B100 "))
    assert "unknown" in b100
    builds = lab("facts", "builds", "--json").json
    assert len(builds["tables"]["builds"]) == 125
    first = builds["tables"]["builds"][1]
    assert (first["variant"], first["nccl"]) == ("cu102", None)
    assert first["source"][0] in builds["sources"]


def test_a_table_that_is_not_there_is_told(lab: Place) -> None:
    answer = lab("facts", "gpu")
    assert answer.code == 3
    assert "did you mean `gpus`?" in answer.stderr


def test_every_table_prints_for_people(lab: Place) -> None:
    from reprokit.cli.facts import TABLES

    for name in TABLES:
        assert lab("facts", name, "-v").code == 0
