"""A repository from a stranger: nothing that it names is executed."""

import hashlib
import os
from pathlib import Path

import pytest

from reprokit.errors import MachineError
from reprokit.source import leftovers, materialise

from .conftest import Repo, files_in

HOOKS = [
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-checkout", "post-commit",
    "post-index-change", "post-rewrite", "post-update", "pre-auto-gc", "pre-commit", "pre-receive",
    "reference-transaction", "update",
]  # fmt: skip


class Trap:
    """A program that leaves a mark when it is run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.mark = folder / "mark"
        self.program = folder / "trap"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> "{self.mark}"\nexit 0\n')
        self.program.chmod(0o755)

    def sprung(self) -> bool:
        """Whether it was run since the last time."""
        try:
            self.mark.unlink()
        except FileNotFoundError:
            return False
        return True


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path / "trap")


@pytest.fixture
def hostile(repo: Repo, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository where every setting that can run a program runs the trap."""
    repo.commit({"a.txt": "1\n", "b.txt": "2\n", "lost.txt": "3\n"})
    it = trap.program
    settings = {
        "core.fsmonitor": it, "core.sshCommand": it, "core.askPass": it, "core.pager": it,
        "core.editor": it, "core.gitProxy": it, "core.alternateRefsCommand": it,
        "filter.x.clean": it, "filter.x.smudge": it, "filter.x.process": it,
        "filter.x.required": "true",
        "filter.y.clean": it, "filter.y.smudge": it,
        "filter.lfs.clean": it, "filter.lfs.process": it,
        "diff.x.textconv": it, "diff.x.command": it, "diff.external": it, "merge.x.driver": it,
        "gpg.program": it, "commit.gpgSign": "true", "tag.gpgSign": "true",
        "credential.helper": f"!{it}", "sequence.editor": it, "uploadpack.packObjectsHook": it,
        "alias.ls-files": f"!{it}", "alias.fast-import": f"!{it}", "alias.rev-parse": f"!{it}",
        "protocol.allow": "always", "protocol.ext.allow": "always",
        "core.repositoryFormatVersion": "1", "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{it} --token=s3cret", "remote.origin.promisor": "true",
        "remote.origin.uploadpack": it, "remote.origin.vcs": "ext",
        "core.logAllRefUpdates": "always", "core.worktree": ".." ,
    }  # fmt: skip
    included = repo.top / ".git/included"
    included.write_text("[core]\n\tuntrackedCache = true\n")
    for key, value in settings.items():
        repo.git("-c", "core.fsmonitor=false", "config", "--file", str(included), key, str(value))
    with (repo.top / ".git/config").open("a") as config:
        config.write("[include]\n\tpath = included\n")
    hooks = repo.top / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        (hooks / name).unlink(missing_ok=True)
        (hooks / name).symlink_to(it)
    for name in (
        "GIT_EXTERNAL_DIFF",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "GIT_PAGER",
        "GIT_EDITOR",
    ):
        monkeypatch.setenv(name, str(it))
    repo.write({".gitattributes": "*.txt filter=x diff=x merge=x text=auto\n*.py filter=y ident\n"})
    repo.write({".git/info/attributes": "*.md filter=x\n", "n.py": "$Id$\r\n", "n.md": "1\r\n"})
    repo.write({"a.txt": "edited\r\n"})
    trap.sprung()
    return repo


def test_the_traps_are_real(hostile: Repo, trap: Trap) -> None:
    hostile.git("add", "n.py", check=False)
    assert trap.sprung(), "a filter"
    hostile.git("status", check=False)
    assert trap.sprung(), "the file system monitor"
    hostile.git("-c", "core.fsmonitor=false", "update-ref", "refs/x", "HEAD", check=False)
    assert trap.sprung(), "a hook"
    _lose(hostile, "lost.txt")
    hostile.git(
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "cat-file",
        "-p",
        "HEAD:lost.txt",
        check=False,
    )
    assert trap.sprung(), "the fetch of a partial clone"


def test_nothing_is_executed_and_everything_comes_back(
    hostile: Repo, trap: Trap, tmp_path: Path
) -> None:
    index = (hostile.top / ".git/index").read_bytes()
    source = hostile.capture()
    assert materialise(source, tmp_path / "copy") == tmp_path / "copy"
    assert leftovers(source, tmp_path / "copy") == []
    assert not trap.sprung()
    assert files_in(tmp_path / "copy") == files_in(hostile.top)
    assert (hostile.top / ".git/index").read_bytes() == index
    assert not (hostile.top / ".git/logs/refs/reprokit").exists()
    assert "s3cret" not in str(source.to_json())
    assert (source.changed, source.untracked) == (1, 3)


def test_a_missing_object_of_a_partial_clone_is_never_fetched(hostile: Repo, trap: Trap) -> None:
    _lose(hostile, "lost.txt")
    _, copied = hostile.round_trip()
    assert copied == files_in(hostile.top)
    assert not trap.sprung()


def test_a_lost_commit_is_an_error_and_never_fetched(hostile: Repo, trap: Trap) -> None:
    head = (hostile.top / ".git/refs/heads/main").read_text().strip()
    (hostile.top / ".git/objects" / head[:2] / head[2:]).unlink()
    with pytest.raises(MachineError):
        hostile.capture()
    assert not trap.sprung()


def test_a_nested_repository_runs_nothing_either(hostile: Repo, trap: Trap, tmp_path: Path) -> None:
    outer = Repo(tmp_path / "outer", tmp_path / "outer.tar")
    outer.top.mkdir()
    os.rename(hostile.top, outer.top / "inner")
    outer.git("init", "-q")
    outer.write({"a.py": "1\n"})
    trap.sprung()
    source, copied = outer.round_trip()
    assert not trap.sprung()
    assert copied == files_in(outer.top)
    assert source.submodules[0].path == "inner"


def test_an_index_that_names_files_elsewhere_reads_nothing_there(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit({"aa/passwd": "mine\n"})
    (tmp_path / "zz").mkdir()
    (tmp_path / "zz/passwd").write_text("theirs\n")
    index = repo.top / ".git/index"
    repo.git("update-index", "--index-version", "2")
    forged = index.read_bytes()[:-20].replace(b"aa/passwd", b"../zz/pas")
    (tmp_path / "zz/pas").write_text("theirs\n")
    index.write_bytes(forged + hashlib.sha1(forged).digest())
    source, copied = repo.round_trip()
    assert b"theirs" not in str(copied).encode()
    assert set(copied) == {b"aa/passwd"}  # on disk, though the index names it no more
    assert not source.dirty


def _lose(repo: Repo, name: str) -> None:
    """Remove the object that the index names for a file, as a partial clone would lack it."""
    words = ("-c", "core.fsmonitor=false", "ls-files", "-s", name)
    oid = repo.git(*words).split()[1]
    (repo.top / ".git/objects" / oid[:2] / oid[2:]).unlink()


def test_a_config_that_claims_another_folder_captures_nothing_of_it(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit({"a.py": "1\n"})
    (tmp_path / "secret").write_text("theirs\n")
    for place in (str(tmp_path), str(tmp_path / "home")):
        repo.git("config", "core.worktree", place)
        source = repo.capture()
        assert source.kind == "archive"
        assert source.untracked == 1
        assert source.notes[0].startswith("no repository that git can read")
