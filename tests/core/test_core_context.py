import json
from pathlib import Path

import pytest

from reprokit.core import CoreError, Run


def variables(folder: Path, **more: str) -> dict[str, str]:
    return {
        "REPROKIT_RUN_DIR": str(folder),
        "REPROKIT_RUN_ID": "20261120-141503-quiet-otter",
        "REPROKIT_SEED": "7",
        "REPROKIT_DETERMINISM": "strict",
        "REPROKIT_PARAMS": '{"lr": 0.003}',
        "REPROKIT_DATA": '{"digits": "/data/digits"}',
        **more,
    }


def test_a_run_is_what_reprokit_set(tmp_path: Path) -> None:
    run = Run.current(environ=variables(tmp_path, REPROKIT_PROGRESS="file"))
    assert run == Run(
        folder=tmp_path,
        params={"lr": 0.003},
        data={"digits": Path("/data/digits")},
        seed=7,
        determinism="strict",
        id="20261120-141503-quiet-otter",
        managed=True,
        watched=True,
    )


def test_the_config_wins_over_the_defaults_of_the_script(tmp_path: Path) -> None:
    run = Run.current({"lr": 1.0, "epochs": 5}, variables(tmp_path))
    assert run.params == {"lr": 0.003, "epochs": 5}


def test_nobody_watches_unless_it_is_said(tmp_path: Path) -> None:
    assert not Run.current(environ=variables(tmp_path)).watched


def test_a_script_started_by_hand_gets_a_local_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run.current({"lr": 1.0}, environ={})
    folder = tmp_path / "outputs" / "local"
    assert run == Run(folder=folder, params={"lr": 1.0}, seed=42, determinism="seeded")
    assert folder.is_dir()
    said = capsys.readouterr()
    assert str(folder) in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPROKIT_SEED", "-1"),
        ("REPROKIT_SEED", "4294967296"),
        ("REPROKIT_SEED", "forty-two"),
        ("REPROKIT_DETERMINISM", "very"),
        ("REPROKIT_PARAMS", "{"),
        ("REPROKIT_PARAMS", "[]"),
        ("REPROKIT_DATA", '"digits"'),
    ],
)
def test_a_variable_that_makes_no_sense_is_refused_by_name(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(CoreError) as caught:
        Run.current(environ=variables(tmp_path, **{name: value}))
    assert caught.value.code == "bad-variable"
    assert caught.value.where == name


def test_a_run_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="no-run-folder"):
        Run.current(environ=variables(tmp_path / "gone"))


def test_files_are_written_below_the_run_folder(run: Run) -> None:
    run.write_json("outputs/deep/result.json", {"accuracy": 0.5})
    run.write_text("outputs/words.txt", "grün\n")
    assert json.loads((run.folder / "outputs/deep/result.json").read_text()) == {"accuracy": 0.5}
    assert (run.folder / "outputs/words.txt").read_bytes() == "grün\n".encode()
