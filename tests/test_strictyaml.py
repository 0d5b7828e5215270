"""Strict YAML: what is read, what is refused, and that no file can take memory or time."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit import strictyaml, yamltext
from reprokit.errors import ConfigError
from reprokit.strictyaml import Plain

ROOT = Path(__file__).resolve().parents[1]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
scalars = (
    texts
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
mappings = st.dictionaries(texts, values, max_size=6)


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of PyYAML's parsers: a machine without libyaml reads the same and refuses the same."""
    if request.param == "python":
        monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    return str(request.param)


def parse(text: str | bytes) -> Plain:
    data = text.encode() if isinstance(text, str) else text
    return strictyaml.parse(data, "f.yaml").plain()


def refused(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001), ("1E+2", 100.0), (".5", 0.5), ("5.", 5.0), ("3.10", 3.1), ("-0.0", -0.0),
        ("42", 42), ("+5", 5), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("017", 17), ("0", 0),
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"),
        ("12:30", "12:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("2020-01-01", "2020-01-01"),
        ("=", "="), ("e5", "e5"), ("'1e-3'", "1e-3"), ('"true"', "true"), ("-.inf", float("-inf")),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(parser: str, written: str, meant: object) -> None:
    value = parse(f"key: {written}\n")
    assert value == {"key": meant}
    assert type(value["key"]) is type(meant)


def test_a_scalar_keeps_its_characters_as_written() -> None:
    node = strictyaml.parse(b'a: 3.10\nb: "3.10"\n', "f.yaml").value
    assert isinstance(node, dict)
    assert [(node[key].raw, node[key].quoted) for key in "ab"] == [("3.10", False), ("3.10", True)]


def test_every_value_and_key_knows_its_place(parser: str) -> None:
    root = strictyaml.parse(b"a: 1\nlong:\n  - x\n  - {k: v}\n", "dir/f.yaml")
    assert isinstance(root.value, dict)
    assert str(root.keys["long"]) == "dir/f.yaml:2:1"
    items = root.value["long"].value
    assert isinstance(items, tuple)
    assert [(item.line, item.column) for item in items] == [(3, 5), (4, 5)]


@pytest.mark.parametrize(
    "text", ["\ufeffa: 1\r\nb: [x,\r\n  y]\r\n", "a: 1\nb: [x, y]", "a: 1\rb: [x, y]\r"]
)
def test_a_byte_order_mark_and_any_line_end_are_accepted(parser: str, text: str) -> None:
    assert parse(text) == {"a": 1, "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "twice"),
        ('a: 1\n"a": 3\n', "f.yaml:2:1", "twice"),
        ("a: !!python/object/apply:os.system [id]\n", "f.yaml:1:4", "tags"),
        ("a: !x 1\n", "f.yaml:1:4", "tags"),
        ("a: ! 1\n", "f.yaml:1:4", "tags"),
        ("!!map {a: 1}\n", "f.yaml:1:1", "tags"),
        ("!!str a: 1\n", "f.yaml:1:1", "key"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:1:1", "%"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1", "second document"),
        ("1: x\n", "f.yaml:1:1", "must be text"),
        ("true: x\n", "f.yaml:1:1", "must be text"),
        ("? [a]\n: x\n", "f.yaml:1:3", "key"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", "f.yaml:3:3", "merge"),
        ("a: *x\n", "f.yaml:1:4", "no anchor"),
        ("a: &x 1\nb: &x 2\n", "f.yaml:2:4", "twice"),
        ("a: &x [1, *x]\n", "f.yaml:1:11", "inside of what it names"),
        ("a: \x07\n", "f.yaml:1:4", "U+0007"),
        ("a: 'x\u2028y'\n", "f.yaml:1:6", "U+2028"),
        ("a: b\x85c\n", "f.yaml:1:5", "U+0085"),
        ("a: b\0c\n", "f.yaml:1:5", "U+0000"),
        ('a: "x\\0"\n', "f.yaml:1:4", "no program can be given"),
        ("k" * 129 + ": 1\n", "f.yaml:1:1", "longer than 128"),
        (f"a: {'9' * 5000}\n", "f.yaml:1:4", "64 bits"),
        (f"a: 0x{'f' * 17}\n", "f.yaml:1:4", "64 bits"),
        ("a: b: c\n", "f.yaml:1:5", "mapping values"),
        ("a:\n\t- b\n", "f.yaml:2:1", "cannot start any token"),
        ("a: [1\n", "f.yaml:1:4", "flow"),
        ("a: 1\nb: 'x\n", "f.yaml:2:4", "quoted scalar"),
    ],
)  # fmt: skip
def test_what_is_not_strict_is_refused_with_its_place(
    parser: str, text: str, where: str, word: str
) -> None:
    error = refused(text)
    assert error.where == where
    assert word in error.message


def test_the_error_shows_the_line_with_a_caret(parser: str) -> None:
    error = refused("project: digits\nseed: 1\nseed: 2\n")
    assert error.message.splitlines()[1:] == ["    seed: 2", "    ^"]
    assert error.hint == "remove it, or the one on line 2"


def test_a_long_or_hostile_line_is_shown_in_a_bearable_way(parser: str) -> None:
    message = refused("a: " + "x" * 100_000 + ' : "\x1b[31m"\n').message
    assert "\x1b" not in message
    assert max(map(len, message.splitlines())) < 80


def test_a_lone_surrogate_escape_is_refused(parser: str) -> None:
    assert refused('a: "\\ud800"\n').code == "bad-yaml"


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_is_refused_and_named(parser: str, text: str) -> None:
    error = refused(text)
    assert (error.code, error.where) == ("empty-file", "f.yaml")
    assert error.hint


@pytest.mark.parametrize("text", [b"a: 1\nb: \xe9\n", "a: ü".encode("utf-16"), b"a: \xed\xa0\x80"])
def test_what_is_not_utf8_is_refused_with_its_place(text: bytes) -> None:
    error = refused(text)
    assert error.code == "not-utf8"
    assert (error.where or "").startswith("f.yaml:")


def test_aliases_within_the_budget_are_values() -> None:
    assert parse("a: &x [1, 2]\nb: [*x, *x]\n") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_more_aliases_than_the_budget_are_refused(parser: str) -> None:
    assert "aliases" in refused("a: &x 1\nb: [" + "*x, " * 101 + "]\n").message


# ---- files ----


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n")
    with pytest.raises(ConfigError) as caught:
        strictyaml.load(tmp_path / "confg.yaml")
    assert caught.value.code == "no-file"
    assert caught.value.where == str(tmp_path / "confg.yaml")
    assert caught.value.hint == "did you mean `config.yaml`?"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        strictyaml.load(tmp_path)
    assert (caught.value.code, caught.value.where) == ("not-a-file", str(tmp_path))
    assert caught.value.hint


def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="no file"):
        strictyaml.load(tmp_path / "pipe.yaml")


