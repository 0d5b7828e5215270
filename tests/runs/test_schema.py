"""What a run writes follows the schemas that `reprokit schema` prints, and a record is read strictly."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reprokit.errors import IntegrityError
from reprokit.layout import RunPaths
from reprokit.runs import schema, store
from reprokit.runs.model import FINAL, RunRecord
from tests.engines.watching import lasting_place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_home: Path) -> Path:
    """The folder of a real run that failed."""
    with lasting_place(tmp_path_factory.mktemp("one"), shared_home) as place:
        found: Path = place.run(place.project("fails", "raise SystemExit(7)"))["folder"]
    return found


@pytest.fixture
def raw(folder: Path) -> dict[str, Any]:
    """Its record."""
    return copy.deepcopy(store.read_raw(RunPaths(folder)))


@pytest.mark.parametrize("name", ["run", "plan", "source", "snapshot"])
def test_a_written_file_follows_its_printed_schema(folder: Path, name: str) -> None:
    from reprokit.files import read_json

    document = read_json(folder / f"{name}.json")
    printed = schema.schemas()[document["schema"]]
    jsonschema.Draft202012Validator.check_schema(printed)
    jsonschema.validate(document, printed)


def test_a_record_is_the_value_that_was_written(raw: dict[str, Any]) -> None:
    record = schema.validate(raw, where="run.json")
    assert isinstance(record, RunRecord)
    assert (record.state, record.exit.code if record.exit else None) == ("failed", 7)
    assert record.final
    assert record.state in FINAL


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("argv", "python train.py", "argv"),
        ("argv", [1], "argv.0"),
        ("usage", {"user_s": "much"}, "usage.user_s"),
        ("exit", {"code": "7"}, "exit.signal"),
        ("process", {"supervisor": 1}, "process.training"),
    ],
)
def test_a_field_that_the_schema_does_not_allow_is_named(
    raw: dict[str, Any], key: str, value: object, place: str
) -> None:
    with pytest.raises(IntegrityError) as caught:
        schema.validate({**raw, key: value}, where="run.json")
    assert place in [problem.where for problem in caught.value.problems]


def test_another_schema_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(IntegrityError) as caught:
        schema.validate({"schema": "reprokit/run/9", "id": 5}, where="run.json")
    assert caught.value.code == "unknown-schema"
