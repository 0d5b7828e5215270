"""Engine docker: the container a training gets, its record, and the truth after every kind of death."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.conftest import Place
from tests.engines.test_venv import NASTY, PRINTS_ARGV
from tests.engines.watching import (
    WAITS,
    Started,
    lasting_place,
    printed,
    refs,
    run_folders,
    start,
    stored_bytes,
    until,
)

pytestmark = pytest.mark.docker
# One project for all: its image is built once.
NAME = "boxed"
LABEL = "org.reprokit.run"


# What the training may neither change nor delete.
GIVEN = ("plan.json", "config.yaml", "source.json", "data.json", "requirements.lock", "Dockerfile")


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """The real engine, as its own SDK sees it."""
    client = docker.from_env()
    yield client
    client.close()


def containers(engine: Any, run_id: str) -> list[Any]:
    """The containers of a run, ended ones included."""
    found = engine.containers.list(all=True, filters={"label": f"{LABEL}={run_id}"})
    assert isinstance(found, list)
    return found


def boxed(place: Place, script: str, **config: Any) -> Path:
    """The project, with another script."""
    return place.project(NAME, script, **config)


@pytest.fixture
def waiting(place: Place) -> Started:
    """A training in a container that waits for the test."""
    return start(place, boxed(place, WAITS), engine="docker")


def test_the_container_has_only_what_a_training_needs(
    place: Place, engine: Any, tmp_path: Path
) -> None:
    data = place.root / "data" / "set"
    data.mkdir(parents=True)
    resources = {"cpus": 1.5, "memory": "512m", "shm": "64m"}
    config = boxed(place, WAITS, data={"set": {"path": "../../data/set"}}, resources=resources)
    run = start(place, config, engine="docker")
    (container,) = containers(engine, run.folder.name)
    host, settings = container.attrs["HostConfig"], container.attrs["Config"]
    run.go()
    run.end()
    assert settings["User"] == f"{os.getuid()}:{os.getgid()}"
    assert settings["Labels"][LABEL] == run.folder.name
    assert settings["Labels"]["org.reprokit.project"] == NAME
    assert host["Init"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Privileged"] is False
    assert host["ReadonlyRootfs"] is True
    assert "exec" in host["Tmpfs"]["/tmp"].split(",")
    assert host["PidsLimit"] == 4096
    assert host["ShmSize"] == 64 << 20
    assert (host["Memory"], host["MemorySwap"]) == (512 << 20, 512 << 20)
    assert host["NanoCpus"] == 1_500_000_000
    assert host["NetworkMode"] == "none"
    mounts = {
        mount["Destination"]: (mount["Source"], mount["RW"]) for mount in container.attrs["Mounts"]
    }
    assert mounts.pop("/reprokit/kit")[1] is False
    assert mounts == {
        "/workspace": (str(run.folder / "work"), False),
        "/reprokit/run": (str(run.folder), True),
        **{f"/reprokit/run/{name}": (str(run.folder / name), False) for name in GIVEN},
        "/data/set": (str(data), False),
        "/workspace/data/set": (str(data), False),
        **{
            f"/workspace/projects/{NAME}/{name}": (str(run.folder / name), True)
            for name in ("checkpoints", "outputs", "logs", "debug")
        },
    }


LOOKS_AROUND = """
import json, os, socket, sys
def attempt(call):
    try:
        call()
    except OSError as error:
        return type(error).__name__
    return "worked"
def reach():
    with socket.socket() as s:
        s.settimeout(5)
        s.connect(("192.0.2.1", 80))
