import os
import sys
from pathlib import Path

import pytest

from reprokit.doctor import pythons
from reprokit.workspace import Workspace
from tests.doctor.conftest import context

STACK = 'python: "{}"\ntorch: "2.13.0"\nvariant: cpu\nimage: python:3.11-slim-bookworm\n'


def stack(workspace: Workspace, name: str, python: str) -> None:
    folder = workspace.stacks / name
    folder.mkdir(parents=True)
    (folder / "stack.yaml").write_text(STACK.format(python))


def test_our_own_python_needs_no_search(lab: Workspace) -> None:
    stack(lab, "cpu", pythons.OURS)
    found = pythons.run(context(lab))
    assert (found.status, found.message) == ("ok", pythons.OURS)
    assert found.details == (f"{pythons.OURS}: {sys.executable} (cpu)",)


def test_a_python_that_nobody_has_is_warned_of_with_the_command_that_fetches_it(
    lab: Workspace,
) -> None:
    stack(lab, "far", "3.99")
    found = pythons.run(context(lab))
    assert found.status == "warn"
    assert found.details == ("3.99: not here (far)",)
    assert "uv fetches it" in found.message
    assert "`uv python install 3.99`" in (found.fix or "")


def test_a_person_who_lets_uv_fetch_nothing_is_told_so() -> None:
    found = pythons.decide({"3.99": ["far"]}, {"3.99": None}, fetches=False)
    assert "UV_PYTHON_DOWNLOADS" in found.message


def test_a_stack_that_cannot_be_read_does_not_hide_the_others(lab: Workspace) -> None:
    stack(lab, "broken", "three")
    stack(lab, "one", "3.12")
    stack(lab, "two", "3.12")
    assert pythons.named(lab) == {"3.12": ["one", "two"]}


def test_without_workspace_or_stack_there_is_nothing_to_check(lab: Workspace) -> None:
    assert pythons.run(context()).status == "skip"
    assert pythons.run(context(lab)).status == "skip"


def test_an_interpreter_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    # Stand-ins: pyenv has a program for each version, which fails unless that version is active.
    scripts = {"shims": "exit 127", "other": "echo Python 3.9.1", "real": "echo Python 3.99.2"}
    for name, script in scripts.items():
        (tmp_path / name).mkdir()
        program = tmp_path / name / "python3.99"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    path = os.pathsep.join(["", *(str(tmp_path / name) for name in scripts), "/nowhere"])
    assert pythons.on_path("3.99", path) == str(tmp_path / "real" / "python3.99")
    assert pythons.on_path("3.98", path) is None


def test_our_own_interpreter_is_found_on_a_path_as_well(tmp_path: Path) -> None:
    (tmp_path / f"python{pythons.OURS}").symlink_to(sys.executable)
    assert pythons.on_path(pythons.OURS, str(tmp_path)) is not None


def test_uvs_own_pythons_are_asked_for_without_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pythons.find("3.98", tmp_path) is None
    assert not (tmp_path / "pythons").exists()
