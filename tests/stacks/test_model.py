from pathlib import Path

import pytest

from reprokit.errors import ConfigError, NotFoundError
from reprokit.stacks.model import DEV_TOOLS, Stack, load_stack

GOOD = 'python: "3.11"\ntorch: "2.13.0"\nvariant: cu126\nimage: python:3.11-slim-bookworm\n'
DIGEST = "sha256:" + "a" * 64


def load(root: Path, text: str) -> Stack:
    folder = root / "envs" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stack.yaml").write_text(text)
    return load_stack(root, "mine")


def test_the_stack_of_this_repository_is_valid() -> None:
    stack = load_stack(Path(__file__).parents[2], "cpu")
    assert (stack.python, stack.torch_pin, stack.requirements) == (
        "3.11",
        "torch==2.13.0+cpu",
        ("numpy",),
    )


def test_the_variant_decides_the_build_of_torch_and_its_index(tmp_path: Path) -> None:
    stack = load(tmp_path, GOOD)
    assert stack.torch_pin == "torch==2.13.0+cu126"
    assert stack.torch_index.endswith("/whl/cu126")
    assert (stack.system, stack.requirements, stack.dev) == ((), (), DEV_TOOLS)


def test_a_base_image_can_have_a_digest(tmp_path: Path) -> None:
    image = load(tmp_path, GOOD.replace("bookworm", f"bookworm@{DIGEST}")).image
    assert (image.ref, image.digest) == ("python:3.11-slim-bookworm", DIGEST)
    assert str(image) == f"python:3.11-slim-bookworm@{DIGEST}"


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            'python: 3.10\ntorch: ">=2"\nvariant: rocm\nsystem: git\nrequirments: [numpy]\n',
        )
    told = {
        problem.where.rpartition("stack.yaml")[2]: problem.message
        for problem in caught.value.problems
    }
    assert told.keys() == {":1:9", ":2:8", ":3:10", ":4:9", ":5:1", ""}
    assert "`3.10`" in told[":1:9"]
    assert "`image` is missing" in told[""]
    assert any(problem.hint == "did you mean `requirements`?" for problem in caught.value.problems)


@pytest.mark.parametrize(
    "bad", ["torch", "Torch<3", "numpy @ https://x.example/n.whl", "-r x", "a b", 3]
)
def test_what_is_no_requirement_by_name_is_refused(tmp_path: Path, bad: object) -> None:
    with pytest.raises(ConfigError, match=r"requirements\[0\]"):
        load(tmp_path, GOOD + f"requirements: [{bad!r}]\n")


@pytest.mark.parametrize("bad", ["$(reboot)", "git; reboot", "--help", "git\\n"])
def test_a_system_package_cannot_smuggle_a_command(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match=r"system\[0\]"):
        load(tmp_path, GOOD + f'system: ["{bad}"]\n')


def test_an_unknown_stack_is_not_found_and_the_near_one_is_named(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    with pytest.raises(NotFoundError) as caught:
        load_stack(tmp_path, "mime")
    assert caught.value.hint == "did you mean `mine`?"


@pytest.mark.parametrize("name", ["../cpu", "", "a/b", ".hidden", "x" * 65, "a\nb"])
def test_a_name_that_is_no_folder_of_envs_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load_stack(tmp_path, name)


@pytest.mark.parametrize("text", ["", "[]", "text"])
def test_a_stack_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, text)
