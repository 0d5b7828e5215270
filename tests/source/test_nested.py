"""Submodules and repositories inside the repository: their files are part of what ran."""

from collections.abc import Callable
from pathlib import PurePosixPath

from reprokit.source import Submodule

from .conftest import Repo, files_in

Make = Callable[[str], Repo]


def _with_submodule(repo: Repo, other: Make) -> str:
    repo.git("submodule", "add", "-q", str(other("lib").top), "vendor/lib")
    repo.commit({"a.py": "1\n"})
    return repo.git("rev-parse", "HEAD:vendor/lib")


def test_a_clean_submodule_is_captured_as_files_and_nothing_is_dirty(
    repo: Repo, other: Make
) -> None:
    commit = _with_submodule(repo, other)
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    assert copied[b"vendor/lib/deep/x.py"] == (False, b"1\n")
    assert source.submodules == (Submodule("vendor/lib", commit, commit, dirty=False),)
    assert (source.dirty, source.changed, source.untracked) == (False, 0, 0)


def test_edits_and_untracked_files_of_a_submodule_come_back(repo: Repo, other: Make) -> None:
    commit = _with_submodule(repo, other)
    repo.write({"vendor/lib/lib.py": "edited\n", "vendor/lib/new.py": "new\n"})
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    assert source.submodules == (Submodule("vendor/lib", commit, commit, dirty=True),)
    assert (source.dirty, source.changed) == (True, 1)


def test_a_submodule_at_another_commit_is_a_change_staged_or_not(repo: Repo, other: Make) -> None:
    commit = _with_submodule(repo, other)
    inner = Repo(repo.top / "vendor/lib", repo.archive)
    inner.commit({"lib.py": "newer\n"})
    newer = inner.git("rev-parse", "HEAD")
    source = repo.capture("r1")
    assert source.submodules == (Submodule("vendor/lib", commit, newer, dirty=False),)
    assert source.changed == 1
    repo.git("add", "vendor/lib")
    assert repo.capture("r2").changed == 1


def test_a_submodule_that_is_not_checked_out_is_an_empty_folder_and_noted(
    repo: Repo, other: Make
) -> None:
    commit = _with_submodule(repo, other)
    repo.git("submodule", "deinit", "-q", "-f", "vendor/lib")
    source, _ = repo.round_trip()
    assert source.submodules == (Submodule("vendor/lib", commit, None, dirty=False),)
    assert source.notes == ("a submodule that is not checked out: vendor/lib",)
    assert not source.dirty
    assert list((repo.archive.with_name("copy") / "vendor/lib").iterdir()) == []


def test_a_submodule_in_a_submodule_is_captured_too(repo: Repo, other: Make) -> None:
    middle = other("middle")
    middle.git("submodule", "add", "-q", str(other("leaf").top), "leaf")
    middle.git("commit", "-q", "-m", "x")
    repo.git("submodule", "add", "-q", str(middle.top), "middle")
    repo.git("submodule", "update", "-q", "--init", "--recursive")
    repo.commit({"a.py": "1\n"})
    repo.write({"middle/leaf/lib.py": "edited\n"})
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    states = [(each.path, each.dirty) for each in source.submodules]
    assert states == [("middle", True), ("middle/leaf", True)]
    assert source.changed == 1


def test_a_clone_inside_the_repository_is_captured_with_its_own_ignore_rules(
    repo: Repo, other: Make
) -> None:
    repo.commit({"a.py": "1\n"})
    repo.git("clone", "-q", str(other("tool").top), "tool")
    repo.write({"tool/.gitignore": "*.tmp\n", "tool/x.tmp": "x", "tool/runs/y": "y"})
    source, copied = repo.round_trip(exclude=[PurePosixPath("tool/runs")])
    assert set(copied) == {b"a.py", b"tool/.gitignore", b"tool/lib.py", b"tool/deep/x.py"}
    assert source.submodules[0].recorded is None
    assert (source.dirty, source.untracked) == (True, 3)
    assert source.notes == ("a repository inside the repository, captured as files: tool",)


def test_a_broken_repository_inside_is_captured_as_the_folder_that_it_is(repo: Repo) -> None:
    repo.commit({"a.py": "1\n"})
    repo.write({"odd/.git/HEAD": "nonsense\n", "odd/x.py": "1\n"})
    source, copied = repo.round_trip()
    assert set(copied) == {b"a.py", b"odd/x.py"}
    assert source.untracked == 1
