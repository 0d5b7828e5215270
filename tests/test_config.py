"""config.yaml: what it means, that every mistake is told at once, and that words arrive exactly."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.checks import Spot, checked, size_text, version_text
from reprokit.config import (
    MAX_SEED,
    Dataset,
    Outputs,
    ProjectConfig,
    Resources,
    fill,
    load_config,
    parse_config,
)
from reprokit.errors import ConfigError, Problem
from reprokit.strictyaml import parse

ROOT = Path(__file__).resolve().parents[1]
BASE = "project: digits\nstack: cpu\nrun: python train.py\n"
FULL = """\
project: digits
stack: cpu                       # a folder of envs/
run: python train.py --lr {params.lr}
evaluate: [python, evaluate.py]
seed: 42
determinism: seeded
params: {lr: 0.003, batch_size: 32, model: {width: 8}}
data:
  digits: {path: data/digits}
outputs: {keep: [checkpoints, outputs/images/]}
resources: {gpus: 1, cpus: 1.5, memory: 8g, shm: 512m, network: bridge}
env: [WANDB_API_KEY]
stages: {}
"""

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def config(extra: str = "", *overrides: str, base: str = BASE) -> ProjectConfig:
    return parse_config((base + extra).encode(), Path("p/config.yaml"), overrides)


def problems(extra: str, *overrides: str, base: str = BASE) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        config(extra, *overrides, base=base)
    assert (caught.value.exit_code, caught.value.code) == (2, "bad-config")
    return list(caught.value.problems)


def problem(extra: str, *overrides: str, base: str = BASE) -> Problem:
    (only,) = problems(extra, *overrides, base=base)
    return only


# ---- what a config means ----


def test_a_full_config_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FULL)
    assert load_config(path) == ProjectConfig(
        path=path,
        text=FULL.encode(),
        project="digits",
        stack="cpu",
        run=("python", "train.py", "--lr", "{params.lr}"),
        evaluate=("python", "evaluate.py"),
        seed=42,
        determinism="seeded",
        params={"lr": 0.003, "batch_size": 32, "model": {"width": 8}},
        data={"digits": Dataset("data/digits")},
        outputs=Outputs(("checkpoints", "outputs/images")),
        resources=Resources(1, 1.5, 8 << 30, 512 << 20, "bridge"),
        env=("WANDB_API_KEY",),
    )


def test_what_is_left_out_has_a_default() -> None:
    assert config("params:\noutputs:\nevaluate:\n") == replace(
        config(), text=config("params:\noutputs:\nevaluate:\n").text
    )
    assert config().outputs.keep == ("checkpoints", "outputs", "logs", "debug")
    assert config().resources == Resources(0, None, None, 1 << 30, "none")
    assert (config().seed, config().determinism, config().env) == (0, "strict", ())


def test_an_inline_stack_is_kept_with_its_marks() -> None:
    read = config(base='project: d\nrun: x\nstack: {python: "3.11", variant: cpu}\n')
    assert read.stack == {"python": "3.11", "variant": "cpu"}
    assert read.stack_node is not None
    assert read.stack_node.line == 3


def test_the_file_is_opened_once_and_that_copy_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FULL)
    script = """
import sys
from pathlib import Path
from reprokit.config import load_config
opened = []
sys.addaudithook(lambda name, args: name == "open" and opened.append(str(args[0])))
path = Path(sys.argv[1])
config = load_config(path)
path.write_text("project: changed")
sys.stdout.buffer.write(config.text)
assert opened.count(str(path)) == 2, opened  # one of them is the write above
assert "lr: 0.003" in config.to_yaml()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "config.yaml")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert done.stdout == FULL.encode()


