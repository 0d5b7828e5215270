"""Each folder of tests/repos: what `reprokit init` must conclude about it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reprokit.adopt.adoption import Adoption, carry_out, prepare
from reprokit.adopt.conclude import Wanted
from reprokit.config import load_config
from reprokit.errors import ReproKitError
from reprokit.stacks.inputs import check_requirements, read_inputs
from reprokit.stacks.model import load_stack

REPOS = Path(__file__).parents[1] / "repos"
CPU = Path(__file__).parents[2] / "envs" / "cpu"
NAMES = sorted(path.parent.name for path in REPOS.glob("*/expected.json"))


def made(name: str, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The sample repository, committed on its day; one that expects the stack `cpu` lies in a workspace."""
    expected = json.loads((REPOS / name / "expected.json").read_text())
    root = tmp_path / name
    if expected.get("stack_cpu"):
        shutil.copytree(CPU, tmp_path / "envs" / "cpu")
        root = tmp_path / "projects" / name
    shutil.copytree(REPOS / name / "repo", root)
    committed(root, expected["commit"])
    return root, expected


def committed(root: Path, day: str) -> None:
    moment = f"{day}T12:00:00Z"
    who = {
        f"GIT_{one}_{what}": "ada@example.org"
        for one in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **who, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=root, env=environment, check=True)


def has_note(document: dict[str, Any], wanted: list[Any]) -> bool:
    kind, where, text = wanted
    return any(
        note["kind"] == kind
        and (note["where"] or "").startswith(where or "")
        and text in note["text"]
        for note in document["notes"]
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NAMES
        if "expect" in json.loads((REPOS / name / "expected.json").read_text())
    ],
)
def test_a_repository_is_understood(name: str, tmp_path: Path) -> None:
    root, expected = made(name, tmp_path)
    adoption = prepare(root, None, Wanted())
    document = adoption.conclusion.document()
    for key, value in expected["expect"].items():
        said = document[key]
        assert ({one: said[one] for one in value} if key == "stack" else said) == value, key
    missing = [note for note in expected.get("notes", ()) if not has_note(document, note)]
    assert missing == [], json.dumps(document["notes"], indent=1)
    check_written(root, adoption)


def check_written(root: Path, adoption: Adoption) -> None:
    """What is written is read back by the rest of ReproKit as what was concluded."""
    carry_out(adoption)
    conclusion = adoption.conclusion
    config = load_config(root / "config.yaml")
    assert config.params == conclusion.script.options.params
    assert config.stack == conclusion.base.name
    stack = load_stack(adoption.place.root, conclusion.base.name)
    assert (stack.torch, stack.variant, stack.python) == (
        conclusion.base.stack.torch,
        conclusion.base.stack.variant,
        conclusion.base.stack.python,
    )
    inputs = read_inputs(root)
    check_requirements(inputs)
    assert [line.text for line in inputs.requirements] == [
        one.line for one in conclusion.requirements
    ]
    assert not (root / "executed").exists()


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if "error" in json.loads((REPOS / name / "expected.json").read_text())],
)
def test_a_repository_that_says_too_little_is_refused(name: str, tmp_path: Path) -> None:
    root, expected = made(name, tmp_path)
    before = sorted(root.rglob("*"))
    with pytest.raises(ReproKitError) as caught:
        prepare(root, None, Wanted())
    assert (caught.value.code, caught.value.exit_code) == (expected["error"], expected["exit"])
    assert caught.value.hint
    assert sorted(root.rglob("*")) == before
