"""The documentation is true: its commands work, its links lead somewhere, its tables are what the code says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from reprokit.cli.app import COMMANDS, LazyGroup
from reprokit.config import parse_config
from reprokit.data import DatasetManifest
from reprokit.engines.base import order
from reprokit.errors import ReproKitError
from reprokit.inside import probe
from reprokit.layout import RunPaths
from reprokit.runs.schema import schemas
from reprokit.stacks.model import load_stack
from reprokit.stacks.requirements import Header
from reprokit.strictyaml import parse
from reprokit.workspace import find
from tests.conftest import REPOSITORY, Place, git
from tests.docs import PAGES, Block, Page, Section, blocks, missing, page

every_page = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
FORMATS = page("docs/formats.md").sections
# Schema id -> the section about its file.
FILES = {
    "reprokit/run/1": "run.json",
    "reprokit/plan/1": "plan.json",
    "reprokit/source/1": "source.json",
    "reprokit/snapshot/1": "snapshot.json",
    "reprokit/dataset/1": ".datasets/DIGEST.json",
}


# Commands


def commands(shown: Page) -> Iterator[list[str]]:
    """Every `reprokit ...` of a page's console blocks, as words."""
    for block in shown.blocks:
        for line, _ in block.steps() if block.language == "console" else ():
            for part in line.split("&&"):
                if part.strip().startswith("reprokit "):
                    yield shlex.split(part)[1:]


@every_page
def test_every_command_that_is_shown_is_taken_by_the_command_line(shown: Page) -> None:
    for name, *words in commands(shown):
        command = LazyGroup(name="reprokit").get_command(None, name)
        assert command is not None, f"there is no command {name}"
        command.make_context(name, words)


@every_page
def test_commands_in_a_sentence_exist_with_their_options(shown: Page) -> None:
    for text in shown.inline:
        if not text.startswith("reprokit "):
            continue
        name, *words = text.split()[1:]
        assert name in COMMANDS, text
        command = LazyGroup(name="reprokit").get_command(None, name)
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if word.startswith("-")} <= known, text


def test_the_readme_has_every_command_and_its_options() -> None:
    rows = page("README.md").sections["Commands"].table("command")
    assert sorted(row[0].strip("`").split()[1] for row in rows) == sorted(COMMANDS)
    for row in rows:
        name = row[0].strip("`").split()[1]
        command = LazyGroup(name="reprokit").get_command(None, name)
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        told = {text.split()[0] for text in re.findall(r"`(-[^`]+)`", row[1])}
        assert told <= known, f"{name}: {told - known}"


def test_the_readme_begins_with_the_two_commands_of_a_newcomer() -> None:
    first, second = [block for block in page("README.md").blocks if block.language == "console"][:2]
    (install,), (test,) = ([line for line, _ in block.steps()] for block in (first, second))
    assert install == "pip install . && reprokit run projects/digits/config.yaml"
    assert test == "pip install -e '.[test]' && python -m pytest"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A scratch workspace with the repository's stacks, projects and Dockerfiles, and `reprokit` on PATH."""
    root = tmp_path / "lab"
    names = git(REPOSITORY, "ls-files", "-z", "envs", "projects", "dockerfiles").split("\0")
    for name in filter(None, names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, root / name)
    (root / ".gitignore").write_text("/runs/\n")
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    program = tmp_path / "bin" / "reprokit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reprokit "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return Place(root)


@pytest.mark.slow
@pytest.mark.index
def test_what_the_readme_shows_is_what_is_printed(lab: Place) -> None:
    tested = [block for block in page("README.md").blocks if "tested" in block.words]
    assert len(tested) > 1
    for command, shown in (step for block in tested for step in block.steps()):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=lab.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert missing(shown, done.stdout) is None, f"{command}\n{done.stdout}"


def test_shown_output_is_compared_by_its_words() -> None:
    printed = "run 20261120-163938-tidy-seal\nloss 0.7702\nmore\ncompleted in 1 min 6 s\n"
    assert missing(["run 20270101-000000-shy-fox", "...", "completed in 6.1 s"], printed) is None
    assert missing(["completed in 6.1 s", "loss 0.5"], printed) == "loss 0.5"
    assert missing(["failed in 6.1 s"], printed) == "failed in 6.1 s"


# Links and names of files


@every_page
def test_every_relative_link_leads_somewhere(shown: Page) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", shown.prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = shown.path.parent / path if path else shown.path
        assert there.exists(), target
        assert not anchor or anchor in Page(there).anchors, target


@every_page
def test_every_file_of_the_repository_that_is_named_exists(shown: Page) -> None:
    tops = {path.name for path in REPOSITORY.iterdir() if path.is_dir()} - {"runs"}
    for text in shown.inline:
        words = text.split()
        names = [word for word in words if word.split("/")[0] in tops and "/" in word]
        for name in names:
            # Capitals and braces stand for a name, as in `envs/NAME/`; `mine` is the reader's own.
            if not re.search(r"[A-Z]{2}|[{*]|/mine|/\d+$", name):
                assert (REPOSITORY / name.rstrip("/")).exists(), text


