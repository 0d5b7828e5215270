"""`reprokit build`, with the real stack `cpu`."""

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Place, git
from tests.docker.tiny_stack import docker, remove

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
def made() -> Iterator[list[str]]:
    references: list[str] = []
    yield references
    remove(*references)


def test_prod_holds_the_code_of_now_and_says_which_and_is_built_once(
    place: Place, made: list[str]
) -> None:
    config = place.project("prod", "print('first')\n")
    git(place.root, "add", "-A")
    git(place.root, "commit", "-qm", "code")
    (config.parent / "outputs").mkdir()
    (config.parent / "outputs" / "weights").write_text("left by a run")
    words = ("build", config, "--target", "prod", "--json")
    answer = place(*words).json
    image = answer["environment"]["location"]
    made.append(image)
    assert answer["image"]["built"] is True
    labels = json.loads(docker("image", "inspect", image))[0]["Config"]["Labels"]
    assert (
        labels["org.opencontainers.image.revision"] == git(place.root, "rev-parse", "HEAD").strip()
    )
    assert labels["org.reprokit.code.tree"] == git(place.root, "rev-parse", "HEAD^{tree}").strip()
    assert labels["org.reprokit.code.dirty"] == "false"
    assert docker("run", "--rm", "--network", "none", image) == "first\n"
    assert "outputs" not in docker("run", "--rm", "--network", "none", image, "ls").split()
    # Nothing changed: no build is started, and nothing of the code is left in the repository.
    assert place(*words).json["image"]["built"] is False
    assert git(place.root, "for-each-ref", "refs/reprokit") == ""
    # The code changed, and was not committed.
    (config.parent / "train.py").write_text("print('second')\n")
    again = place("build", config, "--target", "prod")
    made.append(json.loads(place(*words).stdout)["environment"]["location"])
    assert "code" in again.stderr
    assert "prod.log" in again.stderr
    assert made[0] != made[1]
    assert docker("run", "--rm", "--network", "none", made[1]) == "second\n"
    labels = json.loads(docker("image", "inspect", made[1]))[0]["Config"]["Labels"]
    assert labels["org.reprokit.code.dirty"] == "true"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--target", "prd"), "did you mean `prod`?"),
        (("--progress", "bars"), "did you mean `bar`?"),
        (("--engine", "venv", "--verify"), "leave `--engine` out"),
        (("--engine", "venv", "--target", "dev"), "leave `--engine` out"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(
    words: tuple[str, ...], hint: str, place: Place
) -> None:
    config = place.project("prod", "")
    answer = place("build", config, *words)
    assert answer.code == 2
    assert hint in answer.stderr