# ---- mistakes ----


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        "sead: 1\nseed: true\ndeterminism: strickt\nparams: {lr: .nan}\n"
        "resources: {gpu: 1, gpus: two, memory: 8}\n"
        "env: [A, 1B]\nrun2: x\n",
        base="project: Digits\nstack: cpu\nrun: python {params.rl}\n",
    )
    assert [(item.where, item.message.split("`")[1]) for item in found] == [
        ("p/config.yaml:1:10", "project"),
        ("p/config.yaml:3:6", "run"),
        ("p/config.yaml:4:1", "sead"),
        ("p/config.yaml:5:7", "seed"),
        ("p/config.yaml:6:14", "determinism"),
        ("p/config.yaml:7:14", "params.lr"),
        ("p/config.yaml:8:13", "resources.gpu"),
        ("p/config.yaml:8:27", "resources.gpus"),
        ("p/config.yaml:8:40", "resources.memory"),
        ("p/config.yaml:9:10", "env.1"),
        ("p/config.yaml:10:1", "run2"),
    ]
    hints = [item.hint for item in found]
    assert hints[1:3] == ["known are: `lr`", "did you mean `seed`?"]
    assert (hints[4], hints[6]) == ("did you mean `strict`?", "did you mean `gpus`?")


def test_what_is_required_and_missing_is_told() -> None:
    messages = [item.message for item in problems("", base="seed: 1\n")]
    assert messages == [f"`{key}` is missing" for key in ("project", "stack", "run")]


