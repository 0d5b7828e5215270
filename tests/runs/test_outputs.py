"""Folders that a run keeps, data where a project expects it, and strays that are kept too."""

import os
from pathlib import Path

import pytest

from reprokit.layout import RunPaths
from reprokit.runs import outputs
from tests.conftest import Place, git


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """A run folder with a copy of a source."""
    (tmp_path / "run" / "work" / "project").mkdir(parents=True)
    return RunPaths(tmp_path / "run")


def test_a_kept_folder_of_the_project_is_a_folder_of_the_run(paths: RunPaths) -> None:
    project = paths.work / "project"
    outputs.connect(paths, project, ["outputs", "deep/er"], link=True)
    (project / "outputs" / "x").write_text("x")
    (project / "deep" / "er" / "y").write_text("y")
    assert (paths.root / "outputs" / "x").read_text() == "x"
    assert (paths.root / "deep" / "er" / "y").read_text() == "y"


def test_the_links_still_lead_there_after_the_folder_moved(paths: RunPaths) -> None:
    outputs.connect(paths, paths.work / "project", ["outputs"], link=True)
    moved = paths.root.rename(paths.root.with_name("moved"))
    (moved / "work" / "project" / "outputs" / "x").write_text("x")
    assert (moved / "outputs" / "x").read_text() == "x"


def test_what_the_source_keeps_in_a_kept_folder_is_still_found(paths: RunPaths) -> None:
    seen = paths.work / "project" / "outputs"
    seen.mkdir()
    (seen / ".gitkeep").write_text("")
    (paths.root / "outputs").mkdir()
    outputs.connect(paths, paths.work / "project", ["outputs"], link=True)
    assert (seen / ".gitkeep").exists()
    assert (paths.root / "outputs" / ".gitkeep").exists()


def test_a_container_gets_folders_to_mount_over(paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outputs.connect(paths, paths.work / "project", ["outputs"], link=False)
    outputs.connect_data(paths.work, {"data/f": tmp_path / "file", "data/d": tmp_path}, link=False)
    for name in ("project/outputs", "data/d"):
        assert (paths.work / name).is_dir()
        assert not (paths.work / name).is_symlink()
    assert (paths.work / "data" / "f").is_file()


def test_data_is_linked_where_the_project_looks_for_it(paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    outputs.connect_data(paths.work, {"data/set": tmp_path / "set"}, link=True)
    assert (paths.work / "data" / "set").resolve() == tmp_path / "set"


def test_a_copy_that_a_death_left_half_removed_is_removed_at_the_next_look(place: Place) -> None:
    folder = place.run(place.project("quick", ""))["folder"]
    paths = RunPaths(folder)
    assert outputs.is_tidy(paths)
    (folder / ".work.old" / "deep").mkdir(parents=True)
    assert not outputs.is_tidy(paths)
    assert place("runs").code == 0
    assert outputs.is_tidy(paths)


def test_strays_keep_their_paths_and_changed_sources_are_strays_too(place: Place) -> None:
    script = """
import os
os.makedirs("a b/ü", exist_ok=True)
open("a b/ü/x", "w").write("1")
open("helper.py", "a").write("# changed")
open("../../root", "w").write("2")
"""
    config = place.project("strays", script)
    (config.parent / "helper.py").write_text("# helper\n")
    stray = place.run(config)["folder"] / "outputs" / "stray"
    found = {
        str(path.relative_to(stray)): path.read_text()
        for path in stray.rglob("*")
        if path.is_file()
    }
    assert found == {
        "projects/strays/a b/ü/x": "1",
        "projects/strays/helper.py": "# helper\n# changed",
        "root": "2",
    }
    assert (config.parent / "helper.py").read_text() == "# helper\n"


def test_a_stray_goes_neither_through_a_link_nor_over_a_file(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    script = f"""
import os
os.makedirs("outputs/stray")
os.symlink({str(outside)!r}, "outputs/stray/projects")
open("x", "w").write("x")
"""
    folder = place.run(place.project("p", script))["folder"]
    assert list(outside.iterdir()) == []
    assert (folder / "stray-1" / "projects" / "p" / "x").read_text() == "x"


def test_a_stray_whose_name_is_no_text_is_kept(place: Place) -> None:
    script = "open(b'\\xff\\xfe', 'w').close()"
    folder = place.run(place.project("bytes", script))["folder"]
    stray = folder / "outputs" / "stray" / "projects" / "bytes"
    assert os.listdir(os.fsencode(stray)) == [b"\xff\xfe"]


def test_what_git_tracks_in_a_kept_folder_is_code(place: Place) -> None:
    config = place.project("coded", "import debug.tool\nprint(debug.tool.NAME)\n")
    tool = config.parent / "debug" / "tool.py"
    tool.parent.mkdir()
    tool.write_text("NAME = 'tracked'\n")
    git(place.root, "add", "-A")
    git(place.root, "commit", "-qm", "tool")
    (tool.parent / "dump.bin").write_bytes(b"of an earlier run")
    record = place.run(config)
    assert record["state"] == "completed"
    assert (record["folder"] / "logs" / "output.log").read_text() == "tracked\n"
    assert not (record["folder"] / "debug" / "dump.bin").exists()


def test_a_script_may_delete_and_remake_its_output_folders(place: Place) -> None:
    script = """
import os, shutil
for name in ("outputs", "logs", "checkpoints"):
    shutil.rmtree(name)
    print("gone", name)
os.makedirs("outputs")
open("outputs/result", "w").write("42")
"""
    record = place.run(place.project("remakes", script))
    folder = record["folder"]
    assert record["state"] == "completed"
    assert (folder / "outputs" / "result").read_text() == "42"
    assert (
        folder / "logs" / "output.log"
    ).read_text() == "gone outputs\ngone logs\ngone checkpoints\n"
    assert not any((folder / name).is_symlink() for name in ("outputs", "logs", "checkpoints"))


def test_outputs_can_be_watched_in_the_run_folder_while_it_runs(place: Place) -> None:
    script = """
import os
open("outputs/early", "w").write("x")
assert os.path.exists(os.path.join(os.environ["REPROKIT_RUN_DIR"], "outputs", "early"))
"""
    assert place.run(place.project("early", script))["state"] == "completed"
