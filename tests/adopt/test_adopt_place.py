"""Which stack a repository gets, and which workspace it belongs to."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.adopt.adoption import Adoption, carry_out, prepare
from reprokit.adopt.conclude import Wanted
from reprokit.errors import ConfigError, NotFoundError, ReproKitError
from reprokit.workspace import find
from tests.conftest import Place

CPU = Path(__file__).parents[2] / "envs" / "cpu"
TRAIN = "import torch\n\ntorch.manual_seed(4)\n"


def project(root: Path, requirements: str, **files: str) -> Path:
    """A project in a workspace that has the stack `cpu`: torch 2.13.0, cpu, Python 3.11."""
    shutil.copytree(CPU, root / "envs" / "cpu")
    folder = root / "projects" / "one"
    folder.mkdir(parents=True)
    wanted = {"requirements.txt": requirements, ".python-version": "3.11\n", "train.py": TRAIN}
    for name, text in {**wanted, **files}.items():
        (folder / name).write_text(text)
    return folder


def notes(adoption: Adoption) -> str:
    return "\n".join(f"{note.kind} {note.where} {note.text}" for note in adoption.notes)


def test_a_stack_that_fits_exactly_is_taken(tmp_path: Path) -> None:
    folder = project(tmp_path, "torch==2.13.0+cpu\nnumpy>=2\ntqdm\n")
    adoption = prepare(folder, None, Wanted())
    assert (adoption.conclusion.base.name, adoption.conclusion.base.new) == ("cpu", False)
    assert [draft.path.name for draft in adoption.drafts] == ["requirements.in", "config.yaml"]


@pytest.mark.parametrize(
    ("requirements", "files", "why"),
    [
        ("torch==2.12.1+cpu\n", {}, "it has torch 2.13.0, cpu, Python 3.11"),
        ("torch==2.13.0\n", {}, "it has torch 2.13.0, cpu, Python 3.11"),
        ("torch==2.13.0+cpu\n", {".python-version": "3.12\n"}, "it has torch 2.13.0"),
        ("torch==2.13.0+cpu\nnumpy<2\n", {}, "it has numpy "),
        ("torch==2.13.0+cpu\n", {"apt.txt": "libgl1\n"}, "it lacks `libgl1`"),
    ],
)
def test_a_stack_that_differs_in_anything_is_not_taken(
    tmp_path: Path, requirements: str, files: dict[str, str], why: str
) -> None:
    adoption = prepare(project(tmp_path, requirements, **files), None, Wanted())
    assert adoption.conclusion.base.new
    assert f"the stack `cpu` does not fit: {why}" in notes(adoption)


def test_a_stack_that_the_user_names_is_taken_and_what_gives_way_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, "torch==1.13.1\nnumpy==1.23.5\ntqdm\n")
    adoption = prepare(folder, None, Wanted(stack="cpu"))
    assert [need.line for need in adoption.conclusion.requirements] == ["tqdm"]
    said = notes(adoption)
    assert "torch==1.13.1 gives way: the stack `cpu` has torch 2.13.0+cpu" in said
    assert "numpy==1.23.5 gives way: the stack `cpu` has numpy" in said
    assert "# numpy==1.23.5 (requirements.txt:2) gives way" in adoption.drafts[0].text


def test_a_stack_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        prepare(project(tmp_path, "torch\n"), None, Wanted(stack="cpp"))
    assert "cpu" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("requirements", "as_of", "code"),
    [
        ("torch==2.13.0\n", "2024-01-01", "newer-than-cutoff"),
        ("torch\n", "2021-01-01", "no-torch"),
        ("torch>=9\n", None, "no-torch"),
        ("torch==2.4.9\n", None, "unknown-torch"),
        ("torch==1.8.0\n", None, "unknown-torch"),
    ],
)
def test_a_torch_that_never_was_or_came_later_is_refused(
    tmp_path: Path, requirements: str, as_of: str | None, code: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(project(tmp_path, requirements), None, Wanted(as_of=as_of))
    assert caught.value.code == code
    assert caught.value.hint


def test_a_python_without_a_wheel_gives_way_to_the_nearest_and_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, "torch==2.0.1\n", **{".python-version": "3.12\n"})
    adoption = prepare(folder, None, Wanted())
    assert adoption.conclusion.base.stack.python == "3.11"
    assert "torch 2.0.1 has no wheel for 3.12" in notes(adoption)


def repository(root: Path, **files: str) -> Path:
    root.mkdir(parents=True)
    for name, text in {"train.py": TRAIN, "requirements.txt": "torch==2.4.0\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


@pytest.mark.parametrize(
    ("ignored", "after"),
    [
        (None, "/runs/\n"),
        ("*.pyc\n", "*.pyc\n/runs/\n"),
        ("runs/\n", "runs/\n"),
        ("/runs\n", "/runs\n"),
    ],
)
def test_a_repository_becomes_a_workspace_whose_runs_git_ignores(
    tmp_path: Path, ignored: str | None, after: str
) -> None:
    root = repository(tmp_path / "r", **({".gitignore": ignored} if ignored else {}))
    carry_out(prepare(root, None, Wanted()))
    assert (root / ".gitignore").read_text() == after
    assert find(root).root == root.resolve()


def test_a_folder_runs_of_the_repository_stays_its_own(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", **{"runs/event": "tensorboard"})
    adoption = prepare(root, None, Wanted())
    carry_out(adoption)
    assert find(root).store == root.resolve() / "reprokit-runs"
    assert (root / ".gitignore").read_text() == "/reprokit-runs/\n"
    assert "`runs` is there already" in notes(adoption)


def test_a_gitignore_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("x\n")
    root = repository(tmp_path / "r")
    (root / ".gitignore").symlink_to(tmp_path / "shared")
    adoption = prepare(root, None, Wanted())
    carry_out(adoption)
    assert (tmp_path / "shared").read_text() == "x\n"
    assert "add `/runs/` to it" in notes(adoption)


def test_a_workspace_with_projects_is_no_repository_to_adopt(tmp_path: Path) -> None:
    project(tmp_path, "torch\n")
    with pytest.raises(ConfigError) as caught:
        prepare(tmp_path, None, Wanted())
    assert caught.value.code == "is-workspace"


def test_a_repository_outside_the_workspace_is_refused(tmp_path: Path) -> None:
    project(tmp_path / "lab", "torch\n")
    root = repository(tmp_path / "r")
    with pytest.raises(ConfigError) as caught:
        prepare(root, tmp_path / "lab", Wanted())
    assert caught.value.code == "outside-workspace"


def test_an_adopted_repository_is_not_adopted_again(tmp_path: Path) -> None:
    root = repository(tmp_path / "r")
    carry_out(prepare(root, None, Wanted()))
    with pytest.raises(ReproKitError) as caught:
        prepare(root, None, Wanted())
    assert (caught.value.code, caught.value.exit_code) == ("exists", 2)


def test_init_answers_in_one_document_and_a_dry_run_writes_nothing(place: Place) -> None:
    folder = place.root / "projects" / "one"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "requirements.txt").write_text("torch\n")
    before = sorted(place.root.rglob("*"))
    answer = place("init", folder, "--stack", "cpu", "--dry-run", "--json")
    assert answer.json["schema"] == "reprokit/init/1"
    assert answer.json["files"] == ["projects/one/requirements.in", "projects/one/config.yaml"]
    assert (answer.json["written"], answer.json["locks"]) == (False, [])
    assert sorted(place.root.rglob("*")) == before
    answer = place("init", "projects/one", "--stack", "cpu", "--no-lock")
    assert answer.code == 0
    assert answer.stdout.split() == ["projects/one/requirements.in", "projects/one/config.yaml"]
    assert "guessed:" in answer.stderr
    assert "next: `reprokit lock projects/one" in answer.stderr
    refused = place("init", "projects/one", "--stack", "cpu", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "exists")


@pytest.mark.parametrize("day", ["yesterday", "2024-13-01", "2024-01-01T00:00:00", "24-1-1"])
def test_a_day_that_is_none_is_refused(place: Place, day: str) -> None:
    answer = place("init", ".", "--as-of", day, "--json")
    assert (answer.code, json.loads(answer.stdout)["error"]["code"]) == (2, "bad-date")


@pytest.mark.slow
@pytest.mark.index
def test_an_adopted_repository_is_locked_and_runs(place: Place) -> None:
    folder = place.root / "projects" / "adopted"
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("torch>=1.10\nnumpy<2\ntqdm\n")
    (folder / "train.py").write_text(
        "import argparse\nimport os\nimport torch\nfrom tqdm import tqdm\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--steps', type=int, default=3)\n"
        "args = parser.parse_args()\ntorch.manual_seed(3)\nos.makedirs('weights', exist_ok=True)\n"
        "for _ in tqdm(range(args.steps)):\n    value = torch.rand(1)\n"
        "torch.save(value, 'weights/value.pt')\nprint('steps', args.steps)\n"
    )
    answer = place("init", folder, "--stack", "cpu", "--as-of", "2026-10-01", "--json")
    assert answer.json["lock_error"] is None
    assert answer.json["locks"] == ["projects/adopted/requirements.cpu.lock"]
    lock = (folder / "requirements.cpu.lock").read_text()
    assert "# as-of: 2026-10-01\n" in lock
    assert "tqdm==" in lock
    run = place.run(folder / "config.yaml")
    assert run["state"] == "completed"
    assert "steps 3" in (run["folder"] / "logs" / "output.log").read_text()
    assert (run["folder"] / "weights" / "value.pt").is_file()
