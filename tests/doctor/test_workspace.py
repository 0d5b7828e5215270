from reprokit.doctor import workspace as check
from reprokit.doctor.model import Context
from reprokit.errors import ConfigError
from reprokit.stacks.dockerfiles import write_dockerfiles
from reprokit.stacks.model import load_stack
from reprokit.workspace import find
from tests.conftest import Place
from tests.doctor.conftest import context


def looked(place: Place) -> Context:
    """The context of a workspace as it is now."""
    return context(find(place.root))


def test_a_workspace_with_fresh_locks_and_dockerfiles_is_well(place: Place) -> None:
    write_dockerfiles(place.root, load_stack(place.root, "cpu"))
    found = check.run(looked(place))
    assert (found.status, found.message) == ("ok", "1 stack and 0 projects locked")


def test_dockerfiles_that_are_out_of_date_are_named(place: Place) -> None:
    write_dockerfiles(place.root, load_stack(place.root, "cpu"))
    (place.root / "dockerfiles/cpu/prod.Dockerfile").write_text("FROM scratch\n")
    found = check.run(looked(place))
    assert (found.status, found.fix) == ("warn", "`reprokit dockerfile`")
    assert "dockerfiles/cpu/prod.Dockerfile" in found.details


def test_a_stale_lock_is_named_with_the_command_that_writes_it(place: Place) -> None:
    path = place.root / "envs/cpu/stack.yaml"
    path.write_text(path.read_text().replace("variant: cpu", "variant: cu126"))
    found = check.run(looked(place))
    assert found.status == "warn"
    assert "reprokit lock" in (found.fix or "")
    assert any(line.startswith("envs/cpu/requirements.lock: ") for line in found.details)


def test_a_config_that_is_not_valid_is_a_failure_with_its_place(place: Place) -> None:
    config = place.project("one", "", seeed=1)
    found = check.run(looked(place))
    assert found.status == "fail"
    assert any(str(config) in line for line in found.details)


def test_settings_that_are_not_valid_are_the_finding() -> None:
    error = ConfigError("bad-settings", "they are not valid", hint="look")
    found = check.run(Context(None, context().engine, context().gpus, trouble=error))
    assert (found.status, found.message, found.fix) == ("fail", "they are not valid", "look")


def test_without_a_workspace_there_is_nothing_to_check() -> None:
    assert check.run(context()).status == "skip"
