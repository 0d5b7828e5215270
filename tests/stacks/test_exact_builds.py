"""A lock holds the build that the stack names, and never another one of the same number."""

from pathlib import Path

import pytest

from reprokit.errors import ConfigError, IntegrityError, ReproKitError
from reprokit.stacks import locks
from reprokit.stacks.requirements import parse_pins
from tests.stacks.wheelhouse import make_wheel

STACK = """\
python: "3.11"
torch: "2.13.0"
variant: cu130
image: python:3.11-slim-bookworm
requirements: [torchvision]
dev: []
"""


@pytest.fixture
def root(tmp_path: Path, wheelhouse: Path) -> Path:
    """A stack for CUDA, where a folder of wheels holds the builds for processors too."""
    make_wheel(wheelhouse, "torch", "2.13.0+cpu")
    make_wheel(wheelhouse, "torchvision", "0.28.0+cpu", needs=("torch==2.13.0",))
    make_wheel(wheelhouse, "torchvision", "0.27.0", needs=("torch==2.13.0",))
    folder = tmp_path / "workspace" / "envs" / "gpu"
    folder.mkdir(parents=True)
    (folder / "stack.yaml").write_text(STACK)
    return tmp_path / "workspace"


def complete(wheelhouse: Path) -> None:
    make_wheel(wheelhouse, "torch", "2.13.0")
    make_wheel(wheelhouse, "torchvision", "0.28.0", needs=("torch==2.13.0",))


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_the_build_for_processors_is_left_where_it_is(
    root: Path, wheelhouse: Path, resolver: str
) -> None:
    complete(wheelhouse)
    stack, _ = locks.lock_stack(root, "gpu", resolver=resolver)
    assert list(map(str, stack.lock.pins)) == ["torch==2.13.0", "torchvision==0.28.0"]


def test_a_project_on_top_is_resolved_against_the_same_build(root: Path, wheelhouse: Path) -> None:
    complete(wheelhouse)
    make_wheel(wheelhouse, "learn", "1.0", needs=("torch", "torchvision"))
    locks.lock_stack(root, "gpu")
    project = root / "projects" / "one"
    project.mkdir(parents=True)
    (project / "requirements.in").write_text("learn\n")
    result = locks.lock_project(root, "gpu", project)
    assert result is not None
    assert list(map(str, result.lock.pins)) == ["learn==1.0"]


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_where_only_another_build_can_be_had_nothing_is_locked(root: Path, resolver: str) -> None:
    with pytest.raises(ReproKitError):
        locks.lock_stack(root, "gpu", resolver=resolver)
    assert not (root / "envs" / "gpu" / "requirements.lock").exists()


def test_a_resolver_that_chose_another_build_is_not_believed() -> None:
    pins = parse_pins("torch==2.13.0+cpu --hash=sha256:" + "1" * 64, where="test")
    with pytest.raises(
        IntegrityError, match=r"torch==2\.13\.0\+cpu where torch==2\.13\.0"
    ) as caught:
        locks._refuse_substitutes(pins, {"torch": "2.13.0"})
    assert (caught.value.code, caught.value.exit_code) == ("substituted-build", 5)


def test_a_stack_that_never_existed_is_not_even_resolved(root: Path) -> None:
    file = root / "envs" / "gpu" / "stack.yaml"
    file.write_text(STACK.replace("cu130", "cu124"))
    with pytest.raises(ConfigError, match=r"torch 2\.13\.0 was never built for cu124"):
        locks.lock_stack(root, "gpu")


def test_numpy_2_is_kept_away_from_a_build_that_does_not_know_it(
    root: Path, wheelhouse: Path
) -> None:
    make_wheel(wheelhouse, "torch", "2.1.2", needs=("numpy",))
    make_wheel(wheelhouse, "numpy", "1.26.4")
    make_wheel(wheelhouse, "numpy", "2.0.0")
    text = (
        STACK.replace("2.13.0", "2.1.2").replace("cu130", "cu121").replace("torchvision", "numpy")
    )
    (root / "envs" / "gpu" / "stack.yaml").write_text(text)
    assert locks.lock_stack(root, "gpu")[0].lock.version("numpy") == "1.26.4"
