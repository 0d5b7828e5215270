"""A workspace without a repository goes into a tar file, and comes back exactly."""

import io
import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from reprokit.errors import ConfigError, IntegrityError, MachineError, NotFoundError
from reprokit.source import Source, leftovers, materialise

from .conftest import Repo, files_in

TREE: dict[str, bytes | str] = {"a.py": "1\n", "b/c.py": "2\r\n", "-x": "3", "b.py": "4"}


def _fill(folder: Repo) -> None:
    folder.write(TREE)
    (folder.top / "b/c.py").chmod(0o755)
    (folder.top / "link").symlink_to("/etc/passwd")
    name = os.path.join(os.fsencode(folder.top), b"new\nline \xe9" + b"n" * 200)
    Path(os.fsdecode(name)).write_bytes(b"odd")


def test_the_files_come_back_and_the_tree_is_the_one_that_git_would_name(folder: Repo) -> None:
    _fill(folder)
    source, copied = folder.round_trip()
    assert copied == files_in(folder.top)
    assert (source.kind, source.commit, source.ref, source.dirty) == ("archive", None, None, True)
    assert source.untracked == 6
    assert leftovers(source, folder.archive.with_name("copy")) == []
    folder.git("init", "-q")
    assert folder.capture().tree == source.tree


def test_the_same_files_make_the_same_archive(folder: Repo) -> None:
    _fill(folder)
    folder.capture()
    first = folder.archive.read_bytes()
    for name in TREE:
        os.utime(folder.top / name, (1, 1))
    folder.capture()
    assert folder.archive.read_bytes() == first
    assert sorted(path.name for path in folder.archive.parent.iterdir()) == ["source.tar"]


def test_environments_caches_and_excluded_folders_are_left_out(folder: Repo) -> None:
    folder.write({"a.py": "1", "venv/pyvenv.cfg": "", "venv/lib/x.py": "", "runs/1/run.json": ""})
    folder.write({"p/__pycache__/x.pyc": "", ".cache/CACHEDIR.TAG": "", ".cache/x": ""})
    os.mkfifo(folder.top / "fifo")
    source, copied = folder.round_trip(exclude=[PurePosixPath("runs")])
    assert set(copied) == {b"a.py"}
    assert source.notes == (
        "left out, a virtual environment or a cache: .cache, venv",
        "left out, not a file, a folder or a link: fifo",
    )


def test_too_much_data_is_refused(folder: Repo) -> None:
    folder.write({"big.bin": bytes(2 << 20)})
    with pytest.raises(ConfigError, match=r"big\.bin"):
        folder.capture(max_untracked_bytes=1 << 20)
    assert not folder.archive.exists()


def test_a_workspace_that_its_repository_ignores_is_an_archive_and_says_so(repo: Repo) -> None:
    repo.commit({".gitignore": "build\n", "a.py": "1"})
    inner = Repo(repo.top / "build/lab", repo.archive)
    inner.write({"train.py": "2"})
    source, copied = inner.round_trip()
    assert (source.kind, set(copied)) == ("archive", {b"train.py"})
    assert "ignores this workspace" in source.notes[0]


def test_a_git_folder_that_git_cannot_read_is_noted(folder: Repo) -> None:
    folder.write({".git/HEAD": "nonsense", "a.py": "1"})
    source, copied = folder.round_trip()
    assert (source.kind, set(copied)) == ("archive", {b"a.py"})
    assert source.notes[0].startswith("no repository that git can read")


def test_a_bare_repository_is_no_working_tree(folder: Repo) -> None:
    folder.git("init", "-q", "--bare", ".git")
    folder.write({"a.py": "1"})
    assert folder.capture().kind == "archive"


def test_no_repository_needs_no_git(folder: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    folder.write({"a.py": "1"})
    assert folder.capture().kind == "archive"
    folder.write({".git/HEAD": "ref: refs/heads/main\n"})
    with pytest.raises(MachineError, match="git"):
        folder.capture()


def test_an_archive_that_cannot_be_written_is_an_error(folder: Repo) -> None:
    folder.write({"a.py": "1"})
    folder.archive.parent.rmdir()
    with pytest.raises(MachineError) as caught:
        folder.capture()
    assert caught.value.code == "source-not-stored"


def _tar(path: Path, *members: tuple[str, bytes, str, str]) -> Source:
    with tarfile.open(path, "w") as tar:
        for name, kind, data, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, len(data)
            tar.addfile(info, io.BytesIO(data.encode()))
    return Source(kind="archive", store=path, tree="0" * 40)


@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "x", "")],
        [("/tmp/out", tarfile.REGTYPE, "x", "")],
        [("a/../../out", tarfile.REGTYPE, "x", "")],
        [("a", tarfile.SYMTYPE, "", ".."), ("a/out", tarfile.REGTYPE, "x", "")],
        [("a", tarfile.SYMTYPE, "", "../out"), ("a", tarfile.REGTYPE, "x", "")],
        [("a", tarfile.REGTYPE, "x", ""), ("b", tarfile.LNKTYPE, "", "a")],
        [("a", tarfile.FIFOTYPE, "", "")],
        [("a", tarfile.CHRTYPE, "", "")],
        [("a", tarfile.DIRTYPE, "", "")],
        [(".git/config", tarfile.REGTYPE, "x", "")],
        [("a", tarfile.REGTYPE, "x", ""), ("a/b", tarfile.REGTYPE, "x", "")],
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(
    tmp_path: Path, members: list[tuple[str, bytes, str, str]]
) -> None:
    source = _tar(tmp_path / "source.tar", *members)
    with pytest.raises(IntegrityError):
        materialise(source, tmp_path / "copy" / "deep")
    assert [path.name for path in tmp_path.rglob("*")] == ["source.tar", "copy"] or sorted(
        path.name for path in tmp_path.rglob("*")
    ) == ["copy", "source.tar"]


def test_a_changed_or_cut_archive_is_refused_and_leaves_nothing(folder: Repo) -> None:
    _fill(folder)
    source = folder.capture()
    whole = folder.archive.read_bytes()
    copy = folder.archive.with_name("copy")
    for damaged in (whole.replace(b"2\r\n", b"9\r\n"), whole[: len(whole) // 2], whole[:512], b""):
        folder.archive.write_bytes(damaged)
        with pytest.raises(IntegrityError):
            materialise(source, copy)
        assert not copy.exists()
    folder.archive.unlink()
    with pytest.raises(NotFoundError):
        materialise(source, copy)