data = json.loads(os.environ["REPROKIT_DATA"])
print(json.dumps({
    "environment": dict(os.environ),
    "uid": os.getuid(), "gid": os.getgid(),
    "interfaces": os.listdir("/sys/class/net"),
    "reach": attempt(reach),
    "write_source": attempt(lambda: open("new", "w")),
    "write_root": attempt(lambda: open("/new", "w")),
    "write_data": attempt(lambda: open(data["set"] + "/new", "w")),
    "by_variable": open(data["set"] + "/x").read(),
    "by_path": open("../../data/set/x").read(),
    "source": open(__file__).read() == open(sys.argv[0]).read(),
    "home": attempt(lambda: (os.makedirs(os.path.expanduser("~")), open(os.path.expanduser("~/x"), "w"))),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
    "release": dict(line.strip().split("=", 1) for line in open("/etc/os-release") if "=" in line),
    "python": sys.version.split()[0],
}))
open("outputs/result", "w").write("kept")
"""


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, shared_home: Path
) -> Iterator[tuple[dict[str, Any], dict[str, Any], Place]]:
    """What a training in a container saw, its record, and the workspace; with a secret let through."""
    monkey = pytest.MonkeyPatch()
    monkey.setenv("API_TOKEN", "s3cr3t-of-the-test")
    with lasting_place(tmp_path_factory.mktemp("seen"), shared_home) as place:
        data = place.root / "data" / "set"
        data.mkdir(parents=True)
        (data / "x").write_text("one datum")
        config = boxed(
            place,
            LOOKS_AROUND,
            data={"set": {"path": "../../data/set"}},
            env=["API_TOKEN"],
            params={"lr": 0.1},
            seed=7,
        )
        record = place.run(config, engine="docker")
        monkey.undo()
        assert record["state"] == "completed", printed(record)
        yield json.loads(printed(record)), record, place


def test_a_training_in_a_container_cannot_reach_out(seen: tuple[Any, ...]) -> None:
    saw, _, _ = seen
    assert saw["interfaces"] == ["lo"]
    assert saw["reach"] == "OSError"
    assert int(saw["capabilities"][0], 16) == 0


def test_source_data_and_root_are_read_only(seen: tuple[Any, ...]) -> None:
    saw, _, _ = seen
    assert saw["write_source"] == saw["write_root"] == saw["write_data"] == "OSError"


def test_data_is_where_the_project_and_the_variable_say(seen: tuple[Any, ...]) -> None:
    saw, _, _ = seen
    assert saw["by_variable"] == saw["by_path"] == "one datum"


def test_the_environment_in_a_container_is_the_allow_list_and_nothing_else(
    seen: tuple[Any, ...],
) -> None:
    from tests.engines.test_venv import ALLOWED

    saw, _, _ = seen
    # What docker itself sets, and the variables of the image.
    own = set(saw["environment"]) - ALLOWED - {"HOSTNAME", "API_TOKEN"}
    assert all(name.isupper() for name in own)
    assert not own & {name for name in os.environ if name not in ("HOME", "PATH", "LANG")}
    assert saw["environment"]["REPROKIT_SEED"] == "7"
    assert saw["home"] == "worked"


def test_a_secret_that_is_let_into_a_container_is_written_nowhere(seen: tuple[Any, ...]) -> None:
    saw, record, place = seen
    assert saw["environment"]["API_TOKEN"] == "s3cr3t-of-the-test"
    # The script printed it into its own log, which is its own business.
    (record["folder"] / "logs" / "output.log").unlink()
    assert b"s3cr3t-of-the-test" not in stored_bytes(place, record["folder"])


def test_the_record_of_a_container_was_observed_inside_it(seen: tuple[Any, ...]) -> None:
    saw, record, place = seen
    shown = place("show", record["id"], "--json").json
    layers = shown["snapshot"]["layers"]
    assert layers["system"]["os"]["name"] == saw["release"]["PRETTY_NAME"].strip('"')
    assert layers["python"]["version"] == saw["python"]
    assert saw["python"].startswith("3.11.")
    assert shown["unknown"] == {}
    assert shown["run"]["environment"]["kind"] == "image"
    assert shown["run"]["environment"]["digest"].startswith("sha256:")
    assert layers["environment"]["digest"] == shown["run"]["environment"]["digest"]
    assert layers["config"]["seed"] == 7
    assert (record["folder"] / "Dockerfile").read_text().startswith("#")
    packages = {each["name"].lower() for each in layers["packages"]["distributions"]}
    assert "torch" in packages
    assert (record["folder"] / "outputs" / "result").read_text() == "kept"


def test_an_ended_run_leaves_no_container(seen: tuple[Any, ...], engine: Any) -> None:
    assert containers(engine, seen[1]["id"]) == []


def test_every_word_of_a_command_arrives_byte_for_byte_in_a_container(place: Place) -> None:
    config = boxed(place, PRINTS_ARGV)
    words = ["python", "train.py", *NASTY]
    config.write_text(yaml.safe_dump({**json.loads(config.read_text()), "run": words}))
    record = place.run(config, engine="docker")
    assert printed(record).decode() == ascii([word.encode() for word in NASTY]) + "\n"


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("raise SystemExit(7)", 7, "exit-code"),
        ("import os; os.kill(os.getpid(), 9)", 137, "signal"),
        ("bytearray(512 << 20)\nprint('survived')", 137, "out-of-memory"),
    ],
)
def test_the_ways_to_fail_in_a_container_are_told_apart(
    place: Place, script: str, code: int, reason: str
) -> None:
    record = place.run(boxed(place, script, resources={"memory": "256m"}), engine="docker")
    assert (record["state"], record["exit"]["code"]) == ("failed", code)
    assert record["exit"]["reason"] == reason
    assert record["answer"].code == 1


def test_a_container_outlives_its_killed_command_and_is_removed_after_its_end(
    waiting: Started, engine: Any
) -> None:
    os.killpg(waiting.command.pid, signal.SIGKILL)
    waiting.end()
    assert waiting.told()["state"] == "running"
    waiting.go()
    end = until(lambda: (found := waiting.told())["state"] != "running" and found)
    assert (end["state"], end["exit"]["code"]) == ("failed", 3)
    assert waiting.log == b"up\ndone\n"
    until(lambda: waiting.told()["engine"]["released"])
    assert containers(engine, waiting.folder.name) == []


def test_a_container_killed_behind_our_back_is_a_failed_run(waiting: Started, engine: Any) -> None:
    containers(engine, waiting.folder.name)[0].kill()
    assert waiting.end()[0] == 1
    end = waiting.told()
    assert (end["state"], end["exit"]["code"], end["exit"]["reason"]) == ("failed", 137, "signal")
    assert containers(engine, waiting.folder.name) == []


def test_a_container_removed_behind_our_back_is_a_lost_run(waiting: Started, engine: Any) -> None:
    containers(engine, waiting.folder.name)[0].remove(force=True)
    assert waiting.end()[0] == 1
    end = waiting.told()
    assert (end["state"], end["exit"]["code"]) in [("lost", None), ("failed", 137)]
    assert end["exit"]["message"]
    assert not (waiting.folder / "work").exists()


def test_stop_reaches_the_training_in_its_container(waiting: Started, engine: Any) -> None:
    assert waiting.place("stop", waiting.folder.name).code == 0
    assert waiting.end()[0] == 130
    assert waiting.told()["state"] == "stopped"
    assert containers(engine, waiting.folder.name) == []


STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(120)
"""


