import sys
from pathlib import Path

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
    assert found.details == (f"{pythons.OURS}: {sys.executable}",)


def test_a_python_that_nobody_has_is_warned_of_with_the_command_that_fetches_it(
    lab: Workspace,
) -> None:
    stack(lab, "far", "3.99")
    found = pythons.run(context(lab))
    assert found.status == "warn"
    assert "for far without Docker" in found.message
    assert "`uv python install 3.99`" in (found.fix or "")


def test_a_stack_that_cannot_be_read_does_not_hide_the_others(lab: Workspace) -> None:
    stack(lab, "broken", "three")
    stack(lab, "one", "3.12")
    stack(lab, "two", "3.12")
    assert pythons.named(lab) == {"3.12": ["one", "two"]}


def test_without_workspace_or_stack_there_is_nothing_to_check(lab: Workspace) -> None:
    assert pythons.run(context()).status == "skip"
    assert pythons.run(context(lab)).status == "skip"


def test_the_interpreter_that_uv_would_take_is_found_without_a_download(tmp_path: Path) -> None:
    ours = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    found = pythons.find(ours, tmp_path)
    assert found is None or Path(found).exists()
