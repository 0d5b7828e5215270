import json
import math
from pathlib import Path

import pytest

from reprokit.core import CoreError
from reprokit.core.metrics import MetricsFile, Row


def test_a_row_is_one_line_of_json() -> None:
    row = Row("train", 1, 12, {"loss": 0.3}, time=1795184103.25)
    assert json.loads(row.line()) == {
        "time": 1795184103.25,
        "phase": "train",
        "epoch": 1,
        "step": 12,
        "loss": 0.3,
    }
    assert row.line().endswith("\n")


def test_numbers_that_json_lacks_are_texts() -> None:
    values = {"a": math.nan, "b": math.inf, "c": -math.inf}
    line = Row("train", 1, 1, values).line()
    found = json.loads(line, parse_constant=pytest.fail)
    assert [found[name] for name in "abc"] == ["NaN", "Infinity", "-Infinity"]


def test_a_metric_cannot_take_the_name_of_a_column() -> None:
    with pytest.raises(CoreError, match="reserved-name"):
        Row("train", 1, 1, {"epoch": 2.0})


def test_rows_can_be_read_as_soon_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    file.write([Row("train", 1, step, {"loss": 0.5}) for step in (1, 2)])
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]
    file.close()


@pytest.mark.parametrize(("fresh", "steps"), [(False, [1, 2]), (True, [2])])
def test_a_file_is_added_to_unless_it_is_to_be_fresh(
    tmp_path: Path, fresh: bool, steps: list[int]
) -> None:
    path = tmp_path / "metrics.jsonl"
    for step, anew in ((1, False), (2, fresh)):
        file = MetricsFile(path, fresh=anew)
        file.write([Row("train", 1, step, {})])
        file.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == steps
