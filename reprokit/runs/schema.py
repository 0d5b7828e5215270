"""The files of a record as JSON Schema, and reading `run.json` strictly: the one place that knows the versions."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from reprokit.data import DatasetManifest
from reprokit.errors import IntegrityError, Problem
from reprokit.plan import Plan
from reprokit.runs.model import SCHEMA, RunRecord
from reprokit.runs.shape import check_schema
from reprokit.snapshot.model import Snapshot
from reprokit.source import Source

_RUN: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_FILES: dict[str, TypeAdapter[Any]] = {
    SCHEMA: _RUN,
    "reprokit/plan/1": TypeAdapter(Plan),
    "reprokit/source/1": TypeAdapter(Source),
    "reprokit/snapshot/1": TypeAdapter(Snapshot),
    "reprokit/dataset/1": TypeAdapter(DatasetManifest),
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def validate(raw: dict[str, Any], *, where: str) -> RunRecord:
    """A record from its JSON.

    Raises:
        IntegrityError: another schema version, or fields that the schema does not allow.
    """
    check_schema(raw, where=where)
    try:
        return _RUN.validate_python(raw)
    except ValidationError as error:
        raise IntegrityError(
            "bad-record",
            "the run's record does not follow its schema",
            where=where,
            problems=[
                Problem(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()
            ],
        ) from error


def schemas() -> dict[str, Any]:
    """The JSON Schema of every file of a record, by schema id."""
    return {name: _schema(name, adapter) for name, adapter in _FILES.items()}


def _schema(name: str, adapter: TypeAdapter[Any]) -> dict[str, Any]:
    document = adapter.json_schema()
    properties = {"schema": {"const": name}, **document.pop("properties")}
    required = ["schema", *(key for key in document.pop("required", ()) if key != "schema")]
    return {
        "$schema": _DIALECT,
        "title": name,
        **{key: value for key, value in document.items() if key != "title"},
        "properties": properties,
        "required": required,
    }
