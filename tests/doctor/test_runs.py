"""Runs and what killed commands left: what is litter, what only looks like it, and how it is removed."""

import fcntl
import shutil
from pathlib import Path

import pytest

from reprokit.doctor import runs
from reprokit.doctor.litter import DeadRef, find_litter, is_alive, remove_hidden, remove_ref
from reprokit.errors import MachineError
from reprokit.layout import RunPaths
from reprokit.runs import store
from reprokit.runs.model import SCHEMA, EngineRecord, EnvironmentRecord, RunRecord
from reprokit.workspace import Workspace, find
from tests.conftest import git
from tests.doctor.conftest import context, hidden_run, reference

ID = "20260101-000000-quiet-otter"


def run_folder(place: Path, run_id: str, project: str = "digits") -> Path:
    """A run that is in a store, as far as its name goes."""
    folder = place / project / run_id
    folder.mkdir(parents=True)
    return folder


def refs(workspace: Workspace) -> list[str]:
    """The runs whose source is stored."""
    said = git(workspace.root, "for-each-ref", "--format=%(refname)", "refs/reprokit")
    return [line.rpartition("/")[2] for line in said.splitlines()]


def test_a_workspace_without_runs_is_well(lab: Workspace) -> None:
    found = runs.run(context(lab))
    assert (found.status, found.message) == ("ok", "0 runs in the store")


def test_a_record_that_cannot_be_read_is_told_and_hides_nothing(lab: Workspace) -> None:
    (run_folder(lab.store, ID) / "run.json").write_text("{")
    found = runs.run(context(lab))
    assert found.status == "warn"
    assert found.details[0] == "1 run in the store"
    assert found.details[1].startswith(f"{ID}: ")


def test_a_run_of_another_machine_is_not_settled_here(lab: Workspace) -> None:
    record = RunRecord(
        schema=SCHEMA,
        id=ID,
        project="digits",
        state="running",
        created="2026-01-01T00:00:00.000Z",
        argv=["python", "train.py"],
        engine=EngineRecord("venv", "asked for"),
        environment=EnvironmentRecord("cpu-0", "venv", "/envs/cpu-0"),
        reprokit="0.1.0",
        host="elsewhere",
    )
    store.write_record(RunPaths(run_folder(lab.store, ID)), record)
    found = runs.run(context(lab))
    assert found.status == "warn"
    assert f"{ID}: it was started on elsewhere" in found.details


def test_many_of_a_kind_are_cut_short(lab: Workspace) -> None:
    for number in range(9):
        run_folder(lab.store, f"{ID}-{number}")
    assert runs.run(context(lab)).details[-1] == "... and 4 more"


# What a killed command leaves


def test_the_folder_of_a_killed_command_is_found_and_removed_with_its_code(lab: Workspace) -> None:
    folder = hidden_run(lab.store, ID)
    reference(lab, ID)
    litter = find_litter(lab)
    assert [paths.root for paths in litter.hidden] == [folder]
    assert litter.refs == ()
    assert runs.run(context(lab)).fix == "`reprokit doctor --fix` lists and removes it"
    assert remove_hidden(lab, litter.hidden[0])
    assert not folder.exists()
    assert refs(lab) == []


