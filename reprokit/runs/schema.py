"""Reading records strictly, and their JSON Schema: the one place that knows the schema versions."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from reprokit.errors import IntegrityError, Problem
from reprokit.runs.model import SCHEMA, RunRecord

_RUN: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)


def validate(raw: dict[str, Any], *, where: str) -> RunRecord:
    """A record from its JSON.

    Raises:
        IntegrityError: another schema version, or fields that the schema does not allow.
    """
    if raw.get("schema") != SCHEMA:
        raise IntegrityError(
            "unknown-schema",
            f"the record says it is `{raw.get('schema')}`; this version reads `{SCHEMA}`",
            where=where,
            hint="a newer ReproKit may have written it: `pip install -U reprokit-lab`",
        )
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
    """The JSON Schema of every file that ReproKit writes, by schema id."""
    document = _RUN.json_schema()
    return {SCHEMA: {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}}


