"""The editors' file: held to the published schema, never in the way of somebody's own."""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema
import pytest

from reprokit.config import Resources
from reprokit.dev.devcontainer import PLACE, devcontainer, write_devcontainer
from reprokit.plan import Plan
from reprokit.stacks.model import BaseImage, Stack

CPU = Stack("cpu", "3.11", "2.13.0", "cpu", BaseImage("python:3.11-slim-bookworm"))

# Rules of github.com/devcontainers/spec, schemas/devContainer.base.schema.json (commit 08c3f97f), transcribed: the keys
# of a container that is built from a Dockerfile, and their types. A key that it does not know is an error there.
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
SIZE = {"type": "string", "pattern": r"^\d+([tgmk]b)?$"}
COMMAND = {"type": ["string", "array", "object"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["build"],
    "additionalProperties": False,
    "properties": {
        "$schema": TEXT,
        "name": TEXT,
        "features": {"type": "object"},
        "overrideFeatureInstallOrder": TEXTS,
        "forwardPorts": {"type": "array"},
        "portsAttributes": {"type": "object"},
        "otherPortsAttributes": {"type": "object"},
        "updateRemoteUserUID": {"type": "boolean"},
        "containerEnv": {"type": "object", "additionalProperties": TEXT},
        "containerUser": TEXT,
        "mounts": {
            "type": "array",
            "items": {
                "anyOf": [
                    TEXT,
                    {
                        "type": "object",
                        "required": ["type", "target"],
                        "additionalProperties": False,
                        "properties": {
                            "type": {"enum": ["bind", "volume"]},
                            "source": TEXT,
                            "target": TEXT,
                        },
                    },
                ]
            },
        },
        "init": {"type": "boolean"},
        "privileged": {"type": "boolean"},
        "capAdd": TEXTS,
        "securityOpt": TEXTS,
        "remoteEnv": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "remoteUser": TEXT,
        "initializeCommand": COMMAND,
        "onCreateCommand": COMMAND,
        "updateContentCommand": COMMAND,
        "postCreateCommand": COMMAND,
        "postStartCommand": COMMAND,
        "postAttachCommand": COMMAND,
        "waitFor": TEXT,
        "userEnvProbe": TEXT,
        "hostRequirements": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cpus": {"type": "integer", "minimum": 1},
                "memory": SIZE,
                "storage": SIZE,
                "gpu": {
                    "oneOf": [
                        {"enum": [True, False, "optional"]},
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "cores": {"type": "integer", "minimum": 1},
                                "memory": SIZE,
                            },
                        },
                    ]
                },
            },
        },
        "customizations": {"type": "object"},
        "appPort": {"type": ["integer", "string", "array"]},
        "runArgs": TEXTS,
        "shutdownAction": {"enum": ["none", "stopContainer"]},
        "overrideCommand": {"type": "boolean"},
        "workspaceFolder": TEXT,
        "workspaceMount": TEXT,
        "build": {
            "type": "object",
            "required": ["dockerfile"],
            "additionalProperties": False,
            "properties": {
                "dockerfile": TEXT,
                "context": TEXT,
                "target": TEXT,
                "args": {"type": "object", "additionalProperties": TEXT},
                "cacheFrom": {"type": ["string", "array"], "items": TEXT},
            },
        },
    },
}


def plan(gpus: int = 0, **data: Path) -> Plan:
    return Plan(
        run_id="dev",
        project="digits",
        stack="cpu",
        engine="docker",
        scheduler="local",
        argv=("python", "train.py"),
        cwd=PurePosixPath("projects/digits"),
        seed=1,
        determinism="strict",
        params={},
        variables={},
        passed=(),
        data=data,
        places={},
        keep=(),
        resources=Resources(gpus=gpus, memory=1 << 30),
        environment="cpu-0",
        locks={},
    )


def made(root: Path, gpus: int = 0, **data: Path) -> dict[str, Any]:
    return devcontainer(CPU, plan(gpus, **data), PurePosixPath("projects/digits"), root)


@pytest.mark.parametrize("gpus", [0, 2])
def test_the_file_keeps_to_the_published_schema(gpus: int, tmp_path: Path) -> None:
    document = made(tmp_path, gpus, near=tmp_path / "data", far=Path("/data/far"))
    jsonschema.validate(document, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "dockerfile": "x"}, SCHEMA)


def test_it_builds_the_stacks_own_dev_dockerfile_with_the_project_named(tmp_path: Path) -> None:
    assert made(tmp_path)["build"] == {
        "dockerfile": "../dockerfiles/cpu/dev.Dockerfile",
        "context": "..",
        "target": "dev",
        "args": {"PROJECT": "digits"},
    }


def test_gpus_are_asked_for_where_runs_ask_for_them(tmp_path: Path) -> None:
    assert made(tmp_path, gpus=1)["hostRequirements"] == {"gpu": True}
    assert "hostRequirements" not in made(tmp_path)


def test_the_user_is_the_caller(tmp_path: Path) -> None:
    assert made(tmp_path)["remoteUser"] == f"{os.getuid()}:{os.getgid()}"


def test_data_of_the_workspace_is_named_relative_to_it(tmp_path: Path) -> None:
    near, far = made(tmp_path, near=tmp_path / "data", far=Path("/data/far"))["mounts"]
    assert near == "type=bind,source=${localWorkspaceFolder}/data,target=/data/near,readonly"
    assert far == "type=bind,source=/data/far,target=/data/far,readonly"


def test_a_file_of_ours_is_brought_up_to_date(tmp_path: Path) -> None:
    assert write_devcontainer(tmp_path, made(tmp_path)).state == "written"
    assert write_devcontainer(tmp_path, made(tmp_path)).state == "unchanged"
    assert write_devcontainer(tmp_path, made(tmp_path, gpus=1)).state == "written"
    assert json.loads((tmp_path / PLACE).read_text())["hostRequirements"] == {"gpu": True}


@pytest.mark.parametrize(
    "text", ['{"image": "mine"}', "// mine\n{}", "", "[]", '{"customizations": {"reprokit": 1}}']
)
def test_a_file_of_somebody_else_is_left_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / PLACE).parent.mkdir()
    (tmp_path / PLACE).write_text(text)
    assert write_devcontainer(tmp_path, made(tmp_path)).state == "foreign"
    assert (tmp_path / PLACE).read_text() == text


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".devcontainer").symlink_to(tmp_path / "elsewhere")
    assert write_devcontainer(tmp_path, made(tmp_path)).state == "foreign"
    assert list((tmp_path / "elsewhere").iterdir()) == []