def test_a_second_ctrl_c_kills_a_container_that_will_not_stop(place: Place, engine: Any) -> None:
    run = start(place, boxed(place, STUBBORN), engine="docker")
    run.command.send_signal(signal.SIGINT)
    until((run.folder / "stop.json").exists)
    run.command.send_signal(signal.SIGINT)
    code, _, error = run.end()
    assert code == 130
    assert "Traceback" not in error
    assert run.told()["state"] == "stopped"
    assert containers(engine, run.folder.name) == []


def test_a_gpu_that_the_engine_lacks_is_e4_with_the_fix_and_leaves_no_container(
    place: Place, engine: Any
) -> None:
    if any("nvidia" in str(device) for device in engine.info().get("DiscoveredDevices") or ()):
        pytest.skip("this engine has GPUs")
    before = len(
        engine.containers.list(all=True, filters={"label": f"org.reprokit.project={NAME}"})
    )
    config = boxed(place, "", resources={"gpus": 1})
    answer = place("run", config, "--engine", "docker", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "no-gpu"
    assert "nvidia" in answer.json["error"]["hint"].lower()
    states = [run["state"] for run in place("runs", "--json").json["runs"]]
    assert states in ([], ["failed"])
    left = engine.containers.list(all=True, filters={"label": f"org.reprokit.project={NAME}"})
    assert len(left) <= before


def test_an_engine_that_does_not_answer_is_e4_with_the_fix(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    answer = place("run", boxed(place, ""), "--engine", "docker")
    assert answer.code == 4
    assert answer.stderr.startswith("error[no-docker]: ")
    assert "hint: " in answer.stderr
    assert "Traceback" not in answer.stderr
    assert run_folders(place) == refs(place) == []


def test_auto_says_which_engine_it_took_and_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = boxed(place, "import sys; print(sys.prefix)")
    with_engine = place("run", config)
    assert "engine docker: a Docker engine answers" in with_engine.stderr
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    without = place("run", config)
    assert "engine venv: no Docker engine" in without.stderr
    assert "none.sock" in without.stderr
    engines = [run["engine"]["name"] for run in place("runs", "--json").json["runs"]]
    assert engines == ["docker", "venv"]


def test_an_engine_that_goes_away_hides_no_run(
    waiting: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
        told = waiting.told()
        assert told["state"] == "running"
        assert "does not answer" in told["unsettled"]
    waiting.go()
    assert waiting.end()[0] == 1
    assert waiting.told()["exit"]["code"] == 3


def test_a_dry_run_prints_a_line_that_works_and_leaves_nothing_behind(
    place: Place, monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-of-the-test")
    script = """
import os, socket, sys
from helper import word
open("outputs/x", "w").write("written")
open(os.environ["REPROKIT_RUN_DIR"] + "/metrics.jsonl", "w").close()
print(word, sys.argv[1:], os.environ["API_TOKEN"], os.listdir("/sys/class/net"), os.getuid())
"""
    config = boxed(place, script, env=["API_TOKEN"], run=["python", "train.py", "it's", "$HOME, x"])
    (config.parent / "helper.py").write_text("word = 'hello'")
    (config.parent / "with, comma").write_text("")
    answer = place("run", config, "--engine", "docker", "--dry-run")
    assert answer.code == 0, answer.stderr
    assert "s3cr3t" not in answer.stdout
    assert run_folders(place) == refs(place) == []
    done = subprocess.run(["sh", "-c", answer.stdout], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    said = f"hello [\"it's\", '$HOME, x'] s3cr3t-of-the-test ['lo'] {os.getuid()}\n"
    assert done.stdout.decode() == said
    assert sorted(path.name for path in config.parent.iterdir()) == [
        "config.yaml", "helper.py", "train.py", "with, comma",
    ]  # fmt: skip
    assert containers(engine, answer.stdout.split(f"{LABEL}=")[1].split()[0]) == []


def test_a_dry_run_in_a_virtual_environment_works_when_pasted(place: Place) -> None:
    script = "import os, sys; print(sys.argv[1:], sorted(os.environ))"
    config = place.project("dry", script, run=["python", "train.py", "it's"])
    answer = place("run", config, "--engine", "venv", "--dry-run", "--json")
    assert answer.json["schema"] == "reprokit/dry-run/1"
    assert run_folders(place) == refs(place) == []
    line = shlex.join(answer.json["command"])
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout.startswith(b'["it\'s"] ')


@pytest.fixture
def stranger(place: Place, shared_home: Path) -> Iterator[tuple[list[str], Place, dict[str, str]]]:
    """A user of no rights who may use the engine: how to become one, a workspace and a home of theirs."""
    uid = 12345 if os.getuid() == 0 else os.getuid()
    gid = os.stat("/var/run/docker.sock").st_gid
    become = []
    if os.getuid() == 0:
        # Reading is allowed, since the interpreter may lie in root's own folder; writing is not.
        read = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        become = ["setpriv", f"--reuid={uid}", "--regid=23456", f"--groups={gid}", *read]
    folder = Path(tempfile.mkdtemp(prefix="stranger-"))
    try:
        shutil.move(place.root, folder / "lab")
        home = folder / "home"
        if (shared_home / "images").is_dir():
            shutil.copytree(shared_home / "images", home / "reprokit" / "images")
        home.mkdir(exist_ok=True)
        if become:
            subprocess.run(["chown", "-R", f"{uid}:23456", folder], check=True)
        variables = {**os.environ, "HOME": str(home), "REPROKIT_HOME": str(home / "reprokit")}
        yield become, Place(folder / "lab"), variables
    finally:
        shutil.rmtree(folder)


@pytest.mark.usefixtures("seen")
def test_every_file_of_a_run_belongs_to_the_caller(
    stranger: tuple[list[str], Place, dict[str, str]],
) -> None:
    import sys

    become, place, variables = stranger
    script = "import os; open('outputs/x', 'w').close(); print(os.getuid(), os.getgid())"
    config = boxed(place, script)
    owner = config.parent.parent.parent.stat()
    if become:
        subprocess.run(
            ["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", config.parent.parent], check=True
        )
    words = [
        *become,
        sys.executable,
        "-m",
        "reprokit",
        "run",
        str(config),
        "--engine",
        "docker",
        "--json",
    ]
    done = subprocess.run(words, cwd=place.root, env=variables, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    folder = Path(json.loads(done.stdout)["folder"])
    assert (folder / "logs" / "output.log").read_text() == f"{owner.st_uid} {owner.st_gid}\n"
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (folder, *folder.rglob("*"))}
    assert owners == {(owner.st_uid, owner.st_gid)}
