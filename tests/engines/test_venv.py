"""Engine venv: what a training gets, byte for byte, and what it cannot take along or leave behind."""

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Place
from tests.engines.watching import (
    WAITS,
    printed,
    refs,
    run_folders,
    start,
    stored_bytes,
    until,
)

PRINTS_ARGV = "import os, sys; print(ascii([os.fsencode(word) for word in sys.argv[1:]]))"
# What has a meaning for shells, option parsers, YAML or our own placeholders stands beside the rest.
NASTY = [
    "", "-", "--", "-rf", "--help", "a b", "'", '"', "\\", "$HOME", "${HOME}", "`id`", "$(id)", ";", "&&",
    "|", ">", "*", "?", "[a]", "~", "#", "!", "%s", "{}", "{x}", "{{", "\n", "a\nb", "\t", "\r\n", "é", "名前",
    "\U0001f600", "\u202e", "=", "k=v", ":", "null", "no", "1e3", "@file", "\x01", "\x7f", "\u2028", "\ufeff",
]  # fmt: skip
WORD = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
).filter(lambda word: "{params." not in word)


def write_command(config: Path, argv: list[str]) -> None:
    """Make `run:` of a config exactly these words."""
    document = json.loads(config.read_text()) if not config.is_symlink() else {}
    config.write_text(yaml.safe_dump({**document, "run": argv}), encoding="utf-8")


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(WORD, min_size=20, max_size=60))
def test_every_word_of_a_command_arrives_byte_for_byte(place: Place, words: list[str]) -> None:
    config = place.project("words", PRINTS_ARGV)
    write_command(config, ["python", "train.py", *words])
    record = place.run(config)
    assert record["state"] == "completed"
    assert printed(record).decode() == ascii([word.encode() for word in words]) + "\n"


def test_all_words_with_a_meaning_elsewhere_have_none_here(place: Place) -> None:
    config = place.project("words", PRINTS_ARGV)
    write_command(config, ["python", "train.py", *NASTY])
    assert printed(place.run(config)).decode() == ascii([w.encode() for w in NASTY]) + "\n"


ALLOWED = {
    "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "HOME", "LANG", "LC_ALL", "LOGNAME", "MKL_DYNAMIC",
    "MKL_NUM_THREADS", "OMP_DYNAMIC", "OMP_NUM_THREADS", "PATH", "PYTHONHASHSEED", "PYTHONNOUSERSITE",
    "PYTHONPATH", "PYTHONUNBUFFERED", "REPROKIT_DATA", "REPROKIT_DETERMINISM", "REPROKIT_PARAMS",
    "REPROKIT_PROJECT", "REPROKIT_RUN_DIR", "REPROKIT_RUN_ID", "REPROKIT_SEED", "TMPDIR", "USER",
    "VIRTUAL_ENV", "XDG_CACHE_HOME",
}  # fmt: skip
PRINTS_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_the_environment_is_the_allow_list_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "ada")
    for name in ("LD_LIBRARY_PATH", "PYTHONSTARTUP", "AWS_SECRET_ACCESS_KEY", "http_proxy", "TZ"):
        monkeypatch.setenv(name, "from-the-host")
    config = place.project(
        "bare", PRINTS_ENVIRONMENT, seed=7, params={"lr": 0.1}, resources={"cpus": 2}
    )
    found = json.loads(printed(place.run(config)))
    assert set(found) == ALLOWED
    assert "from-the-host" not in found.values()
    assert found["CUDA_VISIBLE_DEVICES"] == ""
    assert found["REPROKIT_SEED"] == found["PYTHONHASHSEED"] == "7"
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "2"
    assert json.loads(found["REPROKIT_PARAMS"]) == {"lr": 0.1}


def test_without_determinism_nothing_is_seeded_from_outside(place: Place) -> None:
    config = place.project("free", PRINTS_ENVIRONMENT, determinism="off")
    found = json.loads(printed(place.run(config)))
    assert not {"PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", "OMP_NUM_THREADS"} & set(found)


def test_a_variable_that_is_let_through_arrives_and_is_written_nowhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cr3t-" + os.urandom(12).hex()
    monkeypatch.setenv("API_TOKEN", secret)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    script = (
        "import hashlib, os\nprint(hashlib.sha256(os.environ['API_TOKEN'].encode()).hexdigest())"
    )
    record = place.run(place.project("tokens", script, env=["API_TOKEN"]))
    assert printed(record).decode().strip() == digest
    assert b"API_TOKEN" in (record["folder"] / "plan.json").read_bytes()
    assert secret.encode() not in stored_bytes(place, record["folder"])


