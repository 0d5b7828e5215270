import pytest

from reprokit.doctor.checkup import CHECKS, perform
from reprokit.doctor.model import Context, Finding, combined, of_error
from reprokit.errors import ConfigError, MachineError, Problem
from tests.doctor.conftest import context


def test_the_worst_of_several_findings_leads_and_the_others_become_details() -> None:
    found = combined(
        [
            Finding("ok", "a is fine", details=("more of a",)),
            Finding("fail", "b is broken", "mend b"),
            Finding("warn", "c is old", "renew c"),
            Finding("fail", "d is broken", "mend b"),
        ]
    )
    assert (found.status, found.message) == ("fail", "b is broken; d is broken")
    assert found.fix == "mend b"
    assert found.details == ("a is fine", "c is old: renew c", "more of a")


def test_an_error_becomes_a_failure_with_its_own_hint_and_every_problem() -> None:
    problems = [Problem("a.yaml:3:1", "unknown key", "did you mean `run`?")]
    found = of_error(ConfigError("bad-config", "it is not valid", problems=problems))
    assert (found.status, found.fix) == ("fail", "did you mean `run`?")
    assert found.details == ("a.yaml:3:1: unknown key",)


def test_an_error_in_a_checks_way_is_what_the_check_found() -> None:
    class Broken:
        NAME, TITLE = "broken", "Broken"

        def run(self, context: Context) -> Finding:
            raise MachineError("x", "it cannot be seen", where="/there", hint="look again")

    result = perform(Broken(), context())
    assert result.finding == Finding("fail", "it cannot be seen", "look again", ("/there",))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.NAME)
def test_every_check_says_something_where_there_is_neither_workspace_nor_engine(check) -> None:  # type: ignore[no-untyped-def]
    found = perform(check, context(None, engine=None))
    assert found.name.islower()
    assert found.title
    assert found.finding.message
    assert found.finding.fix or found.finding.status in ("ok", "skip")


def test_names_are_distinct() -> None:
    assert len({check.NAME for check in CHECKS}) == len(CHECKS)
