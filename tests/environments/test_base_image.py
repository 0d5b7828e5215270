"""Which image a stack is built from."""

import pytest

from reprokit.environments.base_image import choose_base, engine_environment, substitute
from reprokit.errors import IntegrityError
from reprokit.stacks.model import BaseImage

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def found(identity: str, *digests: str) -> dict[str, object]:
    return {"Id": identity, "RepoDigests": list(digests)}


def test_the_build_is_held_to_the_digest_that_the_tag_has_now() -> None:
    image = BaseImage("python:3.11-slim")
    base = choose_base(image, "python:3.11-slim", found(TWO, f"debian@{TWO}", f"python@{ONE}"))
    assert (base.reference, base.digest) == (f"python:3.11-slim@{ONE}", ONE)


def test_a_name_without_a_tag_means_the_latest() -> None:
    base = choose_base(BaseImage("python"), "python", found(ONE, f"python@{ONE}"))
    assert base.reference == f"python:latest@{ONE}"


def test_the_long_name_of_an_image_is_known_by_its_short_one() -> None:
    name = "docker.io/library/python:3.11"
    assert choose_base(BaseImage(name), name, found(TWO, f"python@{ONE}")).digest == ONE


def test_a_port_is_not_a_tag() -> None:
    name = "127.0.0.1:5000/python"
    base = choose_base(BaseImage(name), name, found(TWO, f"127.0.0.1:5000/python@{ONE}"))
    assert base.reference == f"127.0.0.1:5000/python:latest@{ONE}"


def test_an_image_that_was_only_loaded_is_used_by_its_tag() -> None:
    base = choose_base(BaseImage("python:3.11"), "python:3.11", found(TWO))
    assert (base.reference, base.digest) == ("python:3.11", TWO)


def test_a_tag_that_moved_is_refused_with_both_digests() -> None:
    image = BaseImage("python:3.11", ONE)
    with pytest.raises(IntegrityError) as caught:
        choose_base(image, "python:3.11", found(TWO, f"python@{TWO}"))
    assert (caught.value.code, caught.value.exit_code) == ("base-image-moved", 5)
    assert ONE in caught.value.message
    assert TWO in caught.value.message
    assert f"docker pull python@{ONE}" in (caught.value.hint or "")


def test_a_tag_that_still_is_what_the_stack_pins_is_used() -> None:
    image = BaseImage("python:3.11", ONE)
    assert choose_base(image, "python:3.11", found(TWO, f"python@{ONE}")).digest == ONE


def test_a_pinned_image_that_has_no_tag_here_is_used_by_its_digest() -> None:
    image = BaseImage("python:3.11", ONE)
    base = choose_base(image, f"python@{ONE}", found(TWO, f"python@{ONE}"))
    assert base.reference == f"python@{ONE}"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({}, "python:3.11"),
        ({"python:3.11": "mirror.example/py:3.11"}, "mirror.example/py:3.11"),
        ({"python": "mirror.example/python"}, "mirror.example/python:3.11"),
        ({"python:3.1": "wrong"}, "python:3.11"),
    ],
)
def test_a_workspace_may_name_another_place_for_a_base_image(
    setting: dict[str, str], expected: str
) -> None:
    assert substitute("python:3.11", setting) == expected


def test_the_docker_program_is_held_to_the_engine_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    environment = engine_environment()
    assert "DOCKER_CONTEXT" not in environment
    assert environment["DOCKER_HOST"] == "unix:///run/other.sock"
