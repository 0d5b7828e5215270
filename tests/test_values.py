"""Values are real dataclasses to whoever uses them: each shape is held against the real decorator's."""

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from reprokit import values

REPRESENTATIVE = """
@{module}.dataclass(frozen=True{slots})
class Shape:
    '''A shape of every kind of field.'''
    name: str
    size: int = 3
    tags: tuple[str, ...] = ()
    facts: Mapping[str, int] = {module}.field(default_factory=dict)
    secret: str | None = {module}.field(default=None, repr=False, compare=False)

    @property
    def double(self) -> int:
        return 2 * self.size
"""


def shape(module: str, *, slots: bool = False) -> Any:
    """The class above, by one decorator or the other."""
    scope: dict[str, Any] = {
        "values": values,
        "dataclasses": dataclasses,
        "Mapping": Mapping,
        "__name__": __name__,
    }
    exec(REPRESENTATIVE.format(module=module, slots=", slots=True" if slots else ""), scope)
    return scope["Shape"]


SLOTS = pytest.mark.parametrize("slots", [False, True])


@SLOTS
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("a",), {}),
        (("a", 4, ("x",)), {"secret": "s"}),
        ((), {"name": "a", "facts": {"k": 1}}),
    ],
)
def test_a_value_is_what_the_real_decorator_makes(
    words: tuple[Any, ...], named: dict[str, Any], slots: bool
) -> None:
    ours = shape("values", slots=slots)(*words, **named)
    real = shape("dataclasses", slots=slots)(*words, **named)
    assert repr(ours) == repr(real)
    assert values.asdict(ours) == dataclasses.asdict(real) == dataclasses.asdict(ours)
    assert ours.double == real.double
    assert ours == type(ours)(*words, **named)
    assert ours != real
    assert values.replace(ours, size=9) == dataclasses.replace(ours, size=9)
    assert copy.copy(ours) == ours
    assert hasattr(ours, "__dict__") is hasattr(real, "__dict__") is not slots


@SLOTS
def test_the_fields_of_a_value_are_those_of_the_real_one(slots: bool) -> None:
    ours, real = shape("values", slots=slots), shape("dataclasses", slots=slots)

    def told(kind: Any) -> list[tuple[Any, ...]]:
        return [
            (f.name, f.type, f.default, f.default_factory, f.repr, f.compare)
            for f in dataclasses.fields(kind)
        ]

    assert told(ours) == told(real)
    assert ours.__match_args__ == real.__match_args__


@SLOTS
def test_a_value_cannot_be_changed(slots: bool) -> None:
    value = shape("values", slots=slots)("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.size = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.size


def test_what_does_not_compare_does_not_count_for_the_hash() -> None:
    kind = shape("values")
    one, other = kind("a", facts=None), kind("a", facts=None, secret="s")
    assert one == other
    assert hash(one) == hash(other)
    assert one != kind("b", facts=None)


def test_each_value_has_a_default_of_its_own() -> None:
    kind = shape("values")
    assert kind("a").facts is not kind("a").facts


@pytest.mark.parametrize(
    ("words", "named"), [((), {}), (("a", 1, (), {}, "s", 5), {}), (("a",), {"colour": 1})]
)
def test_wrong_arguments_are_refused_as_for_any_function(
    words: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="argument"):
        shape("values")(*words, **named)


def test_what_changes_is_no_value() -> None:
    with pytest.raises(TypeError, match="frozen"):
        values.dataclass(frozen=False)


def test_pydantic_takes_a_value_for_a_dataclass() -> None:
    adapter = TypeAdapter(shape("values"))
    assert adapter.validate_python({"name": "a", "facts": {"k": 1}}).facts == {"k": 1}
    assert adapter.json_schema() == TypeAdapter(shape("dataclasses")).json_schema()


@values.dataclass(frozen=True)
class Pair:
    """Two things."""

    left: int
    right: "Pair | None" = None


def test_values_inside_values_become_dictionaries_and_survive_a_pickle() -> None:
    pair = Pair(1, Pair(2))
    assert values.asdict(pair) == {"left": 1, "right": {"left": 2, "right": None}}
    assert pickle.loads(pickle.dumps(pair)) == pair


def test_a_value_is_made_without_the_machinery_of_dataclasses() -> None:
    script = (
        "import sys\n"
        "from reprokit.layout import RunPaths\n"
        "print(repr(RunPaths('x')) and not {'dataclasses', 'inspect'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.stdout == "True\n", done.stderr
