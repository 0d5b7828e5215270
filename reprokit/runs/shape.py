"""Whether a record's JSON is what every command takes for granted: a quick look, without pydantic."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from reprokit.errors import IntegrityError
from reprokit.runs.model import FINAL, SCHEMA, State

_TEXTS = ("id", "project", "created", "host", "reprokit")
_MOMENT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d+)?Z")


def check_raw(raw: Mapping[str, Any], *, where: str) -> None:
    """Refuse a record that this version must neither read nor write; `schema.validate` looks at the rest.

    Raises:
        IntegrityError: it is of another schema, or what every command needs of it is not there.
    """
    check_schema(raw, where=where)
    engine, end = raw.get("engine"), raw.get("exit")
    if not (
        all(isinstance(raw.get(key), str) for key in _TEXTS)
        and raw.get("state") in get_args(State)
        and isinstance(engine, dict)
        and isinstance(engine.get("name"), str)
        and isinstance(engine.get("handle"), dict)
        and isinstance(engine.get("released"), bool)
        and all(_is_moment(raw.get(key)) for key in ("started", "ended"))
        and (isinstance(end, dict) if raw.get("state") in FINAL else end is None)
    ):
        raise IntegrityError(
            "bad-record", "the run's record does not follow its schema", where=where
        )


def check_schema(raw: Mapping[str, Any], *, where: str) -> None:
    """Refuse a record of another schema.

    Raises:
        IntegrityError: it is.
    """
    if raw.get("schema") != SCHEMA:
        raise IntegrityError(
            "unknown-schema",
            f"the record says it is `{raw.get('schema')}`; this version reads `{SCHEMA}`",
            where=where,
            hint="a newer ReproKit may have written it: `pip install -U reprokit-lab`",
        )


def _is_moment(value: object) -> bool:
    return value is None or (isinstance(value, str) and bool(_MOMENT.fullmatch(value)))