@pytest.mark.parametrize("where", ["command", "params"])
def test_a_secret_that_would_be_recorded_stops_the_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("API_TOKEN", 'quo"ted-secret')
    run = ["python", "train.py", "--key", "{params.key}" if where == "params" else "x"]
    config = place.project("tokens", "", env=["API_TOKEN"], params={"key": ""}, run=run)
    override = (
        "params.key='quo\"ted-secret'"
        if where == "params"
        else 'run=["python", "quo\\"ted-secret"]'
    )
    answer = place("run", config, "--engine", "venv", "-o", override)
    assert answer.code == 2, answer.stderr
    assert "API_TOKEN" in answer.stderr
    assert "quo" not in answer.stderr
    assert run_folders(place) == refs(place) == []


def test_credentials_in_an_address_are_cut_from_the_record(place: Place) -> None:
    script = "import sys; assert 'ada:hunter' + '22@' in sys.argv[1]"
    config = place.project(
        "urls", script, run=["python", "train.py", "{params.url}"], params={"url": ""}
    )
    address = "params.url=postgres://ada:hunter22@db.example.org/x"
    record = place.run(config, "-o", address)
    assert record["state"] == "completed"
    assert b"hunter22" not in stored_bytes(place, record["folder"])


def test_home_and_temporary_folder_are_the_runs_own_and_go_with_it(place: Place) -> None:
    script = """
import os, tempfile
open(os.path.expanduser("~/left"), "w").close()
print(os.environ["HOME"], tempfile.mkdtemp(), sep="\\n")
"""
    home, temporary = printed(place.run(place.project("homes", script))).decode().split()
    assert home != os.environ.get("HOME")
    assert not Path(home).exists()
    assert not Path(temporary).exists()


def test_a_training_leads_a_session_of_its_own(place: Place) -> None:
    script = "import os; print(os.getpid() == os.getpgrp() == os.getsid(0))"
    assert printed(place.run(place.project("sessions", script))) == b"True\n"


def test_editing_the_source_while_it_trains_changes_nothing(place: Place) -> None:
    script = WAITS.replace('print("done"', 'print(open("value.txt").read()')
    config = place.project("edited", script)
    (config.parent / "value.txt").write_text("old")
    run = start(place, config, engine="venv")
    (config.parent / "value.txt").write_text("new")
    (config.parent / "train.py").unlink()
    run.go()
    assert run.end()[0] == 1
    assert run.log == b"up\nold\n"


def test_the_training_writes_into_the_run_and_not_into_the_project(place: Place) -> None:
    script = "open('outputs/model', 'w').write('m'); open('stray', 'w').write('s')"
    config = place.project("writes", script)
    folder = place.run(config)["folder"]
    assert (folder / "outputs" / "model").read_text() == "m"
    assert (folder / "outputs" / "stray" / "projects" / "writes" / "stray").read_text() == "s"
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.yaml", "train.py"]