def test_a_run_that_is_being_prepared_is_left_alone(lab: Workspace) -> None:
    for run_id, age in (("young", 0.0), ("held", 3600.0)):
        reference(lab, run_id)
        folder = hidden_run(lab.store, run_id, age_s=age)
    with (folder / "run.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        litter = find_litter(lab)
        assert (litter.hidden, litter.refs) == ((), ())
        assert not remove_hidden(lab, RunPaths(folder))
    assert refs(lab) == ["held", "young"]


def test_a_folder_that_somebody_else_removed_is_not_removed_again(lab: Workspace) -> None:
    folder = hidden_run(lab.store, ID)
    shutil.rmtree(folder)
    assert not remove_hidden(lab, RunPaths(folder))
    assert not folder.exists()


def test_the_code_of_a_run_that_got_its_name_meanwhile_is_kept(lab: Workspace) -> None:
    folder = hidden_run(lab.store, ID)
    reference(lab, ID)
    run_folder(lab.store, ID)
    assert not remove_hidden(lab, RunPaths(folder))
    assert refs(lab) == [ID]


def test_without_git_there_are_folders_only(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "runs")
    hidden_run(workspace.store, ID)
    litter = find_litter(workspace)
    assert len(litter.hidden) == 1
    assert remove_hidden(workspace, litter.hidden[0])


# References of runs that are gone


def test_the_stored_code_of_a_run_that_is_gone_is_dead(lab: Workspace) -> None:
    run_folder(lab.store, "here")
    reference(lab, "here")
    gone = reference(lab, "gone")
    head = git(lab.root, "rev-parse", "HEAD").strip()
    litter = find_litter(lab)
    assert litter.refs == (DeadRef(gone, head),)
    assert "stored code of runs that are gone (1)" in runs.run(context(lab)).message
    assert remove_ref(lab, litter.refs[0], litter.stores)
    assert refs(lab) == ["here"]


def test_a_run_that_came_back_keeps_its_code(lab: Workspace) -> None:
    reference(lab, ID)
    litter = find_litter(lab)
    run_folder(lab.store, ID)
    assert not remove_ref(lab, litter.refs[0], litter.stores)
    assert refs(lab) == [ID]


def test_a_reference_that_was_written_anew_is_not_removed(lab: Workspace) -> None:
    reference(lab, ID)
    litter = find_litter(lab)
    git(lab.root, "commit", "-q", "--allow-empty", "-m", "next")
    reference(lab, ID)
    with pytest.raises(MachineError, match="git"):
        remove_ref(lab, litter.refs[0], litter.stores)
    assert refs(lab) == [ID]


def test_all_worktrees_share_references_and_each_has_runs(lab: Workspace, tmp_path: Path) -> None:
    git(lab.root, "worktree", "add", "-q", str(tmp_path / "other"))
    other = find(tmp_path / "other")
    run_folder(other.store, "theirs")
    reference(lab, "theirs")
    reference(lab, "nobodys")
    assert [ref.run_id for ref in find_litter(lab).refs] == ["nobodys"]
    assert [ref.run_id for ref in find_litter(other).refs] == ["nobodys"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_repository_can_hold_several_workspaces(lab: Workspace, committed: bool) -> None:
    inner = lab.root / "team"
    (inner / "envs" / "cpu").mkdir(parents=True)
    (inner / "envs" / "cpu" / "stack.yaml").write_text("")
    (inner / ".gitignore").write_text("/runs/\n")
    if committed:
        git(lab.root, "add", "-A")
        git(lab.root, "commit", "-qm", "team")
    run_folder(inner / "runs", "theirs")
    reference(lab, "theirs")
    assert find_litter(lab).refs == ()


def test_a_worktree_that_is_away_may_have_the_runs(lab: Workspace, tmp_path: Path) -> None:
    git(lab.root, "worktree", "add", "-q", str(tmp_path / "other"))
    shutil.rmtree(tmp_path / "other")
    reference(lab, ID)
    litter = find_litter(lab)
    assert litter.refs == ()
    assert str(tmp_path / "other") in (litter.left_alone or "")
    assert runs.run(context(lab)).status == "ok"


def test_a_store_on_a_disk_that_is_not_mounted_may_have_the_runs(
    lab: Workspace, tmp_path: Path
) -> None:
    (lab.root / "reprokit.yaml").write_text(f"store: {tmp_path / 'big-disk'}\n")
    reference(lab, ID)
    workspace = find(lab.root)
    assert "empty or away" in (find_litter(workspace).left_alone or "")
    run_folder(workspace.store, "another")
    assert [ref.run_id for ref in find_litter(workspace).refs] == [ID]


def test_a_link_to_such_a_disk_counts_as_one(lab: Workspace, tmp_path: Path) -> None:
    lab.store.symlink_to(tmp_path / "big-disk")
    reference(lab, ID)
    assert "empty or away" in (find_litter(lab).left_alone or "")


def test_a_run_is_alive_under_both_of_its_names(tmp_path: Path) -> None:
    run_folder(tmp_path, "a")
    run_folder(tmp_path, ".new-b", project="other")
    assert is_alive("a", [tmp_path])
    assert is_alive("b", [tmp_path / "none", tmp_path])
    assert not is_alive("c", [tmp_path])
