"""What the Dockerfiles say: the same bytes always, from what changes least to what changes most."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.stacks.dockerfiles import (
    KINDS,
    Kind,
    dev_dockerfile,
    dockerfile,
    dockerfile_path,
    dockerignore,
    prod_dockerfile,
    recipe_digest,
    write_dockerfiles,
)
from reprokit.stacks.model import BaseImage, Stack, load_stack

REPOSITORY = Path(__file__).resolve().parents[2]
CPU = Stack("cpu", "3.11", "2.13.0", "cpu", BaseImage("python:3.11-slim-bookworm"))
CUDA = replace(
    CPU,
    name="cu126",
    variant="cu126",
    image=BaseImage("nvidia/cuda:12.6.3-runtime-ubuntu22.04", "sha256:" + "1" * 64),
    system=("python3.11", "libgomp1=12.3.0-1ubuntu1~22.04"),
)
PRINT = """
import sys
from pathlib import Path
from reprokit.stacks.dockerfiles import dev_dockerfile, dockerignore, prod_dockerfile
from reprokit.stacks.model import load_stack
stack = load_stack(Path(sys.argv[1]), "cpu")
text = prod_dockerfile(stack) + dev_dockerfile(stack) + dockerignore(stack, "dev")
sys.stdout.buffer.write(text.encode())
"""


def printed(root: Path, cwd: Path, **changes: str) -> bytes:
    """The Dockerfiles as a process of its own makes them."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **changes}
    argv = [sys.executable, "-W", "error", "-c", PRINT, str(root)]
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, check=True)
    return done.stdout


def layers(text: str) -> list[str]:
    """What the layers of the last stages do, in order."""
    return re.findall(r"/layer (system .+|packages .+|code)\n", text)


