"""How the command line talks: one JSON document, exit codes, errors with a fix, and any terminal whatsoever."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reprokit import files
from tests.conftest import Place
from tests.engines.watching import WAITS, lasting_place, refs, run_folders, start


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, shared_home: Path) -> Any:
    """A workspace with two completed runs and a failed one."""
    with lasting_place(tmp_path_factory.mktemp("used"), shared_home) as place:
        place.project("fails", "raise SystemExit(7)")
        config = place.project("quick", "print('hi')")
        for project in ("fails", "quick", "quick"):
            place.run(config.parent.parent / project / "config.yaml")
        yield place


QUICK = "projects/quick/config.yaml"
# Words, exit code, and the schema or the code of the error that `--json` prints.
CALLS: list[tuple[list[str], int, str]] = [
    (["runs"], 0, "reprokit/runs/1"),
    (["runs", "--project", "none"], 0, "reprokit/runs/1"),
    (["show", "@last"], 0, "reprokit/show/1"),
    (["logs", "@last"], 0, "reprokit/logs/1"),
    (["schema"], 0, "reprokit/schemas/1"),
    (["lock", "--check"], 0, "reprokit/lock/1"),
    (["run", QUICK, "--engine", "venv"], 0, "reprokit/run-result/1"),
    (["run", QUICK, "--engine", "venv", "--detach"], 0, "reprokit/run-result/1"),
    (["run", QUICK, "--engine", "venv", "--dry-run"], 0, "reprokit/dry-run/1"),
    (["build", QUICK, "--engine", "venv"], 0, "reprokit/build/1"),
    (["run", "projects/fails/config.yaml", "--engine", "venv"], 1, "reprokit/run-result/1"),
    (["rnus"], 2, "no-command"),
    (["runs", "--bogus"], 2, "usage"),
    (["runs", "--last", "none"], 2, "usage"),
    (["show"], 2, "usage"),
    (["run", QUICK, "--engine", "dokcer"], 2, "no-engine"),
    (["run", QUICK, "-o", "sede=1"], 2, "bad-config"),
    (["run", "projects/none/config.yaml"], 2, "no-file"),
    (["lock", "--resolver", "conda"], 2, "no-resolver"),
    (["show", "2"], 2, "ambiguous-run"),
    (["show", "a/b"], 2, "run-is-a-path"),
    (["stop", "@last"], 2, "not-running"),
    (["show", "20200101-000000-no-such"], 3, "no-run"),
    (["logs", "nothing"], 3, "no-run"),
    (["schema", "reprokit/nothing/1"], 3, "no-schema"),
    (["lock", "none"], 3, "no-target"),
    (["runs", "--workspace", "/"], 3, "no-workspace"),
    (["run", QUICK, "--engine", "venv", "-o", "resources.gpus=1"], 4, "no-gpu"),
]


@pytest.mark.parametrize(
    ("words", "code", "says"), CALLS, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_json_is_one_document_whatever_happens(
    used: Place, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, says: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    answer = used(*words, "--json")
    document = answer.json
    assert answer.code == code, document
    if document["schema"] == "reprokit/error/1":
        assert document["error"]["code"] == says
        assert document["error"]["exit_code"] == code
        assert document["error"]["message"]
    else:
        assert document["schema"] == says


@pytest.mark.parametrize(("words", "code", "says"), [call for call in CALLS if call[1] > 1])
def test_an_error_says_what_happened_and_never_shows_a_traceback(
    used: Place, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, says: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    answer = used(*words)
    assert answer.code == code
    assert answer.stderr.startswith(f"error[{says}]: ")
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["rnus"], "runs"),
        (["dockerfiel"], "dockerfile"),
        (["run", QUICK, "--engine", "dokcer"], "docker"),
        (["run", QUICK, "-o", "sede=1"], "seed"),
        (["schema", "reprokit/rum/1"], "reprokit/run/1"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(used: Place, words: list[str], meant: str) -> None:
    assert f"did you mean `{meant}`?" in used(*words).stderr


def test_a_run_that_is_nearly_named_is_suggested(used: Place) -> None:
    run_id = used("runs", "--quiet").stdout.split()[-1]
    slip = run_id[:-3] + "x" + run_id[-2:]
    assert f"did you mean `{run_id}`?" in used("show", slip).stderr


def test_a_traceback_is_shown_when_it_is_asked_for(used: Place) -> None:
    answer = used("show", "nothing", "--debug")
    assert answer.code == 1
    assert "Traceback" in answer.stderr
    assert "NotFoundError" in answer.stderr


def test_help_begins_with_what_it_does_and_examples(used: Place) -> None:
    for command in ("run", "runs", "show", "logs", "stop", "lock", "dockerfile", "build", "schema"):
        answer = used(command, "--help")
        assert answer.code == 0
        assert f"  reprokit {command}" in answer.stdout


def test_without_words_there_is_help(used: Place) -> None:
    answer = used()
    assert "reprokit run projects/digits/config.yaml" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_last_line_names_the_next_command(used: Place) -> None:
    done = used("run", QUICK, "--engine", "venv")
    run_id = used("runs", "-q").stdout.split()[-1]
    assert done.stderr.splitlines()[-1] == f"next: `reprokit show {run_id}`"
    assert used("show", "@last").stderr.splitlines()[-1] == f"next: `reprokit logs {run_id}`"
    detached = used("run", QUICK, "--engine", "venv", "--detach").stderr.splitlines()[-1]
    assert detached.startswith("next: `reprokit logs -f 2")
    failed = used("run", "projects/fails/config.yaml", "--engine", "venv").stderr.splitlines()[-1]
    assert failed.startswith("hint: `reprokit logs 2")


def test_standard_output_is_data_and_nothing_else(used: Place) -> None:
    answer = used("run", QUICK, "--engine", "venv")
    assert answer.stdout == "hi\n"
    quiet = used("run", QUICK, "--engine", "venv", "-q")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert used("logs", "@last").stdout == "hi\n"


def test_a_run_is_named_by_its_beginning_its_end_or_last(used: Place) -> None:
    first, *_, last = used("runs", "-q").stdout.split()
    for name, run_id in ((first, first), (first[9:], first), ("@last", last), (last[9:], last)):
        assert used("show", name, "--json").json["run"]["id"] == run_id
    ids = used("runs", "-q").stdout.split()
    shortest = next(
        first[:n]
        for n in range(1, len(first) + 1)
        if sum(i.startswith(first[:n]) for i in ids) == 1
    )
    assert used("show", shortest, "--json").json["run"]["id"] == first


def test_runs_are_chosen_by_project_state_and_number(used: Place) -> None:
    failed = used("runs", "--state", "failed", "--json").json["runs"]
    assert {run["project"] for run in failed} == {"fails"}
    assert len(used("runs", "-n", "1", "-q").stdout.split()) == 1
    assert {
        run["project"] for run in used("runs", "--project", "quick", "--json").json["runs"]
    } == {"quick"}


TERMINALS: list[dict[str, str]] = [
    {"NO_COLOR": "1"},
    {"TERM": "dumb"},
    {"COLUMNS": "20"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "", "LANG": ""},
]


@pytest.fixture(scope="module")
def unicode_place(tmp_path_factory: pytest.TempPathFactory, shared_home: Path) -> Any:
    """A workspace in a folder with a name of many scripts, with one run."""
    folder = tmp_path_factory.mktemp("x") / "Prüfung 実験 \U0001f600"
    folder.mkdir()
    with lasting_place(folder, shared_home) as place:
        place.run(place.project("quick", "print('größer')"))
        yield place


@pytest.mark.parametrize("variables", TERMINALS, ids=str)
def test_no_terminal_and_no_locale_breaks_a_command(
    unicode_place: Place, variables: dict[str, str]
) -> None:
    environment = {**os.environ, **variables}
    for words in (
        ["runs"],
        ["show", "@last"],
        ["logs", "@last"],
        ["--help"],
        ["run", QUICK, "--engine", "venv"],
    ):
        command = unicode_place.start(*words, env=environment)
        out, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        assert b"\x1b[" not in out + err
        assert b"Traceback" not in err
    for words in (["show", "@last", "--json"], ["show", "größer", "--json"]):
        command = unicode_place.start(*words, env=environment)
        out, _ = command.communicate(timeout=60)
        document = json.loads(out)
        assert document["schema"] in ("reprokit/show/1", "reprokit/error/1")
    assert "größer" in document["error"]["message"] or "PYTHONUTF8" in variables


@pytest.mark.parametrize(
    "words", [["runs"], ["show", "@last"], ["logs", "@last"], ["schema"], ["--help"]]
)
def test_whoever_stops_reading_gets_no_traceback(used: Place, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "reprokit", *words]
    done = subprocess.run(argv, cwd=used.root, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr.decode().count("Traceback") == 0
    assert b"Broken pipe" not in done.stderr
    assert done.returncode == 0


def test_a_training_goes_on_when_nobody_reads_its_output(used: Place) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "reprokit", "run", QUICK, "--engine", "venv"]
    done = subprocess.run(argv, cwd=used.root, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert b"Traceback" not in done.stderr
    run_id = done.stderr.decode().split("run ")[1].split()[0]
    waited = used("logs", "-f", run_id)
    assert waited.stdout == "hi\n"
    assert used("show", run_id, "--json").json["run"]["state"] == "completed"


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
@pytest.mark.parametrize("words", ["runs", "show nothing", f"run {QUICK} --engine venv"])
def test_closed_standard_streams_are_no_reason_to_fail(
    used: Place, closed: str, words: str
) -> None:
    shut = " ".join(f"{number}>&-" for number in closed.split())
    line = f"{sys.executable} -m reprokit {words} {shut}"
    done = subprocess.run(["sh", "-c", line], cwd=used.root, capture_output=True, check=False)
    assert done.returncode == (3 if "nothing" in words else 0), done
    assert b"Traceback" not in done.stdout + done.stderr


def test_ctrl_c_before_anything_runs_is_130_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = place.project("early", WAITS)
    made = place("build", config, "--engine", "venv", "--json").json["environment"]["id"]
    # A store without that environment, whose lock the test holds: the command waits for it.
    monkeypatch.setenv("REPROKIT_HOME", str(tmp_path / "home"))
    with files.exclusive(tmp_path / "home" / "locks" / f"{made}.lock"):
        command = place.start("run", config, "--engine", "venv", "--json", start_new_session=True)
        assert command.stderr is not None
        assert b"waiting" in command.stderr.readline()
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert b"Traceback" not in err
    assert run_folders(place) == refs(place) == []


def test_ctrl_c_once_stops_the_training_and_says_so_in_json(place: Place) -> None:
    run = start(place, place.project("waits", WAITS), "--json", engine="venv")
    run.command.send_signal(signal.SIGINT)
    code, out, _ = run.end()
    document = json.loads(out)
    assert (code, document["run"]["state"]) == (130, "stopped")


def test_lock_check_says_what_is_stale_and_writes_nothing(place: Place) -> None:
    assert place("lock", "--check").code == 0
    stack = place.root / "envs" / "cpu" / "stack.yaml"
    stack.write_text(stack.read_text() + "requirements: [numpy==2.3.0]\n")
    before = {path: path.read_bytes() for path in place.root.rglob("*.lock")}
    answer = place("lock", "--check")
    assert answer.code == 2
    assert "`reprokit lock`" in answer.stderr
    assert {path: path.read_bytes() for path in place.root.rglob("*.lock")} == before
    refused = place("run", place.project("quick", ""), "--engine", "venv")
    assert refused.code == 2
    assert run_folders(place) == refs(place) == []


def test_dockerfile_check_says_what_differs_and_writes_nothing(place: Place) -> None:
    missing = place("dockerfile", "cpu", "--check", "--json")
    assert missing.code == 2
    assert missing.json["changed"]
    assert not (place.root / "dockerfiles").exists()
    assert place("dockerfile", "cpu").code == 0
    assert place("dockerfile", "cpu", "--check").code == 0
    prod = place.root / "dockerfiles" / "cpu" / "prod.Dockerfile"
    before = prod.read_bytes()
    prod.write_bytes(before + b"# by hand\n")
    answer = place("dockerfile", "--check")
    assert answer.code == 2
    assert "prod.Dockerfile: differs" in answer.stderr
    assert place("dockerfile").code == 0
    assert prod.read_bytes() == before


def test_an_error_keeps_its_exit_code_when_nobody_reads_it(used: Place) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "reprokit", "show", "nothing", "--json"]
    done = subprocess.run(argv, cwd=used.root, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, b"")
