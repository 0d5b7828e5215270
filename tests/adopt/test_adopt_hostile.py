"""Files of a stranger are data: nothing of them runs, and none takes long, whatever it holds."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.adopt.adoption import carry_out, prepare
from reprokit.adopt.conclude import Wanted
from reprokit.adopt.gather import gather
from reprokit.adopt.model import Target
from reprokit.adopt.script import read_script
from reprokit.adopt.tree import look
from reprokit.adopt.weigh import weigh
from reprokit.errors import ReproKitError

FILES = (
    "requirements.txt",
    "environment.yml",
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "Pipfile",
    "Pipfile.lock",
    "setup.py",
    "setup.cfg",
    "Dockerfile",
    "apt.txt",
    "runtime.txt",
    "train.py",
    "explore.ipynb",
)
MIB = 1 << 20
HUGE = {
    "many short lines": "a\n" * (MIB // 2),
    "one long line": "a" * (2 * MIB),
    "spaces": " " * (MIB - 1) + "x",
    "empty lines": "\n" * (MIB - 1),
    "brackets": "[" * (MIB - 1),
    "braces": '{"a":' * (MIB // 6),
    "a sum": "x = " + "1+" * 200_000 + "1",
    "a long dotted key": ".".join("a" * 200_000) + " = 1",
    "many dots in tables": "".join(f"[{'.'.join('a' * 40)}.b{n}]\nc = 1\n" for n in range(9_000)),
    "aliases": "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9_000)),
    "dollars": "FROM " + "${a:-" * 150_000,
    "continued lines": "RUN a \\\n" * 100_000,
    "quotes": "\"'" * (MIB // 2 - 1),
    "one package in many versions": '[[package]]\nname = "a"\nversion = "1"\n' * 20_000,
    "specifiers": "a" + ",".join(f">={n}" for n in range(100_000)),
    "a conda spec": "dependencies:\n" + f"  - {'a' * 1_900}!\n" * 500,
    "null bytes": "torch\0" * 1000,
    "surrogates": 'torch = "\\ud800"\n',
    "half a number": "x = " + "9" * 500_000,
}


@pytest.mark.parametrize("name", list(HUGE))
def test_whatever_the_files_hold_they_are_read_in_bounded_time(name: str, tmp_path: Path) -> None:
    for file in FILES:
        (tmp_path / file).write_text(HUGE[name])
    start = time.process_time()
    tree = look(tmp_path)
    script = read_script(tree, None)
    weigh(gather(tree, script.cells), Target("3.10"))
    assert time.process_time() - start < 20


def exit_code(root: Path) -> int:
    """What `reprokit init` would exit with; everything but an error of ours goes through."""
    try:
        prepare(root, None, Wanted())
    except ReproKitError as error:
        return error.exit_code
    return 0


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    file=st.sampled_from(FILES),
    data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode),
)
def test_any_bytes_are_read_or_noted_and_never_a_crash(
    tmp_path: Path, file: str, data: bytes
) -> None:
    for one in FILES:
        (tmp_path / one).unlink(missing_ok=True)
    (tmp_path / "main.py").write_text("import torch\n")
    (tmp_path / file).write_bytes(data)
    assert exit_code(tmp_path) in (0, 2, 3)


def pieces(*words: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), max_size=30).map("".join)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requirements=pieces(
        "torch",
        "==",
        "1.12.1",
        "+cu113",
        "\n",
        "-r ",
        "-c ",
        "a",
        "; ",
        "#",
        "@ ",
        "https://x/whl/cu113",
        "[",
        "]",
        "-f ",
        "-e ",
        "\\",
        ">=",
        ",",
        "requirements.txt",
        " --hash=sha256:00",
    ),
    conda=pieces(
        "dependencies:\n",
        "  - ",
        "python",
        "=",
        "3.8",
        "pytorch",
        "\n",
        "pip:\n",
        "    - ",
        "cudatoolkit",
        "11.3",
        "*",
        "::",
        " ",
        ">=",
        "[",
        "]",
    ),
    toml=pieces(
        "[project]\n",
        "dependencies",
        " = ",
        "[",
        '"torch"',
        "]",
        "\n",
        "[tool.poetry.dependencies]\n",
        "torch",
        '"^1.2"',
        "{",
        "}",
        "version",
        ",",
        "python",
    ),
    code=pieces(
        "import torch",
        "\n",
        "parser.add_argument(",
        '"--lr"',
        ", ",
        "default=",
        "1e-3",
        "type=float",
        ")",
        "torch.manual_seed(",
        "42",
        "open(",
        '"a/b"',
        '"w"',
        "f",
        "[",
        "]",
        ".",
    ),
)
def test_words_in_any_order_are_read_or_refused(
    tmp_path: Path, requirements: str, conda: str, toml: str, code: str
) -> None:
    (tmp_path / "requirements.txt").write_text(requirements)
    (tmp_path / "environment.yml").write_text(conda)
    (tmp_path / "pyproject.toml").write_text(toml)
    (tmp_path / "train.py").write_text(code)
    assert exit_code(tmp_path) in (0, 2, 3)


def test_nothing_of_a_repository_is_executed(tmp_path: Path) -> None:
    planted = f"import pathlib; pathlib.Path({str(tmp_path / 'executed')!r}).touch()\n"
    root = tmp_path / "repo"
    root.mkdir()
    for file in (
        "setup.py",
        "train.py",
        "conftest.py",
        "sitecustomize.py",
        "yaml.py",
        "packaging.py",
    ):
        (root / file).write_text(planted + "import torch\nif __name__ == '__main__': pass\n")
    script = tmp_path / "planted.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path / 'executed'}\n")
    script.chmod(0o755)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for key in ("core.fsmonitor", "gpg.program", "core.pager", "diff.external", "core.sshCommand"):
        subprocess.run(["git", "config", key, str(script)], cwd=root, check=True)
    subprocess.run(["git", "config", "log.showSignature", "true"], cwd=root, check=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.fsmonitor=false"]
    subprocess.run(["git", *who, "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "all"], cwd=root, check=True)
    words = [sys.executable, "-m", "reprokit", "init", str(root), "--no-lock", "--json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout)["run"] == "python train.py"
    assert not (tmp_path / "executed").exists()


def test_links_pipes_and_files_outside_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("password-of-ada\n")
    root = tmp_path / "repo"
    (root / "data").mkdir(parents=True)
    (root / "train.py").write_text("import torch\n")
    (root / "requirements.txt").write_text("-r ../secret.txt\n-r /etc/hostname\ntorch==2.4.0\n")
    (root / "apt.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outside").symlink_to(tmp_path)
    os.mkfifo(root / "environment.yml")
    adoption = prepare(root, None, Wanted())
    assert "password-of-ada" not in json.dumps(adoption.conclusion.document())
    carry_out(adoption)
    assert all(
        "password" not in path.read_text()
        for path in root.glob("*.*")
        if path.is_file() and not path.is_symlink()
    )


def test_credentials_in_addresses_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\n")
    (tmp_path / "requirements.txt").write_text(
        "--extra-index-url https://ada:planted-word@example.org/simple\n"
        "git+https://ada:planted-word@example.org/x.git\n"
        "x @ https://ada:planted-word@example.org/x.whl\n"
        "-e git+https://ada:planted-word@example.org/y.git#egg=y\n"
    )
    adoption = prepare(tmp_path, None, Wanted())
    carry_out(adoption)
    said = json.dumps([note.document() for note in adoption.notes])
    written = "".join(draft.text for draft in adoption.drafts)
    assert "planted-word" not in said + written
    assert "example.org" in said
