"""Removing a folder: all of it, and nothing but it."""

import os
from pathlib import Path

from reprokit.inside.removal import remove_tree


def test_everything_in_a_folder_goes_and_nothing_behind_its_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "file").write_text("x")
    (folder / "a" / "to-folder").symlink_to(outside)
    (folder / "to-file").symlink_to(outside / "kept")
    (folder / "dead").symlink_to("nowhere")
    (folder / os.fsdecode(b"\xff\n")).write_text("x")
    os.mkfifo(folder / "fifo")
    remove_tree(str(folder))
    assert not folder.exists()
    assert (outside / "kept").read_text() == "x"


def test_a_link_in_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real" / "inside").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "real" / "inside").is_dir()
    assert (tmp_path / "link").is_symlink()


def test_what_is_not_there_or_no_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    remove_tree(str(tmp_path / "absent"))
    remove_tree(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "x"


def test_a_tree_deeper_than_python_recurses_goes_too(tmp_path: Path) -> None:
    path = str(tmp_path / "deep")
    for _ in range(1200):
        os.mkdir(path)
        path += "/d"
    remove_tree(str(tmp_path / "deep"))
    assert not (tmp_path / "deep").exists()
