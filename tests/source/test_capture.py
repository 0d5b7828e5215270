"""Row 22 of the faults: whatever state git is in, the truth is recorded and nothing is touched."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from reprokit.errors import ConfigError, MachineError, NotFoundError
from reprokit.source import Source, capture, git, leftovers, materialise

from .conftest import Repo, files_in

TREE: dict[str, bytes | str] = {"a.py": "1\n", "b/c.py": "2\n", "b/d.py": "3\n", "gone.py": "4\n"}


def test_edits_additions_and_deletions_come_back_and_nothing_of_the_users_changes(
    repo: Repo,
) -> None:
    repo.commit({**TREE, ".gitignore": "*.log\n"})
    repo.write({"a.py": "stashed\n"})
    repo.git("stash")
    repo.write({"a.py": "edited\n", "new/e.py": "new\n", "staged.py": "s\n", "x.log": "ignored\n"})
    repo.git("add", "staged.py")
    (repo.top / "gone.py").unlink()
    (repo.top / "b/c.py").chmod(0o755)
    before, status = repo.private_state(), repo.git("status", "--porcelain")
    head = repo.git("rev-parse", "HEAD")

    source, copied = repo.round_trip(run_id="20261120-141503-quiet-otter", when=1795184103)

    assert repo.private_state() == before
    assert repo.git("status", "--porcelain") == status
    expected = files_in(repo.top)
    del expected[b"x.log"]
    assert copied == expected
    assert (source.head, source.branch, source.dirty) == (head, "main", True)
    assert (source.changed, source.untracked) == (4, 1)
    assert source.ref == "refs/reprokit/runs/20261120-141503-quiet-otter"
    assert repo.git("rev-parse", source.ref, f"{source.ref}^") == f"{source.commit}\n{head}"
    assert repo.git("log", "-1", "--format=%T %an <%ae> %at %cn", source.ref) == (
        f"{source.tree} reprokit <reprokit@localhost> 1795184103 reprokit"
    )


def test_the_same_files_have_the_same_tree_and_a_clean_tree_is_the_heads(repo: Repo) -> None:
    repo.commit(TREE)
    first, second = repo.capture("r1"), repo.capture("r2")
    assert first.tree == second.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert (first.dirty, first.changed, first.untracked, first.notes) == (False, 0, 0, ())


def test_a_capture_leaves_nothing_for_git_to_complain_about(repo: Repo) -> None:
    repo.commit(TREE)
    repo.write({f"many/{n}.py": f"{n}\n" for n in range(120)})
    repo.capture()
    assert repo.git("fsck", "--full", "--strict", "--no-dangling") == ""


def test_a_source_survives_json_and_its_archive_or_repository_may_move(repo: Repo) -> None:
    repo.commit(TREE)
    source = repo.capture()
    again = Source.from_json(json.loads(json.dumps(source.to_json())))
    assert again == source
    assert Source.from_json(source.to_json(), store=repo.archive).store == repo.archive


def test_before_the_first_commit_there_is_no_head_and_no_parent(repo: Repo) -> None:
    repo.write({"a.py": "1\n", "b.py": "2\n"})
    repo.git("add", "a.py")
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    assert (source.head, source.branch, source.dirty) == (None, "main", True)
    assert (source.changed, source.untracked) == (1, 1)
    assert repo.git("rev-list", "--count", str(source.ref)) == "1"


def test_an_empty_repository_is_an_empty_tree(repo: Repo) -> None:
    source, copied = repo.round_trip()
    assert copied == {}
    assert source.tree == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert not source.dirty


def test_a_detached_head_has_no_branch(repo: Repo) -> None:
    repo.commit(TREE)
    repo.git("checkout", "-q", "--detach")
    source = repo.capture()
    assert (source.branch, source.head) == (None, repo.git("rev-parse", "HEAD"))


def test_a_worktree_is_captured_as_it_is_and_the_reference_is_in_the_repository(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit(TREE)
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side", repo.archive)
    side.write({"a.py": "side\n"})
    before = repo.private_state(), side.private_state()
    source, copied = side.round_trip()
    assert (repo.private_state(), side.private_state()) == before
    assert copied == files_in(side.top)
    assert (source.branch, source.changed, source.store) == ("side", 1, repo.top / ".git")
    assert repo.git("rev-parse", str(source.ref)) == source.commit


def test_a_shallow_clone_is_captured(repo: Repo, tmp_path: Path) -> None:
    repo.commit(TREE)
    repo.commit({"a.py": "2\n"})
    repo.git("clone", "-q", "--depth=1", f"file://{repo.top}", str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow", repo.archive)
    shallow.write({"new.py": "n\n"})
    source, copied = shallow.round_trip()
    assert copied == files_in(shallow.top)
    assert (source.changed, source.untracked) == (0, 1)


def test_a_sparse_checkout_is_what_is_on_disk_and_says_so(repo: Repo) -> None:
    repo.commit(TREE)
    repo.git("sparse-checkout", "set", "--no-cone", "/a.py")
    source, copied = repo.round_trip()
    assert set(copied) == {b"a.py"}
    assert (source.dirty, source.changed) == (False, 0)
    assert "sparse" in source.notes[0]


def test_a_repository_with_sha256_names_is_captured(folder: Repo) -> None:
    folder.git("init", "-q", "--object-format=sha256")
    folder.commit(TREE)
    folder.write({"a.py": "edited\n"})
    source, copied = folder.round_trip()
    assert copied == files_in(folder.top)
    assert len(source.tree) == 64


def test_a_workspace_below_the_top_is_found_in_the_copy(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"lib.py": "1\n", "lab/train.py": "2\n"})
    source = capture(repo.top / "lab", run_id="r1", archive=repo.archive)
    assert source.prefix == PurePosixPath("lab")
    workspace = materialise(source, tmp_path / "copy")
    assert (workspace / "train.py").read_text() == "2\n"
    assert (tmp_path / "copy" / "lib.py").exists()


def test_excluded_folders_are_never_captured_tracked_or_not(repo: Repo) -> None:
    odd = "ou[t]put*"
    repo.commit({"a.py": "1\n", "runs/old.txt": "tracked\n"})
    repo.write({"runs/new.txt": "n\n", f"{odd}/x": "x\n", "runsome.py": "kept\n"})
    source, copied = repo.round_trip(exclude=[PurePosixPath("runs"), PurePosixPath(odd)])
    assert set(copied) == {b"a.py", b"runsome.py"}
    assert (source.changed, source.untracked) == (0, 1)


@pytest.mark.parametrize(
    "name",
    [b"-rf", b"new\nline", b"caf\xe9", b'"quoted"', b"back\\slash", b" s ", b"git~1", b"\xc3\xa9"],
)
def test_odd_names_come_back(repo: Repo, name: bytes) -> None:
    for folder in (b".", b"d" + name):
        os.makedirs(os.path.join(os.fsencode(repo.top), folder), exist_ok=True)
        Path(os.fsdecode(os.path.join(os.fsencode(repo.top), folder, name))).write_bytes(name)
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    assert source.untracked == 2
    json.dumps(source.to_json(), ensure_ascii=False).encode("utf-8")


def test_links_are_kept_as_links_wherever_they_point(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a.py": "1\n"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    for name, target in {"out": outside, "dangling": "nowhere", "loop": "loop"}.items():
        (repo.top / name).symlink_to(target)
    _, copied = repo.round_trip()
    assert copied[b"out"] == os.fsencode(outside)
    assert copied == files_in(repo.top)


def test_a_tracked_folder_that_became_a_link_is_not_followed(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"d/secret": "mine\n"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("theirs")
    (repo.top / "d/secret").unlink()
    (repo.top / "d").rmdir()
    (repo.top / "d").symlink_to(tmp_path / "outside")
    _, copied = repo.round_trip()
    assert copied == {b"d": os.fsencode(tmp_path / "outside")}


def test_fifos_and_sockets_are_passed_over_and_named(repo: Repo) -> None:
    repo.commit({"a.py": "1\n", "was_file": "1\n"})
    (repo.top / "was_file").unlink()
    os.mkfifo(repo.top / "was_file")
    os.mkfifo(repo.top / "fifo")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(repo.top / "sock"))
        source, copied = repo.round_trip()
    assert set(copied) == {b"a.py"}
    assert source.notes == ("left out, not a file, a folder or a link: fifo, sock, was_file",)


def test_too_much_untracked_data_is_refused_with_the_largest_files(repo: Repo) -> None:
    repo.commit(TREE)
    repo.write({"data/big.bin": bytes(3 << 20), "data/small.bin": bytes(1 << 20)})
    with pytest.raises(ConfigError) as caught:
        repo.capture(max_untracked_bytes=3 << 20)
    assert "data/big.bin (3.0 MiB), data/small.bin (1.0 MiB)" in caught.value.message
    assert ".gitignore" in str(caught.value.hint)
    assert "data:" in str(caught.value.hint)
    assert repo.git("for-each-ref", "refs/reprokit") == ""


def test_large_files_come_back_and_count_only_while_git_lacks_them(repo: Repo) -> None:
    repo.commit({"weights.bin": b"w" * (9 << 20)})
    source, copied = repo.round_trip(max_untracked_bytes=1 << 20)
    assert (copied, source.dirty) == (files_in(repo.top), False)
    repo.write({"weights.bin": b"v" * (10 << 20)})
    with pytest.raises(ConfigError, match=r"weights.bin \(10.0 MiB\)"):
        repo.capture("r2", max_untracked_bytes=1 << 20)


def test_a_missing_object_is_stored_again_from_the_working_tree(repo: Repo) -> None:
    repo.commit(TREE)
    oid = repo.git("rev-parse", "HEAD:a.py")
    lost = repo.top / ".git/objects" / oid[:2] / oid[2:]
    lost.unlink()
    source, copied = repo.round_trip()
    assert copied == files_in(repo.top)
    assert lost.exists()
    assert not source.dirty
    assert list((repo.top / ".git").glob("fast_import_crash*")) == []


def test_what_was_read_once_is_known_and_a_change_with_an_old_date_is_seen(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprokit.source.blobs._CACHE_FILES", 1)
    monkeypatch.setattr("reprokit.source.blobs._FRESH_NS", 0)
    repo.commit({**TREE, "dos.txt": "1\r\n", ".gitattributes": "* text=auto\n"})
    repo.capture("r1")
    read: list[bytes] = []
    monkeypatch.setattr("reprokit.source.blobs.read_bytes", lambda path, _: read.append(path))
    assert repo.capture("r2").dirty is False
    assert read == []
    monkeypatch.undo()
    facts = (repo.top / "a.py").stat()
    repo.write({"a.py": "9\n"})
    os.utime(repo.top / "a.py", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    source = repo.capture("r3")
    assert repo.git("show", f"{source.ref}:a.py") == "9"


def test_a_run_id_is_used_once(repo: Repo) -> None:
    repo.commit(TREE)
    first = repo.capture("r1", when=1)
    with pytest.raises(MachineError, match="refs/reprokit/runs/r1"):
        repo.capture("r1", when=2)
    assert repo.git("rev-parse", str(first.ref)) == first.commit


@pytest.mark.parametrize("run_id", ["", "../x", "a..b", "a/b", "a.lock", "-x", "a b", ".a", "a\n"])
def test_a_run_id_that_no_reference_can_have_is_refused(repo: Repo, run_id: str) -> None:
    with pytest.raises(ConfigError):
        repo.capture(run_id)


def test_a_repository_of_another_user_is_refused_with_the_command_that_trusts_it(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit(TREE)
    real = git.environment
    # git's own switch for this: it then takes every folder for another user's.
    stranger = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(git, "environment", lambda extra=None: real(stranger))
    with pytest.raises(MachineError) as caught:
        repo.capture()
    assert caught.value.code == "unsafe-repository"
    assert f"`git config --global --add safe.directory {repo.top}" in str(caught.value.hint)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        capture(tmp_path / "no", run_id="r1", archive=tmp_path / "source.tar")


def test_the_callers_git_variables_are_not_used(
    repo: Repo, other: Callable[[str], Repo], monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit(TREE)
    monkeypatch.setenv("GIT_DIR", str(other("elsewhere").top / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "nowhere")
    source = capture(repo.top, run_id="r1", archive=repo.archive)
    assert source.store == repo.top / ".git"


def test_a_file_that_cannot_be_read_is_named(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit(TREE)
    real = os.open

    def refuse(path: str | bytes, *rest: int, **more: int) -> int:
        if os.fsencode(path).endswith(b"b/c.py"):
            raise PermissionError(13, "Permission denied")  # root reads everything
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(MachineError) as caught:
        repo.capture()
    assert caught.value.code == "unreadable-source"
    assert str(caught.value.where).endswith("b/c.py")


def test_what_a_run_left_in_its_copy_is_found(repo: Repo, tmp_path: Path) -> None:
    repo.commit(TREE)
    source = repo.capture()
    work = tmp_path / "work"
    materialise(source, work)
    assert leftovers(source, work) == []
    (work / "out").mkdir()
    (work / "out/model.pt").write_text("m")
    (work / "a.py").write_text("changed")
    (work / "gone.py").unlink()
    (work / "b/__pycache__").mkdir()
    (work / "b/__pycache__/c.pyc").write_text("x")
    (work / "etc").symlink_to("/etc")
    os.mkfifo(work / "fifo")
    assert leftovers(source, work) == [work / "a.py", work / "etc", work / "out/model.pt"]


def test_a_repository_below_a_name_with_a_line_end_is_refused(tmp_path: Path, repo: Repo) -> None:
    repo.commit(TREE)
    odd = Repo(repo.top.rename(tmp_path / "new\nline"), repo.archive)
    with pytest.raises(ConfigError, match="line end"):
        odd.capture()


def test_a_damaged_branch_is_not_taken_for_a_first_commit(repo: Repo) -> None:
    repo.commit(TREE)
    (repo.top / ".git/refs/heads/main").write_text("nonsense\n")
    with pytest.raises(MachineError):
        repo.capture()
