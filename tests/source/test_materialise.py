"""The copy that a run executes: exact or not there, and nothing else beside it."""

from pathlib import Path

import pytest

from reprokit.errors import IntegrityError, MachineError
from reprokit.source import leftovers, materialise, stamps_path
from reprokit.source.git import without_credentials

from .conftest import Repo, files_in


def test_only_the_copy_and_its_stamps_are_made(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a.py": "1\n"})
    source = repo.capture()
    (tmp_path / "here").mkdir()
    work = tmp_path / "here/work"
    materialise(source, work)
    assert sorted(tmp_path.joinpath("here").iterdir()) == [work, stamps_path(work)]


def test_a_copy_can_be_made_twice_and_is_independent_of_the_users_files(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit({"a.py": "1\n"})
    source = repo.capture()
    before = files_in(repo.top)
    repo.write({"a.py": "edited while it trains\n"})
    for name in ("one", "two"):
        materialise(source, tmp_path / name)
        assert files_in(tmp_path / name) == before


def test_a_folder_with_files_in_it_is_refused_and_kept(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a.py": "1\n"})
    (tmp_path / "work").mkdir()
    (tmp_path / "work/mine").write_text("x")
    with pytest.raises(MachineError, match="files already"):
        materialise(repo.capture(), tmp_path / "work")
    assert (tmp_path / "work/mine").exists()


def test_a_source_whose_objects_are_gone_is_an_integrity_error(repo: Repo, tmp_path: Path) -> None:
    repo.write({"a.py": "1\n"})
    source = repo.capture()
    oid = repo.git("rev-parse", f"{source.ref}:a.py")
    (repo.top / ".git/objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(IntegrityError) as caught:
        materialise(source, tmp_path / "work")
    assert caught.value.code == "source-lost"
    assert not (tmp_path / "work").exists()


def test_leftovers_of_a_copy_that_is_unknown_or_anothers_are_refused(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit({"a.py": "1\n"})
    first = repo.capture("r1")
    with pytest.raises(IntegrityError, match="no note"):
        leftovers(first, tmp_path / "nowhere")
    materialise(first, tmp_path / "work")
    repo.write({"a.py": "2\n"})
    with pytest.raises(IntegrityError, match="another source"):
        leftovers(repo.capture("r2"), tmp_path / "work")


def test_a_run_that_deletes_its_copy_leaves_nothing_over(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a.py": "1\n"})
    source = repo.capture()
    materialise(source, tmp_path / "work")
    (tmp_path / "work/a.py").unlink()
    (tmp_path / "work").rmdir()
    assert leftovers(source, tmp_path / "work") == []


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://user:s3cret@host.example/x.git", "https://host.example/x.git"),
        ("https://s3cret@host.example:8443/x", "https://host.example:8443/x"),
        ("https://host.example/x?token=s3cret#s3cret", "https://host.example/x"),
        ("https://a:s3@cret@host.example/x", "https://host.example/x"),
        ("ssh://git:s3cret@host.example:22/x", "ssh://host.example:22/x"),
        ("ssh://git@host.example/x", "ssh://git@host.example/x"),
        ("git@host.example:me/x.git", "git@host.example:me/x.git"),
        ("me:s3cret@host.example:x", "host.example:x"),
        ("ext::sh -c s3cret", "ext::..."),
        ("../sibling", "../sibling"),
        ("file:///home/x", "file:///home/x"),
    ],
)
def test_credentials_are_cut_from_an_address(address: str, kept: str) -> None:
    assert without_credentials(address) == kept


def test_remotes_are_recorded_without_credentials(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "https://u:s3cret@host.example/x")
    (remote,) = repo.capture().remotes
    assert (remote.name, remote.url) == ("origin", "https://host.example/x")
