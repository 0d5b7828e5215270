"""The reader of plain YAML: what it takes, PyYAML reads as the very same tree, marks and all."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.errors import ConfigError
from reprokit.plainyaml import tree
from reprokit.strictyaml import Node, _Text, composed
from tests.conftest import REPOSITORY


def plain(text: str) -> Node | None:
    """What the quick reader says."""
    return tree(text, "f.yaml", _Text(text, "f.yaml").resolved)


def slow(text: str) -> Node | str:
    """What PyYAML and the strict rules say: a tree, or the code of the error."""
    try:
        return composed(_Text(text, "f.yaml"))
    except ConfigError as error:
        return error.code


@pytest.mark.parametrize(
    "path", sorted(REPOSITORY.glob("projects/*/config.yaml")), ids=lambda path: path.parent.name
)
def test_the_configs_of_this_repository_are_plain(path: Path) -> None:
    assert plain(path.read_text()) == slow(path.read_text())


PLAIN = """\
# A comment.
project: digits
stack: cpu                       # a folder of envs/
run: python train.py --lr {params.lr} it's "quoted" a:b c#d, [x]
empty:
also:   # nothing
text: "3.10"
other: ' a '
numbers: {a: 1e-3, b: -2, c: 0x1F, d: .inf, e: {f: [1, 2.50, -x]}, g: {}, h: [], i: "a, b"}
nested:
    deeper:
        deepest: x
    beside: -1
"""


@pytest.mark.parametrize("end", ["", "\n", "\n\n  # The end."])
def test_plain_lines_are_read_as_pyyaml_reads_them(end: str) -> None:
    found = plain(PLAIN + end)
    assert found is not None
    assert found == slow(PLAIN + end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "just text\n",
        "a: 1\na: 2\n",
        "a: b: c\n",
        "a: 1\n  b: 2\n",
        "a:\n    b: 1\n  c: 2\n",
        "  a: 1\nb: 2\n",
        "a: text\n  goes on\n",
        "- a\n",
        "a:\n- b\n",
        "a: &x 1\n",
        "a: *x\n",
        "a: !t 1\n",
        "a: |\n  x\n",
        "a: > x\n",
        "a: {b: 1\n",
        "a: {b: 1}}\n",
        "a: [1,, 2]\n",
        "a: {b: 1, b: 2}\n",
        "a: {b}\n",
        'a: "b" c\n',
        "a: 'it''s'\n",
        'a: "\\n"\n',
        "a:b\n",
        "a\t: 1\n",
        "a: 1\r\n",
        "true: 1\n",
        "1: 2\n",
        "<<: {a: 1}\n",
        "a: é\n",
        "---\na: 1\n",
        "a: 1\n---\nb: 1\n",
        "%YAML 1.2\n",
        "a: ? b\n",
        "a: - b\n",
        "a: @b\n",
        f"a: {'9' * 500}\n",
        "a: 99999999999999999999\n",
        "a: " + "[" * 20 + "]" * 20 + "\n",
        "a: x" + " " * 100_000 + "y\n",
    ],
)
def test_whatever_is_not_plain_is_left_to_pyyaml(text: str) -> None:
    assert plain(text) is None


FRAGMENTS = st.sampled_from(
    [
        *("a", "b", "key", "no", "null", "true", "1", "1e-3", "-2", "0x1f", "~", ".inf", "3.10"),
        *(": ", ":", " ", "  ", "\n", "\n  ", "\n    ", "# c", " # c", ", ", ",", "- ", "-", "?"),
        *(
            "{",
            "}",
            "[",
            "]",
            "{a: 1}",
            "[x, y]",
            '"',
            "'",
            '"q"',
            "'q'",
            "&x",
            "*x",
            "!",
            "|",
            ">",
        ),
        *("%", "@", "`", "<<", "---", "...", "a: ", "\nb: ", "\n  c: ", "\nd:\n  e: f", "\t", "é"),
    ]
)


@settings(max_examples=3000, deadline=None)
@given(text=st.lists(FRAGMENTS, max_size=12).map("".join))
def test_what_the_quick_reader_takes_pyyaml_reads_the_same_way(text: str) -> None:
    found = plain(text)
    if found is not None:
        assert found == slow(text)


VALUES = st.recursive(
    st.sampled_from(["x", "1", "-0.5", "1e-3", "null", "true", "NO", "a/b.c", '"q, r"', "'s'"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=8,
)


def _block(pairs: dict[str, object], indent: str = "") -> str:
    lines = []
    for key, value in pairs.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n{_block(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{key}: {value}\n")
    return "".join(lines)


BLOCKS = st.recursive(
    st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=1, max_size=4),
    lambda inner: st.dictionaries(
        st.sampled_from("abcdef"), VALUES | inner, min_size=1, max_size=4
    ),
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(pairs=BLOCKS)
def test_every_well_formed_plain_document_is_taken(pairs: dict[str, object]) -> None:
    text = _block(pairs)
    found = plain(text)
    assert found is not None
    assert found == slow(text)
