from collections.abc import Callable

import pytest

from reprokit.doctor import buildx
from reprokit.doctor.buildx import Observed
from tests.doctor.conftest import context

# What versions look like: Docker's own packages, Debian's, Docker Desktop's.
SAID = [
    "github.com/docker/buildx v0.17.1 257815a",
    "github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4",
    "github.com/docker/buildx v0.12.1-desktop.4 abc",
]


@pytest.mark.parametrize("said", SAID)
def test_every_way_to_say_a_version_is_read(said: str) -> None:
    found = buildx.decide(Observed(said=said))
    assert found.status == "ok"
    assert found.message.startswith("buildx 0.")


def test_an_old_buildx_cannot_be_followed() -> None:
    found = buildx.decide(Observed(said="github.com/docker/buildx v0.8.2 6224def"))
    assert (found.status, found.fix) == ("fail", buildx.INSTALL)


def test_a_builder_that_does_not_answer_is_a_failure_with_its_words() -> None:
    found = buildx.decide(Observed(said=SAID[0], builder="ERROR: no builder"))
    assert found.status == "fail"
    assert "ERROR: no builder" in found.message


def test_a_version_that_cannot_be_read_is_unknown_and_not_guessed() -> None:
    assert buildx.decide(Observed(said="development build")).status == "warn"


def test_a_docker_program_without_buildx_is_seen(stand_ins: Callable[..., None]) -> None:
    stand_ins(docker="echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1")
    found = buildx.run(context())
    assert (found.status, found.fix) == ("fail", buildx.INSTALL)


def test_an_engine_without_the_docker_program_cannot_build(stand_ins: Callable[..., None]) -> None:
    stand_ins()
    assert "not on PATH" in buildx.run(context()).message


def test_the_last_words_of_a_builder_that_fails_are_told(stand_ins: Callable[..., None]) -> None:
    stand_ins(
        docker='[ "$2" = version ] && echo "github.com/docker/buildx v0.30.0 x" && exit\n'
        'echo "warning" >&2; echo "ERROR: it is gone" >&2; exit 1'
    )
    assert buildx.observe() == Observed(
        said="github.com/docker/buildx v0.30.0 x", builder="ERROR: it is gone"
    )


@pytest.mark.docker
def test_the_real_buildx_answers() -> None:
    assert buildx.run(context()).status == "ok"
