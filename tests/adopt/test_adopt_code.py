import json
from pathlib import Path

import pytest

from reprokit.adopt.code import import_table
from reprokit.adopt.readers.conda import names
from reprokit.adopt.script import Script, kept, read_script
from reprokit.adopt.tree import look
from reprokit.stacks.requirements import normalise


def script(root: Path, code: str, **files: str) -> Script:
    for name, text in {"train.py": code, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_script(look(root), None)


def options(root: Path, *calls: str) -> dict[str, object]:
    body = "".join(f"p.add_argument({call})\n" for call in calls)
    return script(root, f"import argparse\np = argparse.ArgumentParser()\n{body}").options.params


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("'--lr', type=float, default=1e-3", {"lr": 0.001}),
        ("'-b', '--batch-size', type=int, default=8", {"batch_size": 8}),
        ("'--name', default='a b'", {"name": "a b"}),
        ("'--x', dest='why', default='z'", {"why": "z"}),
    ],
)
def test_an_option_with_a_literal_default_becomes_a_parameter(
    tmp_path: Path, call: str, params: dict[str, object]
) -> None:
    assert options(tmp_path, call) == params


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("'--lr', default=0.1", "its text would stay text"),
        ("'--flag', action='store_true'", "a flag has no value"),
        ("'--flag', type=bool, default=False", "bool('false') is true"),
        ("'--betas', nargs=2, type=float, default=[0.9, 0.99]", "several words"),
        ("'--lr', type=float, default=LR", "computed"),
        ("'--x', type=str, default=None", "none"),
        ("'--x', default=''", "empty"),
        ("'--x', default='-1'", "would be read as an option"),
    ],
)
def test_an_option_whose_default_cannot_be_passed_is_left_to_the_script(
    tmp_path: Path, call: str, why: str
) -> None:
    assert options(tmp_path, call) == {}, why


def test_an_option_that_must_be_given_is_told(tmp_path: Path) -> None:
    made = script(tmp_path, "p.add_argument('--data', required=True)\np.add_argument('config')\n")
    texts = [note.text for note in made.notes if note.kind == "unknown"]
    assert any("`--data` must be given" in text for text in texts)
    assert any("`config` is an argument without a name" in text for text in texts)


def test_options_of_a_module_that_the_script_imports_are_read(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        "from lib.options import parse\n",
        **{"lib/options.py": "p.add_argument('--lr', type=float, default=0.5)\n"},
    )
    assert made.run == "python train.py --lr {params.lr}"


@pytest.mark.parametrize(
    ("files", "run"),
    [
        (("main.py", "src/train.py"), "python src/train.py"),
        (("main.py", "train.py"), "python train.py"),
        (("tools/train.py", "setup.py"), "python tools/train.py"),
        (("tests/train.py", "fit.py"), "python fit.py"),
        (("a folder/train.py", "x.py", "y.py"), None),
        (("with space.py",), "python 'with space.py'"),
    ],
)
def test_the_script_that_trains_is_known_by_its_name(
    tmp_path: Path, files: tuple[str, ...], run: str | None
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x = 1\n")
    assert read_script(look(tmp_path), None).run == run


def test_a_script_by_its_own_word_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("if __name__ == '__main__':\n    pass\n")
    assert read_script(look(tmp_path), None).run == "python b.py"


@pytest.mark.parametrize(
    ("code", "folders"),
    [
        ("os.makedirs('ckpt/best', exist_ok=True)", ["ckpt"]),
        ("torch.save(x, 'models/a.pt')", ["models"]),
        ("torch.save(x, os.path.join('models', name))", ["models"]),
        ("open(f'results/{name}.txt', 'w')", ["results"]),
        ("open('results/a.txt')", []),
        ("open(name, 'w')", []),
        ("Path('out').mkdir()", ["out"]),
        ("(Path('out') / 'x.txt').write_text('')", ["out"]),
        ("SummaryWriter('tb/x')", ["tb"]),
        ("SummaryWriter(log_dir='tb')", ["tb"]),
        ("SummaryWriter('runs/x')", []),
        ("fig.savefig('./figures/x.png')", ["figures"]),
        ("model.save_pretrained('final')", ["final"]),
        ("os.makedirs('/abs/x')", []),
        ("os.makedirs('../up')", []),
        ("os.makedirs('~/home')", []),
        ("os.makedirs('data')", []),
        ("p.add_argument('--out-dir', default='work')", ["work"]),
    ],
)
def test_folders_that_the_code_writes_to_are_kept(
    tmp_path: Path, code: str, folders: list[str]
) -> None:
    assert [claim.value for claim in kept(script(tmp_path, code + "\n"))] == folders


@pytest.mark.parametrize(
    ("code", "seed"),
    [
        ("random.seed(1)\ntorch.manual_seed(2)", "2"),
        ("SEED = 5", "5"),
        ("pl.seed_everything(8)", "8"),
        ("torch.manual_seed(args.seed)", None),
        ("torch.manual_seed(-1)", None),
        ("torch.manual_seed(True)", None),
        ("torch.manual_seed(2)\np.add_argument('--seed', type=int, default=3)", "3"),
    ],
)
def test_the_seed_is_a_literal_of_the_code(tmp_path: Path, code: str, seed: str | None) -> None:
    found = script(tmp_path, code + "\n").habits.seed
    assert (found.value if found else None) == seed


def test_a_download_is_told_since_runs_have_no_network(tmp_path: Path) -> None:
    made = script(tmp_path, "MNIST('data', download=True)\n")
    assert any("it downloads data" in note.text for note in made.notes)


def test_own_modules_and_pythons_are_no_imports(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        "import os, lib.x, sibling, cv2\nfrom . import y\n",
        **{"lib/x.py": "", "sibling.py": ""},
    )
    assert [one.name for one in made.used] == ["cv2"]


def test_the_tables_of_names_are_sound() -> None:
    table = import_table()
    assert len(table["names"]) > 400
    assert all(normalise(name) == name for name in table["names"].values())
    assert not set(table["names"]) & set(table["no_distribution"])
    assert {
        "cv2": "opencv-python",
        "sklearn": "scikit-learn",
        "PIL": "pillow",
        "yaml": "pyyaml",
    }.items() <= table["names"].items()
    assert not set(names()["names"]) & set(names()["not_python"])
    assert json.dumps(table["source"])