@pytest.mark.parametrize(
    ("line", "where", "words"),
    [
        ("seed: -1", "4:7", "whole number from 0 to 4294967295, found `-1`"),
        (f"seed: {MAX_SEED + 1}", "4:7", "whole number"),
        ("seed: 1.0", "4:7", "whole number"),
        ("seed: '42'", "4:7", "found the text `42`"),
        ("seed:", "4:6", "found nothing"),
        ("seed: [1]", "4:7", "found a list"),
        ("determinism: off_", "4:14", "strict or seeded or off"),
        ("params: {a: {b: [1, .inf]}}", "4:21", "`params.a.b.1` must be a finite number"),
        ("params: {a: 1e999}", "4:13", "finite"),
        ("params: [1]", "4:9", "must be a mapping"),
        ("resources: {gpus: -1}", "4:19", "whole number"),
        ("resources: {gpus: true}", "4:19", "found `true`"),
        ("resources: {cpus: 0}", "4:19", "above 0"),
        ("resources: {cpus: .nan}", "4:19", "above 0"),
        ("resources: {cpus: .inf}", "4:19", "above 0"),
        ("resources: {memory: 0g}", "4:21", "size with a unit"),
        ("resources: {memory: 8 g}", "4:21", "size with a unit"),
        ("resources: {memory: 0.0001k}", "4:21", "size with a unit"),
        ("resources: {network: internet}", "4:22", "none or bridge or host"),
        ("env: WANDB_API_KEY", "4:6", "must be a list"),
        ("env: [REPROKIT_SEED]", "4:7", "sets itself"),
        ("env: [A, A]", "4:6", "twice"),
        ("data: {digits: data/digits}", "4:16", "must be a mapping"),
        ("data: {digits: {}}", "4:16", "`data.digits.path` is missing"),
        ("data: {../x: {path: x}}", "4:8", "must be named"),
        ("data: {x: {path: ~/data}}", "4:18", "only a shell expands"),
        ("data: {x: {path: ''}}", "4:18", "must be a path"),
        ("outputs: {keep: [checkpoints, checkpoints/]}", "4:17", "twice"),
        ("stages: {train: x}", "4:9", "not supported yet"),
        ("evaluate: ''", "4:11", "names no program"),
        ("evaluate: []", "4:11", "names no program"),
        ("evaluate: ['', x]", "4:11", "names no program"),
        ("evaluate: python 'x", "4:11", "no closing quotation"),
        ("evaluate: 3", "4:11", "must be a command"),
        ("evaluate: [python, ]\nseed: {}", "5:7", "found a mapping"),
        ("evaluate: [python, ~]", "4:20", "word of the command"),
        ("evaluate: [python, [x]]", "4:20", "word of the command"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_place_and_rule(line: str, where: str, words: str) -> None:
    found = problem(line + "\n")
    assert found.where == f"p/config.yaml:{where}"
    assert words in found.message


def test_a_file_that_is_no_mapping_is_told() -> None:
    assert "the file must be a mapping" in problem("", base="- a\n- b\n").message


def test_a_quoted_number_is_told_how_to_write_it() -> None:
    assert problem("seed: '42'\n").hint == "write it without quotes"


def test_a_value_in_env_is_never_repeated() -> None:
    found = problem("env: [WANDB_API_KEY=hunter2]\n")
    assert "hunter2" not in f"{found.message}{found.hint}"


def test_params_that_no_environment_variable_can_hold_are_refused() -> None:
    assert "bytes" in problem(f"params: {{x: {'x' * 120_000}}}\n").message


def test_a_name_that_steers_a_terminal_is_shown_escaped() -> None:
    assert "\x1b" not in problem('"\\e[31m": 1\n').message


@pytest.mark.parametrize(
    "name", ["Digits", "-x", ".x", "a/b", "a b", "a\nb", "ä", "a" * 64, "a\n", "''", "[a]", "~"]
)
@pytest.mark.parametrize("key", ["project", "stack"])
def test_a_name_that_is_no_name_is_refused(key: str, name: str) -> None:
    text = name if name in {"''", "[a]", "~"} else f'"{name}"'.replace("\n", "\\n")
    base = BASE.replace("digits" if key == "project" else "cpu", text)
    assert problem("", base=base).message.startswith(f"`{key}` must be")


def test_a_version_without_quotes_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(ConfigError) as caught:
        checked(Spot(parse(b"3.10", "stack.yaml"), "python", []), version_text)
    (only,) = caught.value.problems
    assert only.message == "`python` must be a version in quotes, found `3.10`"
    assert only.hint == 'put it in quotes: `"3.10"`'
    assert checked(Spot(parse(b'"3.10"', "stack.yaml"), "python", []), version_text) == "3.10"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8g", 8 << 30), ("512m", 512 << 20), ("1.5GiB", 3 << 29), ("2kb", 2048), ("1T", 1 << 40),
        ("7b", 7), ("0.5k", 512),
    ],
)  # fmt: skip
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert config(f"resources: {{memory: {text}}}\n").resources.memory == size


@given(st.integers(1, 2**45))
def test_a_size_is_written_exactly(size: int) -> None:
    read = config(f"resources: {{memory: {size_text(size)}}}\n")
    assert read.resources.memory == size


# ---- overrides ----


def test_overrides_change_what_the_file_says() -> None:
    read = config(
        "", "params.lr=1e-2", "params.model.width=NO", "seed=1", "seed=7", "resources.memory=null",
        "env=[A, B]", "data.extra.path=/mnt/x y", "run='python x.py'", "evaluate=python e.py -v",
        base=FULL,
    )  # fmt: skip
    assert read.params == {"lr": 0.01, "batch_size": 32, "model": {"width": "NO"}}
    assert (read.seed, read.resources.memory, read.env) == (7, None, ("A", "B"))
    assert read.data["extra"] == Dataset("/mnt/x y")
    assert (read.run, read.evaluate) == (("python", "x.py"), ("python", "e.py", "-v"))
    assert read.resources.gpus == 1
    assert read.text == FULL.encode()


def test_an_override_makes_the_mappings_that_the_file_lacks() -> None:
    assert config("", "resources.gpus=2").resources == Resources(gpus=2)
    assert config("resources:\n", "resources.gpus=2").resources == Resources(gpus=2)


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("seed", "an override must be `key=value`", "write it as `-o params.lr=0.01`"),
        ("=1", "an override must be `key=value`", "write it as `-o params.lr=0.01`"),
        ("params..lr=1", "an override must be `key=value`", "write it as `-o params.lr=0.01`"),
        ("sed=1", "`sed` is no known key", "did you mean `seed`?"),
        ("params.lrr=1", "`params.lrr` is no parameter of this project", "did you mean `lr`?"),
        ("params.a.b=1", "`params.a` is no parameter of this project", None),
        ("params.lr.x=1", "`params.lr` has no keys below it, found `0.1`", None),
        ("seed=-1", "`seed` must be a whole number from 0 to 4294967295, found `-1`", None),
        ("params.lr=.nan", "`params.lr` must be a finite number, found `.nan`", None),
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_like_a_mistake_in_the_file(
    override: str, message: str, hint: str | None
) -> None:
    found = problem("params: {lr: 0.1}\n", override)
    assert (found.where, found.message) == (f"-o {override}", message)
    assert hint is None or found.hint == hint


def test_wrong_overrides_and_a_wrong_file_are_told_together() -> None:
    found = problems("seed: x\n", "run=[a", "env=3")
    assert [item.where.split("=")[0] for item in found] == ["-o run", "-o env", "p/config.yaml:4:7"]


# ---- commands ----


@pytest.mark.parametrize(
    "line",
    [
        r"""python a.py "$HOME" '*' ; rm -rf / && `id` | x > y # z {a} {"k":{"j":1}} ~ \$ ü""",
        "python -c 'print(\"a  b\")' --json='{\"a\": [1, 2]}' '' -- -x",
    ],
)
def test_a_command_is_split_into_words_and_nothing_is_expanded(line: str) -> None:
    assert config("", base=BASE.replace("python train.py", repr_yaml(line))).run == tuple(
        shlex.split(line)
    )


def repr_yaml(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@given(st.lists(texts, min_size=1, max_size=5).filter(lambda words: words[0] != ""))
def test_words_arrive_byte_for_byte(words: list[str]) -> None:
    words = [word.replace("{params.", "{params") for word in words]
    for written in (replace(config(), run=tuple(words)), _as_line(words)):
        read = parse_config(written.to_yaml().encode(), Path("c"))
        assert fill(read.run, {"x": 1}) == tuple(words)


def _as_line(words: list[str]) -> ProjectConfig:
    """The words as the one line of text that a person would write."""
    read = config("", f"run={repr_yaml(shlex.join(words))}") if _one_line(words) else config()
    return read if _one_line(words) else replace(read, run=tuple(words))


def _one_line(words: list[str]) -> bool:
    return all(word.isprintable() for word in words)


@given(st.lists(texts, min_size=1, max_size=4))
def test_real_programs_get_the_words_that_were_written(words: list[str]) -> None:
    read = replace(config(), run=("printf", r"%s\0", *(w.replace("{", "(") for w in words)))
    again = parse_config(read.to_yaml().encode(), Path("c"))
    done = subprocess.run(fill(again.run, {}), capture_output=True, check=True)
    assert done.stdout == b"".join(word.encode() + b"\0" for word in read.run[2:])


def test_numbers_in_a_command_arrive_as_written() -> None:
    read = config("evaluate: [python, x.py, 1e-3, 3.10, 0x1F, true, 007]\n")
    assert read.evaluate == ("python", "x.py", "1e-3", "3.10", "0x1F", "true", "007")


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("--lr={params.lr}", "--lr=0.001"),
        ("{params.name}", "a b'$x"),
        ("{params.flag}/{params.none}/{params.big}", "true/null/10"),
        ("{params.layers}", "[64, 32]"),
        ("{params.model.width}", "8"),
        ("{params.model}", '{"width": 8}'),
        ('{"lr":{params.lr}}', '{"lr":0.001}'),
        ("{{params.lr}}", "{params.lr}"),
        ("{{{params.lr}}}", "{{params.lr}}"),
        ("{}{{}}{x}{params}}{ params.lr}${HOME}", "{}{{}}{x}{params}}{ params.lr}${HOME}"),
    ],
)
def test_placeholders_are_filled_and_other_braces_stay(word: str, filled: str) -> None:
    params = {
        "lr": 0.001, "name": "a b'$x", "flag": True, "none": None, "big": 10,
        "layers": [64, 32], "model": {"width": 8},
    }  # fmt: skip
    assert fill(["x", word], params) == ("x", filled)  # type: ignore[arg-type]


