"""What lies on disk is what comes back, byte for byte, whatever attributes and settings say."""

import hashlib
from pathlib import Path

import pytest

from reprokit.source import materialise

from .conftest import Repo, files_in

CONVERTING = """\
* text=auto
*.sh text eol=crlf
*.id ident
*.u16 text working-tree-encoding=UTF-16LE
*.rot filter=rot
old.* crlf
secret.py export-ignore
version.py export-subst
[attr]mine text eol=crlf
*.mine mine
"""
FILES: dict[str, bytes | str] = {
    "dos.txt": b"one\r\ntwo\r\n",
    "mixed.txt": b"one\r\ntwo\n",
    "unix.sh": b"one\ntwo\n",
    "a.id": b"$Id$ $Id: 0123 $\n",
    "a.u16": "text\n".encode("utf-16-le"),
    "a.rot": b"hello\n",
    "old.txt": b"a\r\n",
    "secret.py": b"kept\n",
    "version.py": b"$Format:%H$\n",
    "a.mine": b"1\n",
    "nul.bin": bytes(range(256)),
}


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_no_conversion_enters_or_leaves(repo: Repo, autocrlf: str) -> None:
    repo.git("config", "core.autocrlf", autocrlf)
    repo.git("config", "core.safecrlf", "true")
    repo.write({".gitattributes": CONVERTING, "d/.gitattributes": "*.txt text eol=lf\n", **FILES})
    repo.write({f"d/{name}": data for name, data in FILES.items()})
    _, copied = repo.round_trip()
    assert copied == files_in(repo.top)


def test_line_ends_that_git_converts_are_no_change_of_the_users(repo: Repo) -> None:
    repo.commit({".gitattributes": "* text=auto\n", "dos.txt": "1\r\n", "a.py": "1\n"})
    assert repo.git("status", "--porcelain") == ""
    source, copied = repo.round_trip()
    assert copied[b"dos.txt"] == (False, b"1\r\n")
    assert source.tree != repo.git("rev-parse", "HEAD^{tree}")
    assert (source.dirty, source.changed) == (False, 0)


def _pointer(data: bytes) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    head = "version https://git-lfs.github.com/spec/v1"
    return f"{head}\noid sha256:{digest}\nsize {len(data)}\n".encode("ascii")


def test_lfs_files_are_stored_as_they_lie_there_and_pointers_are_noted(repo: Repo) -> None:
    weights, changed = b"weights" * 1000, b"changed" * 1000
    pointers: dict[str, bytes | str] = {
        name: _pointer(weights) for name in ("fetched.bin", "changed.bin", "pointer.bin")
    }
    repo.commit({".gitattributes": "*.bin filter=lfs diff=lfs -text\n", **pointers})
    repo.write({"fetched.bin": weights, "changed.bin": changed})
    source, copied = repo.round_trip()
    assert copied[b"fetched.bin"] == (False, weights)
    assert copied[b"changed.bin"] == (False, changed)
    assert source.changed == 1
    assert source.notes == ("the pointer of a Git LFS file that was never fetched: pointer.bin",)


def test_the_copy_is_exact_under_hostile_global_settings(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "home/.gitconfig").write_text(
        "[core]\nautocrlf = true\neol = crlf\nsymlinks = false\nattributesFile = ~/attributes\n"
        '[filter "lfs"]\nsmudge = false\nprocess = false\nrequired = true\n'
    )
    (tmp_path / "home/attributes").write_text("* text eol=crlf filter=lfs\n")
    repo.write({"a.py": "1\n2\n"})
    (repo.top / "link").symlink_to("a.py")
    source = repo.capture()
    materialise(source, tmp_path / "copy")
    assert files_in(tmp_path / "copy") == files_in(repo.top)


def test_a_global_ignore_file_is_honoured(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "home/.gitconfig").write_text("[core]\nexcludesFile = ~/ignore\n")
    (tmp_path / "home/ignore").write_text("*.swp\n")
    repo.write({"a.py": "1\n", "a.swp": "x\n"})
    _, copied = repo.round_trip()
    assert set(copied) == {b"a.py"}
