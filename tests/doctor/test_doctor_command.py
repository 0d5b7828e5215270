"""`reprokit doctor` as people and programs use it."""

import json
from pathlib import Path

import pytest

from reprokit.doctor.checkup import CHECKS
from reprokit.workspace import find
from tests.conftest import Answer, Place
from tests.doctor.conftest import hidden_run, reference
from tests.doctor.index import index


def finding(answer: Answer, name: str) -> dict[str, str]:
    """What one check found."""
    found = next(check for check in answer.json["checks"] if check["name"] == name)
    assert isinstance(found, dict)
    return found


def test_every_check_is_told_in_one_document(place: Place) -> None:
    answer = place("doctor", "--json")
    document = answer.json
    assert document["schema"] == "reprokit/doctor/1"
    assert [check["name"] for check in document["checks"]] == [check.NAME for check in CHECKS]
    assert document["removed"] == []
    assert answer.code == (4 if document["status"] == "fail" else 0)


def test_a_person_gets_a_line_a_check_and_the_fix_under_it(place: Place) -> None:
    answer = place("doctor")
    lines = answer.stdout.splitlines()
    assert sum(line[:4].strip() in ("ok", "warn", "fail", "skip") for line in lines) == len(CHECKS)
    at = next(number for number, line in enumerate(lines) if "Dockerfiles out of date" in line)
    assert any("fix: `reprokit dockerfile`" in line for line in lines[at:])


def test_quiet_shows_only_what_is_not_well(place: Place) -> None:
    answer = place("doctor", "-q")
    assert "out of date" in answer.stdout
    assert not any(line.startswith(("ok", "skip")) for line in answer.stdout.splitlines())
    assert answer.stderr == ""


def test_a_failure_is_exit_code_4(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", "/nowhere/ca.pem")
    answer = place("doctor", "--json")
    assert answer.code == 4
    assert finding(answer, "packages")["status"] == "fail"
    assert place("doctor").code == 4


def test_settings_that_are_not_valid_do_not_keep_the_machine_from_being_looked_at(
    place: Place,
) -> None:
    (place.root / "reprokit.yaml").write_text("stroe: x\n")
    answer = place("doctor", "--json")
    assert answer.code == 4
    assert finding(answer, "workspace")["status"] == "fail"
    assert finding(answer, "runs")["status"] == "skip"
    assert finding(answer, "uv")["status"] in ("ok", "warn")


def test_outside_of_a_workspace_the_machine_is_looked_at(place: Place, tmp_path: Path) -> None:
    answer = Place(tmp_path)("doctor", "--json")
    assert finding(answer, "workspace")["status"] == "skip"
    assert place("doctor", "--json", "--workspace", tmp_path).code == 3


def test_a_workspace_is_needed_to_clean_one(tmp_path: Path) -> None:
    answer = Place(tmp_path)("doctor", "--fix", "--json")
    assert (answer.code, answer.json["error"]["code"]) == (3, "no-workspace")


def test_no_index_is_asked_unless_it_is_wanted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with index() as served:
        monkeypatch.setenv("PIP_INDEX_URL", served.address.replace("://", "://me:hush@"))
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        # Stands in for PyTorch's own index, which no test may need.
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert finding(place("doctor", "--json"), "packages")["status"] in ("ok", "warn")
        assert served.requests == []
        answer = place("doctor", "--json", "--online")
    assert [path for path, _ in served.requests] == ["/simple/pip/"]
    assert "hush" not in answer.stdout + answer.stderr
    told = finding(answer, "packages")
    assert served.address in json.dumps(told)


def test_fix_lists_what_killed_commands_left_and_removes_it(place: Place) -> None:
    lab = find(place.root)
    folder, name = hidden_run(lab.store, "killed"), reference(lab, "gone")
    before = finding(place("doctor", "--json"), "runs")
    assert before["fix"] == "`reprokit doctor --fix` lists and removes it"
    assert folder.exists()
    answer = place("doctor", "--fix")
    assert f"to remove: {folder}" in answer.stderr
    assert f"to remove: {name} (" in answer.stderr
    assert "removed 2" in answer.stderr
    assert not folder.exists()
    assert finding(place("doctor", "--json"), "runs")["status"] == "ok"


def test_fix_tells_programs_what_it_removed(place: Place) -> None:
    folder = hidden_run(find(place.root).store, "killed")
    removed = place("doctor", "--fix", "--json").json["removed"]
    assert removed == [{"kind": "folder", "path": str(folder)}]


def test_an_address_that_nobody_answers_at_is_a_failure(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    answer = place("doctor", "--json")
    assert answer.code == 4
    assert finding(answer, "access")["status"] == "fail"
    assert finding(answer, "buildx")["status"] == "skip"
