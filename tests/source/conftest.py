"""A real repository to capture, and a look at everything in it that a capture must leave alone."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reprokit.source import Source, capture, materialise

_IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")


@dataclass(frozen=True)
class Repo:
    """A folder with files, and git in it when the test says so."""

    top: Path
    archive: Path

    def git(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *_IDENTITY, *words],
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def write(self, tree: dict[str, bytes | str]) -> None:
        for name, data in tree.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)

    def commit(self, tree: dict[str, bytes | str]) -> None:
        self.write(tree)
        self.git("add", "-A")
        self.git("commit", "-q", "--no-gpg-sign", "-m", "x")

    def capture(self, run_id: str = "r1", **options: Any) -> Source:
        return capture(self.top, run_id=run_id, archive=self.archive, **options)

    def round_trip(self, **options: object) -> tuple[Source, dict[bytes, object]]:
        """Capture, materialise, and what is in the copy."""
        source = self.capture(**options)
        copy = self.archive.with_name("copy")
        materialise(source, copy)
        return source, files_in(copy)

    def private_state(self) -> dict[str, object]:
        """Everything of the user's that a capture must not touch."""
        folder = Path(self.git("rev-parse", "--absolute-git-dir"))
        own = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] not in ("objects", "reprokit")
            if "refs/reprokit" not in str(path)
        }
        names = ["stash list", "branch -a", "rev-parse -q --verify HEAD", "reflog", "worktree list"]
        return own | {name: self.git(*name.split(), check=False) for name in names}


def files_in(folder: Path) -> dict[bytes, object]:
    """Path -> (executable, bytes) for a file, the target for a link; git's own folders left out."""
    top = os.fsencode(folder)
    result: dict[bytes, object] = {}
    for parent, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != b".git"]
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in [*names, *links]:
            path = os.path.join(parent, name)
            key = os.path.relpath(path, top)
            if os.path.islink(path):
                result[key] = os.readlink(path)
            elif os.path.isfile(path) and name != b".git":
                with open(path, "rb") as stream:
                    result[key] = (bool(os.stat(path).st_mode & 0o100), stream.read())
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A plain folder that is in no repository."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    top = tmp_path / "repo"
    top.mkdir()
    run = tmp_path / "run"
    run.mkdir()
    return Repo(top, run / "source.tar")


@pytest.fixture
def repo(folder: Repo) -> Repo:
    """A repository without a commit."""
    folder.git("init", "-q", "-b", "main")
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Callable[[str], Repo]:
    """Makes further repositories, with one commit each."""

    def make(name: str) -> Repo:
        top = tmp_path / name
        top.mkdir()
        made = Repo(top, tmp_path / f"{name}.tar")
        made.git("init", "-q", "-b", "main")
        made.commit({"lib.py": f"name = {name!r}\n", "deep/x.py": "1\n"})
        return made

    return make