@given(texts)
def test_a_parameter_that_is_text_is_filled_in_exactly_and_once(text: str) -> None:
    assert fill(["{params.a}-{params.b}"], {"a": text, "b": "{params.a}"}) == (
        f"{text}-{{params.a}}",
    )


@pytest.mark.parametrize("name", ["lrr", "lr ", "", "lr.x", "model.widht"])
def test_an_unknown_placeholder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fill([f"{{params.{name}}}"], {"lr": 1, "model": {"width": 8}})
    assert (caught.value.exit_code, caught.value.code) == (2, "unknown-param")
    found = problem(
        "params: {lr: 1, model: {width: 8}}\n",
        base=BASE.replace("python train.py", repr_yaml(f"python '{{params.{name}}}'")),
    )
    assert f"there is no parameter `{name}`" in found.message


# ---- paths ----

PATHS = [
    "data/digits", "../../data", "/mnt/data sets/ü", "a\nb", "-x", "a:b,c=d", "n" * 255, "日本",
    "a\\b", "a//b/./c", "{x}", "$HOME", "*",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_data_path_makes_an_exact_round_trip(path: str) -> None:
    written = replace(config(), data={"d": Dataset(path)})
    assert parse_config(written.to_yaml().encode(), Path("c")).data["d"].path == path


@pytest.mark.parametrize("path", ["n" * 256, "ü" * 128, "/x" * 2048, "", "~", "~root/x"])
def test_a_data_path_that_cannot_be_is_refused(path: str) -> None:
    written = replace(config(), data={"d": Dataset(path)}).to_yaml()
    assert problem("", base=written).message.startswith("`data.d.path` ")


@pytest.mark.parametrize(
    "path", ["a", "a b/ü", "-x", "a:b,c", "a\nb", "n" * 255, "..a", "a..", ".a"]
)
def test_a_folder_to_keep_makes_an_exact_round_trip(path: str) -> None:
    written = replace(config(), outputs=Outputs((path,)))
    assert parse_config(written.to_yaml().encode(), Path("c")).outputs.keep == (path,)


@pytest.mark.parametrize(
    "path", ["/", "/etc", "..", "../x", "a/../b", ".", "./a", "a//b", "", "~/x", "n" * 256]
)
def test_a_folder_to_keep_that_leads_elsewhere_is_refused(path: str) -> None:
    written = replace(config(), outputs=Outputs((path,))).to_yaml()
    assert problem("", base=written).message.startswith("`outputs.keep.0` ")


def test_relative_data_counts_from_the_project_and_stays_in_the_workspace(tmp_path: Path) -> None:
    project = tmp_path / "work space" / "projects" / "digits"
    project.mkdir(parents=True)
    (project / "out").symlink_to(tmp_path)
    (project / "in").symlink_to("..")
    workspace = tmp_path / "work space"

    def located(path: str) -> Path:
        return Dataset(path).locate(project, workspace)

    assert located("data/x") == project / "data" / "x"
    assert located("../../data") == workspace / "data"
    assert located("in/x") == project.parent / "x"
    assert located("/mnt/../x") == Path("/mnt/../x")
    for outside in ("../../../x", "out/x"):
        with pytest.raises(ConfigError) as caught:
            located(outside)
        assert caught.value.hint == "write the absolute path where data lives elsewhere"


# ---- writing ----

names = st.from_regex("[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
scalars = (
    texts | st.booleans() | st.none() | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
params = st.dictionaries(
    texts,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    max_size=4,
)
resources = st.builds(
    Resources,
    gpus=st.integers(0, 1024),
    cpus=st.none() | st.integers(1, 500) | st.floats(0.01, 500),
    memory=st.none() | st.integers(1, 2**45),
    shm=st.integers(1, 2**45),
    network=st.sampled_from(["none", "bridge", "host"]),
)
configs = st.builds(
    ProjectConfig,
    path=st.just(Path("config.yaml")),
    text=st.just(b""),
    project=names,
    stack=names,
    run=st.lists(texts, min_size=1, max_size=3).map(lambda words: ("python", *words)),
    evaluate=st.none() | st.just(("python", "evaluate.py")),
    seed=st.integers(0, MAX_SEED),
    determinism=st.sampled_from(["strict", "seeded", "off"]),
    params=params,
    data=st.dictionaries(names, st.builds(Dataset, st.sampled_from(PATHS)), max_size=3),
    outputs=st.lists(names, unique=True, max_size=4).map(lambda keep: Outputs(tuple(keep))),
    resources=resources,
    env=st.lists(st.from_regex("[A-QS-Z_][A-Z0-9_]{0,9}", fullmatch=True), unique=True).map(tuple),
)


@given(configs)
def test_a_config_is_written_and_read_back_the_same(written: ProjectConfig) -> None:
    text = written.to_yaml()
    read = parse_config(text.encode(), written.path)
    assert repr(replace(read, text=b"")) == repr(written)
    assert read.to_yaml() == text
