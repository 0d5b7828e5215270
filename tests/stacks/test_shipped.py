"""The stacks that come with ReproKit: locked for real, of one mind with the facts, their Dockerfiles as generated."""

from pathlib import Path

import pytest

from reprokit.stacks import locks
from reprokit.stacks.dockerfiles import write_dockerfiles
from reprokit.stacks.facts import lookup
from reprokit.stacks.model import load_stack
from reprokit.stacks.resolution import resolve_stack

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.parent.name for path in REPOSITORY.glob("envs/*/stack.yaml"))
CUDA = [name for name in SHIPPED if name != "cpu"]


def test_there_is_one_for_each_generation_that_the_package_index_served_by_default() -> None:
    variants = {load_stack(REPOSITORY, name).variant for name in SHIPPED}
    assert variants == {
        "cpu",
        "cu117",
        "cu121",
        "cu124",
        "cu126",
        "cu128",
        "cu130",
        "cu132",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_its_locks_are_fresh_and_every_pin_has_a_hash(name: str) -> None:
    for lock in (
        locks.check_stack_lock(REPOSITORY, name),
        locks.check_dev_lock(REPOSITORY, name),
    ):
        assert lock.header.stack == name
        assert all(pin.hashes for pin in lock.pins)


@pytest.mark.parametrize("name", SHIPPED)
def test_its_dockerfiles_are_what_the_generator_makes(name: str) -> None:
    files = write_dockerfiles(REPOSITORY, load_stack(REPOSITORY, name), check=True)
    assert [file.path.name for file in files if file.changed] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_its_lock_holds_the_very_builds_that_the_facts_pair(name: str) -> None:
    found = resolve_stack(load_stack(REPOSITORY, name))
    lock = locks.check_stack_lock(REPOSITORY, name)
    assert lock.version("torch") == found.versions["torch"]
    for other in ("torchvision", "torchaudio"):
        assert lock.version(other) in (None, found.versions.get(other))
    for need in found.needs:
        package, _, below = need.requirement.partition("<")
        locked = lock.version(package)
        assert locked is None or lookup.numbers(locked) < lookup.numbers(below)


@pytest.mark.parametrize("name", CUDA)
def test_the_wheels_own_metadata_agrees_with_the_facts_on_cudnn_nccl_and_triton(name: str) -> None:
    found = resolve_stack(load_stack(REPOSITORY, name))
    assert found.release
    assert found.build
    lock = locks.check_stack_lock(REPOSITORY, name)
    major = (found.build.cuda or "").partition(".")[0]
    assert lock.version(f"nvidia-cudnn-cu{major}") == found.build.cudnn
    assert found.carries_cuda
    if found.build.nccl:
        assert lock.version(f"nvidia-nccl-cu{major}") == found.build.nccl
    if found.release.triton and found.release.triton[0].isdigit():
        assert lock.version("triton") == found.release.triton


@pytest.mark.parametrize("name", CUDA)
def test_its_image_is_a_plain_one_as_the_wheels_bring_cuda(name: str) -> None:
    stack = load_stack(REPOSITORY, name)
    assert stack.image.ref == f"python:{stack.python}-slim-bookworm"
    text = (REPOSITORY / "dockerfiles" / name / "prod.Dockerfile").read_text()
    assert "NVIDIA_VISIBLE_DEVICES" in text
    assert "UV_TORCH_BACKEND" not in text


@pytest.mark.index
@pytest.mark.slow
def test_locking_again_from_nothing_gives_the_same_builds(tmp_path: Path) -> None:
    name = "torch2.5-cu124"
    file = tmp_path / "envs" / name / "stack.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes((REPOSITORY / "envs" / name / "stack.yaml").read_bytes())
    before = locks.check_stack_lock(REPOSITORY, name)
    for old in ("requirements.lock", "dev.lock"):
        (file.parent / old).write_bytes((REPOSITORY / "envs" / name / old).read_bytes())
    again = locks.lock_stack(tmp_path, name)[0].lock
    assert again.pins == before.pins
