"""Reading snapshots on the host: the real probe's words, and words that are no snapshot."""

import json
from pathlib import Path
from typing import Any

import pytest

from reprokit.errors import IntegrityError, NotFoundError
from reprokit.inside import probe
from reprokit.snapshot.model import SCHEMA, Snapshot, load, parse, summarize


@pytest.fixture(scope="module")
def taken() -> dict[str, Any]:
    """What the real probe says about the interpreter of these tests."""
    return probe.take({"code": {"commit": "abc"}})


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_summary_of_a_real_snapshot_says_what_this_machine_is(
    tmp_path: Path, taken: dict[str, Any]
) -> None:
    snapshot = load(write(tmp_path / "snapshot.json", taken))
    summary = summarize(snapshot)
    assert summary.python is not None
    assert summary.python.startswith("3.")
    assert summary.packages > 10
    assert summary.memory_bytes is not None
    assert summary.memory_bytes > 1 << 28
    assert summary.kernel
    assert snapshot.layer("code") == {"commit": "abc"}
    assert snapshot.unknown == {}


def test_a_missing_snapshot_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load(tmp_path / "snapshot.json")
    assert caught.value.code == "no-snapshot"


def test_a_truncated_snapshot_is_an_integrity_error(tmp_path: Path, taken: dict[str, Any]) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(taken)[:-40], encoding="utf-8")
    with pytest.raises(IntegrityError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize("schema", ["reprokit/snapshot/2", "reprokit/run/1", None, 1])
def test_another_schema_is_named_and_refused(tmp_path: Path, schema: object) -> None:
    path = write(tmp_path / "snapshot.json", {"schema": schema, "layers": {}})
    with pytest.raises(IntegrityError) as caught:
        load(path)
    assert caught.value.code == "snapshot-schema"
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "wrong", [{"layers": []}, {"layers": {"python": "3.11"}}, {"observed": {}}, {"observed": [1]}]
)
def test_parts_of_the_wrong_kind_are_an_integrity_error(wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse({"schema": SCHEMA, **wrong}, where="x")
    assert caught.value.code == "bad-snapshot"


def test_facts_of_the_wrong_kind_leave_the_summary_empty_there() -> None:
    layers = {
        "hardware": {"cpu": "AMD", "gpus": 3},
        "framework": {"torch": None},
        "packages": {"distributions": {"a": 1}},
    }
    summary = summarize(parse({"schema": SCHEMA, "layers": layers}, where="x"))
    assert (summary.cpu, summary.gpus, summary.torch, summary.packages) == (None, (), None, 0)


def test_a_probe_that_failed_as_a_whole_is_shown_as_unknown() -> None:
    snapshot = parse({"schema": SCHEMA, "unknown": "the probe failed: x"}, where="x")
    assert snapshot.unknown == {"probe": "the probe failed: x"}


def test_a_layer_that_failed_is_unknown_and_a_part_of_a_layer_is_not() -> None:
    layers = {"system": {"unknown": "no"}, "driver": {"nvidia": {"unknown": "none"}}}
    assert Snapshot("", layers, {}).unknown == {"system": "no"}