def test_a_gpu_that_is_not_there_is_e4_and_leaves_no_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine with GPUs, this is how a scheduler says that none of them is ours.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = place.project("gpus", "", resources={"gpus": 1})
    answer = place("run", config, "--engine", "venv", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "no-gpu"
    assert "resources.gpus" in answer.json["error"]["hint"]
    assert run_folders(place) == refs(place) == []


def test_the_log_has_every_byte_and_no_other(place: Place) -> None:
    script = """
import os
os.write(1, bytes(range(256)) + b"\\r 10%\\r 20%")
os.write(2, b"\\xff\\xfe no newline")
"""
    command = place.start("run", place.project("binary", script), "--engine", "venv")
    printed_then, _ = command.communicate(timeout=60)
    shown = place.start("logs", "@last")
    printed_later, _ = shown.communicate(timeout=60)
    wanted = bytes(range(256)) + b"\r 10%\r 20%\xff\xfe no newline"
    assert (printed_then, printed_later) == (wanted, wanted)


def test_twenty_megabytes_at_once_are_all_in_the_log(place: Place) -> None:
    script = "import os\nfor n in range(20): os.write(1, bytes([n]) * (1 << 20))"
    record = place.run(place.project("loud", script))
    wanted = hashlib.sha256(b"".join(bytes([n]) * (1 << 20) for n in range(20)))
    assert hashlib.sha256(printed(record)).digest() == wanted.digest()


@pytest.mark.parametrize(
    "deed",
    [
        "shutil.rmtree('logs')",
        "shutil.rmtree(os.path.realpath(os.path.join(os.environ['REPROKIT_RUN_DIR'], 'logs')))",
        "os.unlink(os.path.join(os.environ['REPROKIT_RUN_DIR'], 'logs'))",
    ],
)
def test_a_training_that_deletes_its_log_loses_none_of_it(place: Place, deed: str) -> None:
    script = f"""
import os, shutil
print("before")
{deed}
print("after")
"""
    record = place.run(place.project("deletes", script))
    assert record["state"] == "completed"
    assert printed(record) == b"before\nafter\n"


@pytest.mark.parametrize(
    "deed",
    [
        "os.rmdir('outputs'); os.symlink(outside, 'outputs')",
        "run = os.environ['REPROKIT_RUN_DIR'] + '/outputs'; os.unlink(run); os.symlink(outside, run)",
    ],
)
def test_a_link_in_place_of_the_outputs_is_recorded_and_never_followed(
    place: Place, tmp_path: Path, deed: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("p")
    script = f"""
import os
outside = {str(outside)!r}
{deed}
open("stray", "w").write("s")
"""
    record = place.run(place.project("leads", script))
    assert record["state"] == "completed"
    assert [path.name for path in outside.iterdir()] == ["precious"]
    links = [path for path in record["folder"].rglob("outputs") if path.is_symlink()]
    assert [link.readlink() for link in links] == [outside]
    assert [path.read_text() for path in record["folder"].rglob("stray") if path.is_file()] == ["s"]


def test_fifos_sockets_and_dead_links_do_not_hold_a_run_up(place: Place) -> None:
    script = """
import os, socket
for folder in (".", "outputs", os.environ["REPROKIT_RUN_DIR"]):
    os.chdir(folder)
    os.mkfifo("fifo")
    os.symlink("nowhere", "dead")
    socket.socket(socket.AF_UNIX).bind("socket")
    os.chdir(os.environ["PWD"])
""".replace('os.environ["PWD"]', "here").replace(
        "import os, socket", "import os, socket\nhere = os.getcwd()"
    )
    record = place.run(place.project("special", script))
    assert record["state"] == "completed", printed(record)
    assert place("show", record["id"]).code == 0
    assert not (record["folder"] / "work").exists()


def test_an_early_fifo_in_the_run_folder_does_not_disturb_the_start(tmp_path: Path) -> None:
    from reprokit.files import sync_tree

    (tmp_path / "run.json").write_text("{}")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        sync_tree(tmp_path, skip=tmp_path / "work")


def test_ten_thousand_strays_are_kept(place: Place) -> None:
    script = """
import os
os.mkdir("many")
for n in range(10_000): open(f"many/{n}", "w").close()
"""
    record = place.run(place.project("many", script))
    stray = record["folder"] / "outputs" / "stray" / "projects" / "many" / "many"
    assert len(list(stray.iterdir())) == 10_000


def test_a_daemon_that_a_training_leaves_behind_does_not_hold_the_command(place: Place) -> None:
    script = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(os.path.join(os.environ["REPROKIT_RUN_DIR"], "daemon"), "w").write(str(os.getpid()))
        time.sleep(300)
    os._exit(0)
os.wait()
path = os.path.join(os.environ["REPROKIT_RUN_DIR"], "daemon")
while not (os.path.exists(path) and open(path).read()): time.sleep(0.01)
"""
    record = place.run(place.project("daemon", script))
    daemon = int((record["folder"] / "daemon").read_text())
    try:
        assert record["state"] == "completed"
        assert place("runs", "--json").json["runs"][-1]["state"] == "completed"
    finally:
        os.kill(daemon, 9)


def test_a_stop_that_comes_before_the_training_started_is_not_lost(place: Place) -> None:
    config = place.project("early", WAITS)
    answer = place("run", config, "--engine", "venv", "--detach", "--json")
    stopped = place("stop", answer.json["run"]["id"], "--json")
    assert stopped.json["run"]["state"] == "stopped"
    folder = Path(answer.json["folder"])
    until(lambda: not (folder / "work").exists())