@pytest.mark.parametrize("name", ["file.yaml/x.yaml", "n" * 300, "loop.yaml"])
def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.yaml").write_text("a: 1\n")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ConfigError) as caught:
        strictyaml.load(tmp_path / name)
    assert caught.value.code == "unreadable"
    assert caught.value.hint


_UNREADABLE = """
import os, sys
from pathlib import Path
from reprokit import strictyaml
from reprokit.errors import ConfigError
os.chdir(sys.argv[1])
if os.geteuid() == 0:  # root may read everything: become nobody
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    strictyaml.load(Path("secret.yaml"))
except ConfigError as error:
    print(error.exit_code, error.code, error.where, error.message, sep="|")
"""


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("a: 1\n")
    (tmp_path / "secret.yaml").chmod(0)
    tmp_path.chmod(0o755)
    assert python(_UNREADABLE, str(tmp_path)) == (
        "2|unreadable|secret.yaml|cannot read this: permission denied\n"
    )


_BOUNDED = """
import json, resource, sys, time
from pathlib import Path
import yaml
from reprokit import strictyaml
from reprokit.errors import ConfigError
if sys.argv[2] == "python":
    sys.modules["yaml._yaml"] = None
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
results = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    began = time.process_time()
    try:
        strictyaml.load(path).plain()
        code = "read"
    except ConfigError as error:
        code = error.code
    results[path.name] = (code, time.process_time() - began)
print(json.dumps(results))
"""

