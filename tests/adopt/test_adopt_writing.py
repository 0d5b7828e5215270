from pathlib import Path

import pytest

from reprokit.adopt import writing
from reprokit.adopt.place import with_line
from reprokit.adopt.writing import Draft, create_all
from reprokit.errors import ConfigError, MachineError


def drafts(root: Path) -> list[Draft]:
    return [
        Draft(root / "envs/new/stack.yaml", "a\n"),
        Draft(root / "b.in", "b\n"),
        Draft(root / "c.yaml", "c\n"),
    ]


def everything(root: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else None
        for path in root.rglob("*")
    }


def test_all_files_come_into_being(tmp_path: Path) -> None:
    create_all(drafts(tmp_path))
    assert everything(tmp_path) == {
        "envs": None,
        "envs/new": None,
        "envs/new/stack.yaml": "a\n",
        "b.in": "b\n",
        "c.yaml": "c\n",
    }


@pytest.mark.parametrize("taken", ["b.in", "c.yaml", "envs/new/stack.yaml"])
def test_one_file_that_is_there_stops_all_of_them(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / taken).write_text("mine")
    before = everything(tmp_path)
    with pytest.raises(ConfigError) as caught:
        create_all(drafts(tmp_path))
    assert caught.value.code == "exists"
    assert caught.value.where == str(tmp_path / taken)
    assert "mv" in str(caught.value.hint)
    assert everything(tmp_path) == before


def test_a_dangling_link_is_in_the_way_too(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        create_all(drafts(tmp_path))
    assert list(everything(tmp_path)) == ["c.yaml"]
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the last file: `link` itself refuses."""
    look = writing.refuse_existing

    def late(wanted: list[Draft]) -> None:
        look(wanted)
        (tmp_path / "c.yaml").write_text("mine")

    monkeypatch.setattr(writing, "refuse_existing", late)
    with pytest.raises(ConfigError) as caught:
        create_all(drafts(tmp_path))
    assert caught.value.code == "exists"
    assert everything(tmp_path) == {"c.yaml": "mine"}


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "envs").write_text("a file where a folder is meant")
    wanted = [*drafts(tmp_path)[1:], drafts(tmp_path)[0]]
    with pytest.raises(MachineError):
        create_all(wanted)
    assert list(everything(tmp_path)) == ["envs"]


def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = writing._name

    def interrupted(temporary: Path, final: Path) -> None:
        if final.name == "c.yaml":
            raise KeyboardInterrupt
        name(temporary, final)

    monkeypatch.setattr(writing, "_name", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create_all(drafts(tmp_path))
    assert everything(tmp_path) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"/runs/\n"),
        (b"a\n", b"a\n/runs/\n"),
        (b"a", b"a\n/runs/\n"),
        (b"a\r\n", b"a\r\n/runs/\r\n"),
    ],
)
def test_a_line_is_added_in_the_files_own_line_ends(before: bytes, after: bytes) -> None:
    assert with_line(before, "/runs/") == after
