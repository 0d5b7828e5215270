"""Names of what holds more than an environment."""

from reprokit.environments.identity import derived_id

ENVIRONMENT = "my-stack-0123456789abcdef"


def test_a_derived_name_changes_with_all_that_it_is_made_of_and_with_nothing_else() -> None:
    one = derived_id(ENVIRONMENT, {"code": {"tree": "1", "dirty": False}})
    assert one == derived_id(ENVIRONMENT, {"code": {"dirty": False, "tree": "1"}})
    assert one.startswith("my-stack-")
    assert len(one) == len(ENVIRONMENT)
    others = [
        derived_id(ENVIRONMENT, {"code": {"tree": "2", "dirty": False}}),
        derived_id("my-stack-1123456789abcdef", {"code": {"tree": "1", "dirty": False}}),
        ENVIRONMENT,
    ]
    assert one not in others
