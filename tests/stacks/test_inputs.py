from pathlib import Path

import pytest

from reprokit.errors import ConfigError
from reprokit.stacks.inputs import (
    check_requirements,
    digest,
    project_digest,
    read_inputs,
    stack_digest,
)


def project(tmp_path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (tmp_path / f"{name}.in").write_text(text)
    return tmp_path


def test_included_files_and_constraints_are_read(tmp_path: Path) -> None:
    read = read_inputs(
        project(
            tmp_path,
            requirements="a\n-r more.in\n--constraint limits.in\n",
            more="b>=1\n",
            limits="c<2",
        )
    )
    assert [line.text for line in read.requirements] == ["a", "b>=1"]
    assert [line.text for line in read.constraints] == ["c<2"]
    assert read.requirements[1].where == f"{tmp_path / 'more.in'}:1"


def test_a_project_without_requirements_needs_nothing(tmp_path: Path) -> None:
    assert read_inputs(tmp_path).requirements == ()


def test_files_that_include_one_another_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_inputs(project(tmp_path, requirements="-r requirements.in\n"))
    assert caught.value.code == "include-loop"


@pytest.mark.parametrize(
    "line", ["--index-url https://u:p@x.example/simple", "-f wheels", "-e .", "--pre"]
)
def test_options_of_installers_are_refused_without_showing_their_value(
    tmp_path: Path, line: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_inputs(project(tmp_path, requirements=f"a\n{line}\n"))
    assert caught.value.code == "requirements-option"
    assert caught.value.where == f"{tmp_path / 'requirements.in'}:2"
    assert "u:p" not in str(caught.value.document())


def test_every_line_that_is_no_requirement_is_told(tmp_path: Path) -> None:
    read = read_inputs(
        project(tmp_path, requirements="numpy\n./here\nx @ https://x.example/x.whl\n")
    )
    with pytest.raises(ConfigError) as caught:
        check_requirements(read)
    assert [problem.where.rpartition(":")[2] for problem in caught.value.problems] == ["2", "3"]


def test_comments_and_line_ends_do_not_make_a_lock_stale(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yaml"
    stack.write_bytes(b"python: '3.11'\n\ntorch: '2'\n")
    before = stack_digest(stack)
    stack.write_bytes(b"# why\r\npython: '3.11'\r\ntorch: '2'\r\n")
    assert stack_digest(stack) == before
    stack.write_bytes(b"python: '3.12'\ntorch: '2'\n")
    assert stack_digest(stack) != before


def test_a_requirement_is_not_a_constraint(tmp_path: Path) -> None:
    one = read_inputs(project(tmp_path, requirements="a\n-r x.in\n", x="b\n"))
    other = read_inputs(project(tmp_path, requirements="a\n-c x.in\n"))
    assert project_digest(one, stack_lock="s") != project_digest(other, stack_lock="s")


def test_a_digest_knows_where_one_part_ends() -> None:
    assert digest("ab", "c") != digest("a", "bc")
