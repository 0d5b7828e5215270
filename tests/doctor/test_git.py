import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reprokit.doctor import git as check
from reprokit.doctor.checkup import perform
from reprokit.doctor.git import Observed
from reprokit.workspace import Workspace
from tests.conftest import git
from tests.doctor.conftest import context

GOOD = "git version 2.39.5"


def test_a_repository_that_can_be_written_is_well(lab: Workspace) -> None:
    found = check.run(context(lab))
    assert found.status == "ok"
    assert "no name or e-mail is needed" in found.message


def test_without_a_repository_runs_keep_an_archive(tmp_path: Path) -> None:
    found = check.run(context(Workspace(tmp_path, tmp_path / "runs")))
    assert found.status == "ok"
    assert "archive" in found.message


@pytest.mark.parametrize(("checkout", "status"), [(True, "fail"), (False, "warn")])
def test_git_is_only_needed_for_a_checkout(
    checkout: bool, status: str, tmp_path: Path, stand_ins: Callable[..., None]
) -> None:
    if checkout:
        (tmp_path / ".git").mkdir()
    stand_ins()
    assert check.run(context(Workspace(tmp_path, tmp_path / "runs"))).status == status


def test_an_old_git_is_named_so() -> None:
    found = check.decide(Observed("git version 2.25.1", repository=Path("/r")))
    assert (found.status, found.fix) == ("fail", check.INSTALL)


def test_the_version_of_apples_git_is_read() -> None:
    said = "git version 2.39.3 (Apple Git-146)"
    assert check.decide(Observed(said)).message.startswith("git 2.39.3;")


def test_folders_that_cannot_be_written_are_named() -> None:
    found = check.decide(Observed(GOOD, repository=Path("/r"), closed=(Path("/r/.git/objects"),)))
    assert found.status == "fail"
    assert "/r/.git/objects" in found.message


@pytest.mark.skipif(os.geteuid() == 0, reason="no permission stops root")
def test_a_repository_of_somebody_else_cannot_be_written(lab: Workspace) -> None:
    objects = lab.root / ".git" / "objects"
    objects.chmod(0o500)
    try:
        assert check.run(context(lab)).status == "fail"
    finally:
        objects.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_that_git_does_not_trust_is_a_failure_with_gits_own_fix(
    lab: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (lab.root, lab.root / ".git"):
        os.chown(path, 65534, 65534)
    finding = perform(check, context(lab)).finding
    assert finding.status == "fail"
    assert "safe.directory" in (finding.fix or "")


def test_runs_that_git_would_take_in_are_warned_of(lab: Workspace) -> None:
    lab.store.mkdir()
    assert check.run(context(lab)).status == "ok"
    (lab.root / ".gitignore").write_text("")
    found = check.run(context(lab))
    assert found.status == "warn"
    assert found.fix == f"`echo /runs/ >> {lab.root}/.gitignore`"


def test_looking_changes_nothing(lab: Workspace) -> None:
    before = git(lab.root, "for-each-ref"), sorted(lab.root.rglob("*"))
    check.run(context(lab))
    assert (git(lab.root, "for-each-ref"), sorted(lab.root.rglob("*"))) == before
