"""Git is asked about the repository before there is time to wait; the answer is the same, and never an old one."""

import time

import pytest

from reprokit.source import look
from reprokit.source.git import STALE_S, discover, discovered, remotes
from reprokit.values import replace

from .conftest import Repo


def test_a_look_finds_what_asking_finds(repo: Repo) -> None:
    repo.commit({"a.py": "1\n"})
    repo.git("remote", "add", "origin", "https://host.example/x.git")
    begun = look(repo.top)
    assert discovered(begun) == discover(repo.top)
    assert "host.example" in str(remotes(begun))


def test_a_capture_takes_a_look_that_was_begun(repo: Repo) -> None:
    repo.commit({"a.py": "1\n"})
    source = repo.capture(look=look(repo.top))
    assert source.head == repo.git("rev-parse", "HEAD")
    assert replace(source, commit=None, ref=None) == replace(
        repo.capture("r2"), commit=None, ref=None
    )


def test_an_old_look_is_not_believed(repo: Repo) -> None:
    repo.commit({"a.py": "1\n"})
    begun = look(repo.top)
    old = replace(begun, asked=time.monotonic() - 2 * STALE_S)
    repo.commit({"a.py": "2\n"})
    source = repo.capture(look=old)
    begun.close()
    assert source.head == repo.git("rev-parse", "HEAD")
    assert not source.dirty


def test_without_a_repository_git_is_not_asked(
    folder: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    begun = look(folder.top)
    assert discovered(begun) is None
    assert remotes(begun) == ()
    begun.close()


def test_a_look_that_nobody_wants_leaves_no_process(repo: Repo) -> None:
    begun = look(repo.top)
    begun.close()
    assert begun.places is not None
    assert begun.places.child.returncode is not None