def test_every_module_that_the_architecture_names_exists() -> None:
    named = [
        text
        for text in page("docs/architecture.md").inline
        if re.fullmatch(r"[\w/]+(\.py|/)", text)
    ]
    assert len(named) > 10
    of_a_run = {"checkpoints/", "outputs/", "tensorboard/"}
    for text in set(named) - of_a_run:
        places = (REPOSITORY / "reprokit", REPOSITORY)
        assert any((place / text).exists() for place in places), text


# Examples and tables


@every_page
def test_every_example_of_a_config_is_valid(shown: Page, tmp_path: Path) -> None:
    for block in shown.blocks:
        if block.language == "yaml" and block.body.startswith("project:"):
            parse_config(block.body.encode(), tmp_path / "config.yaml")
        elif block.language == "yaml" and re.search("^(store|base-images):", block.body):
            (tmp_path / "reprokit.yaml").write_text(block.body)
            assert find(tmp_path).base_images


def test_the_exit_codes_are_those_of_the_errors() -> None:
    rows = page("README.md").sections["Exit codes"].table("code")
    classes = ReproKitError.__subclasses__()
    assert {int(row[0]) for row in rows} == {0, *(kind.exit_code for kind in classes)}


def test_the_keys_of_a_config_are_told_with_their_defaults(tmp_path: Path) -> None:
    told = {row[0].strip("`"): row[2] for row in FORMATS["config.yaml"].table("key")}
    least = b"project: a\nstack: b\nrun: c\n"
    resolved = parse_config(least, tmp_path / "config.yaml").resolved()
    flat = dict(flattened(resolved, list(told)))
    assert list(told) == list(flat)
    for key, default in told.items():
        assert default == "required" or yaml.safe_load(default.strip("`")) == flat[key], key
    required = [key for key, default in told.items() if default == "required"]
    assert required == [line.split(":")[0] for line in least.decode().splitlines()]


def test_the_keys_of_a_stack_are_told_with_their_defaults(tmp_path: Path) -> None:
    rows = FORMATS["stack.yaml"].table("key")
    (example,) = [block for block in section_blocks("stack.yaml") if block.language == "yaml"]
    values = parse(example.body.encode(), "stack.yaml").plain()
    assert isinstance(values, dict)
    needed = {row[0].strip("`"): values[row[0].strip("`")] for row in rows if row[2] == "required"}
    (tmp_path / "envs" / "one").mkdir(parents=True)
    (tmp_path / "envs" / "one" / "stack.yaml").write_text(json.dumps(needed))
    stack = vars(load_stack(tmp_path, "one"))
    assert [row[0].strip("`") for row in rows] == [key for key in stack if key != "name"]
    for key, _, default, _ in rows:
        if default != "required":
            found = stack[key.strip("`")]
            assert yaml.safe_load(default.strip("`")) == (
                list(found) if isinstance(found, tuple) else found
            )


def test_the_settings_of_a_workspace_are_told(tmp_path: Path) -> None:
    assert FORMATS["reprokit.yaml"].keys() == ["store", "base-images"]
    (tmp_path / "reprokit.yaml").write_text("nonsense: 1\n")
    with pytest.raises(ReproKitError) as error:
        find(tmp_path)
    assert error.value.problems[0].hint == "settings are `store` and `base-images`"


def test_the_header_of_a_lock_is_told() -> None:
    told = FORMATS["requirements.lock"].keys()
    of_header = [key.replace("-", "_") for key in told if key != "pins"]
    assert of_header == list(Header.__dataclass_fields__)
    (example,) = section_blocks("requirements.lock")
    keys = re.findall(r"^# ([\w-]+): ", example.body, re.MULTILINE)
    assert keys == [key for key in told if key != "as-of"]  # there only when it was asked for


@pytest.mark.parametrize("schema", FILES)
def test_the_keys_of_a_file_are_those_of_its_schema(schema: str) -> None:
    published = schemas()
    assert set(published) == set(FILES)
    keys = set(schema_keys(published[schema], published[schema].get("$defs", {})))
    if schema == "reprokit/dataset/1":
        keys.add("files")  # counted for people; the entries say it
    assert set(FORMATS[FILES[schema]].keys()) == keys


def test_the_facts_of_a_dataset_are_told() -> None:
    empty = DatasetManifest("a", Path("a"), "sha256:0", 0, (), ())
    assert FORMATS["data.json"].keys() == list(empty.summary())


def test_the_layers_of_a_snapshot_are_told() -> None:
    layers = FORMATS["snapshot.json"].keys("layer")
    assert layers[: len(probe.LAYERS)] == [layer.NAME for layer in probe.LAYERS]


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if "```json" in one.text])
def test_every_example_has_the_keys_that_are_told(name: str) -> None:
    (example,) = [block for block in section_blocks(name) if block.language == "json"]
    if name == "metrics.jsonl":
        for line in example.body.splitlines():
            assert list(json.loads(line))[:4] == FORMATS[name].keys()
        return
    document = json.loads(example.body)
    for one in document["datasets"].values() if name == "data.json" else [document]:
        assert_told(one, FORMATS[name])