def environment_of(text: str) -> str:
    """The stage that a run uses, as text."""
    begin = text.index(" AS environment")
    return (
        text[begin : text.index("FROM environment AS", begin)].partition("\n# The code")[0].strip()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_dockerfiles_are_what_the_stack_makes(kind: Kind) -> None:
    stack = load_stack(REPOSITORY, "cpu")
    path = dockerfile_path(REPOSITORY, "cpu", kind)
    assert path.read_bytes() == dockerfile(stack, kind).encode()
    ignored = path.with_name(path.name + ".dockerignore")
    assert ignored.read_bytes() == dockerignore(stack, kind).encode()


def test_no_folder_locale_hash_seed_time_zone_or_user_changes_a_byte(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "envs").symlink_to(REPOSITORY / "envs")
    here = printed(REPOSITORY, REPOSITORY, PYTHONHASHSEED="1", LC_ALL="C", TZ="UTC")
    there = printed(
        tmp_path / "other",
        tmp_path,
        PYTHONHASHSEED="2",
        LC_ALL="tr_TR.UTF-8",
        TZ="Asia/Kolkata",
        HOME=str(tmp_path),
        USER="somebody",
        PIP_INDEX_URL="https://ada:hunter22@one.example/simple",
        SSL_CERT_FILE="/nowhere/ca.pem",
    )
    assert here == there


@pytest.mark.parametrize("stack", [CPU, CUDA], ids=["cpu", "cuda"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_machine_is_in_a_dockerfile(stack: Stack, kind: Kind) -> None:
    text = dockerfile(stack, kind)
    assert "https://..." in text
    addresses = re.findall(r"https?://(?!\.\.\.)\S+", text)
    assert addresses == []
    assert str(REPOSITORY) not in text
    assert str(Path.home()) + "/" not in text


def test_layers_go_from_what_changes_least_to_what_changes_most() -> None:
    assert layers(prod_dockerfile(CUDA)) == [
        "system python3.11 libgomp1=12.3.0-1ubuntu1~22.04",
        "packages /run/reprokit/locks/stack.lock",
        "packages /run/reprokit/locks/project/requirements.cu126.lock",
        "code",
    ]


def test_without_system_packages_there_is_no_layer_for_them() -> None:
    assert not any(layer.startswith("system") for layer in layers(prod_dockerfile(CPU)))


def test_dev_is_the_environment_of_prod_and_then_the_tools() -> None:
    assert environment_of(dev_dockerfile(CUDA)) == environment_of(prod_dockerfile(CUDA))
    extra = layers(dev_dockerfile(CUDA))[3:]
    assert extra[0] == "system git"
    assert extra[1].startswith("packages /run/reprokit/locks/dev.lock ")


def test_the_base_is_named_with_the_digest_that_the_stack_pins() -> None:
    pinned = f"ARG BASE_IMAGE=nvidia/cuda:12.6.3-runtime-ubuntu22.04@sha256:{'1' * 64}\n"
    assert pinned in prod_dockerfile(CUDA)
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm\n" in prod_dockerfile(CPU)


def test_only_a_stack_for_gpus_asks_the_engine_for_them() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" in prod_dockerfile(CUDA)
    assert "NVIDIA" not in prod_dockerfile(CPU)


def test_no_frontend_is_fetched_to_read_a_dockerfile() -> None:
    assert "# syntax=" not in prod_dockerfile(CPU) + dev_dockerfile(CPU)


def test_what_is_taken_into_an_image_ends_at_secrets_and_litter() -> None:
    lines = dockerignore(CPU, "prod").splitlines()
    assert lines[1] == "*"
    assert {"**/.env", "**/.git", "**/__pycache__"} <= set(lines)
    assert "!projects/*/requirements.cpu.lock" in dockerignore(CPU, "dev").splitlines()


def test_writing_twice_writes_once(tmp_path: Path) -> None:
    first = write_dockerfiles(tmp_path, CPU)
    assert [file.path.name for file in first] == [
        "dev.Dockerfile",
        "dev.Dockerfile.dockerignore",
        "prod.Dockerfile",
        "prod.Dockerfile.dockerignore",
    ]
    assert all(file.changed for file in first)
    times = [file.path.stat().st_mtime_ns for file in first]
    again = write_dockerfiles(tmp_path, CPU)
    assert not any(file.changed for file in again)
    assert [file.path.stat().st_mtime_ns for file in again] == times


def test_a_check_tells_what_differs_and_writes_nothing(tmp_path: Path) -> None:
    assert all(file.changed for file in write_dockerfiles(tmp_path, CPU, check=True))
    assert list(tmp_path.iterdir()) == []
    write_dockerfiles(tmp_path, CPU)
    edited = dockerfile_path(tmp_path, "cpu", "prod")
    edited.write_text("FROM scratch\n")
    changed = [file.path for file in write_dockerfiles(tmp_path, CPU, check=True) if file.changed]
    assert changed == [edited]
    assert edited.read_text() == "FROM scratch\n"


def test_the_recipe_has_a_digest_without_a_template_engine() -> None:
    told = "import sys; from reprokit.stacks.dockerfiles import recipe_digest as r; print(r())"
    told += "; assert not {'jinja2', 'yaml', 'importlib.metadata'} & set(sys.modules)"
    argv = [sys.executable, "-c", told]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, check=True)
    assert done.stdout.decode().strip() == recipe_digest()


def test_the_shell_in_a_dockerfile_is_shell(tmp_path: Path) -> None:
    script = re.search(r"<<'SH' /layer\n(.*?)\nSH\n", prod_dockerfile(CUDA), re.DOTALL)
    assert script is not None
    subprocess.run(["sh", "-n"], input=script[1].encode(), check=True)


def test_the_python_in_a_dockerfile_compiles_what_is_there_and_skips_what_is_broken(
    tmp_path: Path,
) -> None:
    script = re.search(r"<<'PY' /compile.py\n(.*?)\nPY\n", prod_dockerfile(CPU), re.DOTALL)
    assert script is not None
    for name, text in {"a/x.py": "x = 1", "a/b/y.py": "y = 2", "a/broken.py": "def"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run([sys.executable, "-S", "-", tmp_path], input=script[1].encode(), check=True)
    made = sorted(path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc"))
    assert made == ["x", "y"]