HOSTILE = {
    "levels-flow": "[" * 100_000,
    "levels-mapping": "{a: " * 100_000,
    "levels-sequence": "- " * 100_000,
    "levels-question": "? " * 100_000,
    "levels-indent": "\n".join(" " * level + "a:" for level in range(1000)),
    "bomb": "a0: &a0 [x, x]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 45)),
    "self": "a: &a [*a, *a]\n",
    "directives": "".join(f"%TAG !{i}! x\n" for i in range(50_000)) + "---\na: 1\n",
    "directives-after": "a: 1\n...\n" + "".join(f"%TAG !{i}! x\n" for i in range(50_000)),
    "values": "a: [" + "1, " * 300_000 + "]\n",
    "keys": "".join(f"k{i}: 1\n" for i in range(80_000)),
    "documents": "---\n" * 200_000,
    "anchors": "".join(f"- &a{i} x\n" for i in range(60_000)),
    "number": "a: " + "9" * 1_000_000,
    "open-quote": 'a: "' + "x\n" * 400_000,
}


@pytest.mark.parametrize("parser_name", ["libyaml", "python"])
def test_no_file_takes_memory_or_time(tmp_path: Path, parser_name: str) -> None:
    for name, text in HOSTILE.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "large").write_bytes(b"a: 1\n" * 10_000_000)
    results = json.loads(python(_BOUNDED, str(tmp_path), parser_name))
    codes = {name: code for name, (code, _) in results.items()}
    assert codes == dict.fromkeys(HOSTILE, "bad-yaml") | {"large": "too-large"}
    # PyYAML's parser in Python reads 1 MiB in about a second; libyaml in a quarter of one.
    assert max(seconds for _, seconds in results.values()) < (1 if parser_name == "libyaml" else 5)


def python(script: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


# ---- writing ----


@given(mappings)
def test_what_is_written_is_read_back_the_same(value: dict[str, Plain]) -> None:
    text = yamltext.dump(value)
    assert same(parse(text) if value else {}, value)
    assert yamltext.dump(dict(value)) == text


@given(st.dictionaries(st.text("abc\n'\" :#-{}[]&*!|>%@`\t\\", max_size=8), texts, min_size=1))
def test_awkward_keys_are_written_so_that_both_parsers_read_them(value: dict[str, Plain]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        first = parse(yamltext.dump(value))
        patch.setitem(sys.modules, "yaml._yaml", None)
        assert parse(yamltext.dump(value)) == first == value


def same(left: Plain, right: Plain) -> bool:
    """Equal in type too: 1, 1.0 and True are three values."""
    return repr(left) == repr(right)


@given(st.binary(max_size=60) | texts.map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    with suppress(ConfigError):
        parse(data)


# ---- options ----


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.1", 0.1), ("1e-3", 0.001), ("NO", "NO"), ("a: b # c", "a: b # c"), ("", None),
        ("%s", "%s"),
        ("'1'", "1"), ("[1, b]", [1, "b"]), ("{a: 1}", {"a": 1}), ("*x", "*x"), ("!t x", "!t x"),
    ],
)  # fmt: skip
def test_the_value_of_an_option_is_a_scalar_or_what_a_bracket_opens(
    text: str, meant: object
) -> None:
    assert strictyaml.parse_value(text, "-o").plain() == meant


@pytest.mark.parametrize("text", ["[1", "'x", "a\x1b", "b\udcff", '"\udcff"', "9" * 500])
def test_a_bad_value_of_an_option_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        strictyaml.parse_value(text, "-o")