def test_what_a_run_leaves_has_the_keys_that_are_told(lab: Place, shared_home: Path) -> None:
    digits = lab.run(Path("projects/digits/config.yaml"), "-o", "params.epochs=1")
    folder: Path = digits["folder"]
    for name in ("run", "plan", "source", "snapshot", "progress"):
        assert_told(read(folder / f"{name}.json"), FORMATS[f"{name}.json"])
    (observed,) = [read(path) for path in (folder / "observed").glob("*.json")]
    assert_told(observed, FORMATS["observed/PID.json"])
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        assert list(json.loads(line))[:4] == FORMATS["metrics.jsonl"].keys()
    made = shared_home / "envs" / digits["environment"]["id"] / "environment.json"
    assert_told(read(made), FORMATS["environment.json"])
    assert_layers(read(folder / "snapshot.json")["layers"])
    assert_tree_of_the_readme(folder)


def test_what_data_and_a_stop_leave_has_the_keys_that_are_told(lab: Place) -> None:
    config = lab.project("mine", "import time\ntime.sleep(600)\n", data={"some": {"path": "some"}})
    (config.parent / "some").mkdir()
    (config.parent / "some" / "one.csv").write_text("1,2\n")
    started = lab.run(config, "--detach")
    folder: Path = started["folder"]
    assert lab("stop", started["id"], "--now").code == 0
    assert_told(read(folder / "stop.json"), FORMATS["stop.json"])
    assert_told(read(folder / "data.json")["datasets"]["some"], FORMATS["data.json"])
    (kept,) = (lab.root / "runs" / ".datasets").glob("*.json")
    assert_told(read(kept), FORMATS[".datasets/DIGEST.json"])


def test_the_contract_of_the_supervisor_is_told_as_it_is(tmp_path: Path) -> None:
    plan = SimpleNamespace(argv=("true",), stop_grace_s=1.0)
    launch: Any = SimpleNamespace(paths=RunPaths(tmp_path), plan=plan, facts={})
    order(launch, run_dir="/run", cwd="/run", lock=None, remove=[])
    assert_told(read(RunPaths(tmp_path).order), FORMATS["launch.json"])
    contract = page("docs/architecture.md").sections["The contract between host and inside"]
    assert contract.keys() == FORMATS["launch.json"].keys()


# Help


def read(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text("utf-8"))


def section_blocks(name: str) -> list[Block]:
    """The blocks of a section of docs/formats.md."""
    return blocks(FORMATS[name].text)


def flattened(document: dict[str, Any], told: list[str]) -> Iterator[tuple[str, Any]]:
    """The keys of a document, as deep as `told` goes: `a`, `a.b`, or `a[].b` for the objects of a list."""
    for key, value in document.items():
        below = [name for name in told if name.startswith((f"{key}.", f"{key}[]."))]
        if not below:
            yield key, value
        elif not value:  # null, or an empty list: nothing to compare
            yield from ((name, None) for name in below)
        elif isinstance(value, dict):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        else:
            yield from ((f"{key}[].{name}", each) for one in value for name, each in one.items())


def schema_keys(schema: dict[str, Any], shapes: dict[str, Any]) -> Iterator[str]:
    """The same of what a JSON Schema allows."""
    for key, rule in schema["properties"].items():
        inner, between = named(rule, shapes), "."
        if inner is None and "items" in rule:
            inner, between = named(rule["items"], shapes), "[]."
        if inner is None:
            yield key
        else:
            yield from (f"{key}{between}{name}" for name in inner["properties"])


def named(rule: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any] | None:
    """The object that a rule refers to, be it optional or not."""
    for one in (rule, *rule.get("anyOf", ())):
        if "$ref" in one:
            shape: dict[str, Any] = shapes[one["$ref"].rpartition("/")[2]]
            return shape if "properties" in shape else None
    return None


def assert_told(document: dict[str, Any], section: Section) -> None:
    """The document has exactly the keys that the section tells."""
    keys = section.keys()
    assert {key for key, _ in flattened(document, keys)} == set(keys), section.name


def assert_layers(layers: dict[str, Any]) -> None:
    """Every fact of every layer is told."""
    for row in FORMATS["snapshot.json"].table("layer"):
        name, told = row[0].strip("`"), set(re.findall(r"`([^`]+)`", row[1]))
        if name in ("code", "data"):
            continue  # told in sections of their own
        assert set(layers.pop(name)) <= told, name
    assert set(layers) == {"code", "data"}


def assert_tree_of_the_readme(folder: Path) -> None:
    """The tree of a run's folder in the README names all that is there."""
    (tree,) = [block for block in page("README.md").blocks if block.body.startswith("runs/")]
    told = {
        name.rstrip("/")
        for line in tree.body.splitlines()[1:]
        for name in re.findall(r"(?:^  | {2})([\w.]+/|[\w.]+\.\w+|Dockerfile)(?= )", line)
    }
    assert {path.name for path in folder.iterdir()} <= told
