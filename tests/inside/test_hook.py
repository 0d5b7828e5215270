"""The hook in real processes: it changes no script's way to run, and notes what it cannot do."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.inside.hook import lines
from tests.inside.trainings import Training, interpreters, site_packages

RANDOM = "import random; print(random.random())"


def test_python_s_own_generator_is_seeded(training: Training) -> None:
    first, again = training.run("-c", RANDOM), training.run("-c", RANDOM)
    training.seed = 7
    assert first.out == again.out != training.run("-c", RANDOM).out
    assert first.observed[0]["seeded"] == {"random": 42}


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: Path(path).parts[-3])
def test_every_python_of_this_machine_is_seeded_alike(training: Training, python: str) -> None:
    training.python = python
    ended = training.run("-c", RANDOM)
    assert (ended.out, ended.err) == ("0.6394267984578837\n", "")
    assert ended.observed[0]["errors"] == []


def test_a_generator_that_start_up_code_imported_is_seeded_too(
    training: Training, venv: Callable[..., Path]
) -> None:
    python = venv()
    (site_packages(python) / "early.pth").write_text("import random\n")
    training.python = str(python)
    ended = training.run("-c", RANDOM)
    assert ended.observed[0]["seeded"] == {"random": 42}
    assert ended.out == training.run("-c", RANDOM).out


def test_a_process_that_draws_no_numbers_leaves_no_file(training: Training) -> None:
    assert training.run("-c", "pass").observed == []


def test_outside_a_run_nothing_of_ours_is_imported(training: Training) -> None:
    training.variables["REPROKIT_RUN_DIR"] = ""
    ended = training.run("-c", "import sys; print([m for m in sys.modules if 'reprokit' in m])")
    assert ended.out == "[]\n"


def test_the_start_of_a_process_imports_nothing_but_the_hook(training: Training) -> None:
    code = "import sys; print(*sorted(sys.modules))"
    with_hook = set(training.run("-c", code).out.split())
    training.variables["REPROKIT_RUN_DIR"] = ""
    more = with_hook - set(training.run("-c", code).out.split())
    assert {name for name in more if not name.startswith("reprokit")} <= {"atexit", "__future__"}
    assert {name for name in more if name.startswith("reprokit.inside.hook.")} == {
        "reprokit.inside.hook.begin",
        "reprokit.inside.hook.watch",
    }


def test_the_exit_of_a_process_that_only_drew_numbers_imports_neither_json_nor_typing(
    training: Training,
) -> None:
    # Registered after the hook's start but run before its end, so the last look is by a finaliser.
    code = (
        "import random, sys\n"
        "class Last:\n"
        "    modules = sys.modules\n"
        "    def __del__(self, write=sys.stdout.write):\n"
        "        write(' '.join(m for m in ('json', 'typing', 're') if m in self.modules))\n"
        "sys.last = Last()\n"
    )
    ended = training.run("-c", code)
    assert ended.out == ""
    assert len(ended.observed) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import random, sys; sys.exit(3)", 3),
        ("import random; raise ValueError('mine')", 1),
        ("import random, os, signal; os.kill(os.getpid(), signal.SIGINT)", -2),
    ],
)
def test_the_script_s_own_end_is_kept_and_recorded(
    training: Training, code: str, expected: int
) -> None:
    ended = training.run("-c", code)
    assert ended.code == expected
    assert ended.observed[0]["seeded"] == {"random": 42}


def test_a_hook_that_cannot_start_is_noted_and_the_script_runs(
    training: Training, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(training.kit, broken)
    (broken / "reprokit/inside/hook/begin.py").write_text("raise RuntimeError('of ours')\n")
    training.kit = broken
    ended = training.run("-c", "import random; print('trained')")
    assert (ended.code, ended.out, ended.err) == (0, "trained\n", "")
    assert ended.observed[0]["errors"] == ["hook: RuntimeError: of ours"]


@pytest.mark.parametrize("name", ["seeds.py", "observe.py", "lines.py"])
def test_a_hook_that_fails_later_never_reaches_the_script(
    training: Training, tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(training.kit, broken)
    (broken / "reprokit/inside/hook" / name).write_text("raise RuntimeError('of ours')\n")
    training.kit = broken
    ended = training.run("-c", "import random; print('trained')")
    assert (ended.code, ended.out, ended.err) == (0, "trained\n", "")
    noted = [error for seen in ended.observed for error in seen["errors"]]
    assert noted == [f"{'random' if name == 'seeds.py' else 'exit'}: RuntimeError: of ours"]


def test_a_run_folder_that_cannot_be_written_never_reaches_the_script(
    training: Training, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    training.variables["REPROKIT_RUN_DIR"] = str(tmp_path / "file" / "run")
    ended = training.run("-c", "import random; print('trained')")
    assert (ended.code, ended.out, ended.err) == (0, "trained\n", "")


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [("REPROKIT_SEED", "-1", "no seed"), ("REPROKIT_DETERMINISM", "loose", "no mode")],
)
def test_a_contract_that_is_broken_is_noted(
    training: Training, variable: str, value: str, word: str
) -> None:
    training.variables[variable] = value
    (seen,) = training.run("-c", RANDOM).observed
    assert word in seen["errors"][0]
    assert seen["seeded"] == {}


def test_the_environment_s_own_sitecustomize_still_runs(
    training: Training, venv: Callable[..., Path]
) -> None:
    python = venv()
    (site_packages(python) / "sitecustomize.py").write_text("import sys; sys.mine = 'theirs'\n")
    training.python = str(python)
    code = "import random, sys, sitecustomize; print(sys.mine, sitecustomize.__file__)"
    ended = training.run("-c", code)
    assert ended.out == f"theirs {site_packages(python) / 'sitecustomize.py'}\n"
    assert ended.observed[0]["seeded"] == {"random": 42}


def test_an_error_in_the_environment_s_own_sitecustomize_shows_as_ever(
    training: Training, venv: Callable[..., Path]
) -> None:
    python = venv()
    (site_packages(python) / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    training.python = str(python)
    ended = training.run("-c", "import random; print('trained')")
    assert (ended.code, ended.out) == (0, "trained\n")
    assert "ValueError: theirs" in ended.err
    assert ended.observed[0]["seeded"] == {"random": 42}


def test_two_kits_on_one_path_start_one_hook(training: Training, tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(training.kit, second)
    training.variables["PYTHONPATH"] = os.pathsep.join([str(training.kit), str(second)])
    ended = training.run("-c", RANDOM)
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.observed) == 1


def test_an_import_that_fails_is_the_script_s_and_may_be_tried_again(
    training: Training, tmp_path: Path
) -> None:
    package = tmp_path / "numpy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "random.py").write_text(
        "import sys\n"
        "if not hasattr(sys, 'again'):\n"
        "    raise ImportError('first')\n"
        "seen = []\n"
        "seed = seen.append\n"
    )
    script = training.script(
        "import sys\n"
        "try:\n"
        "    import numpy.random\n"
        "except ImportError as error:\n"
        "    print(error)\n"
        "sys.again = True\n"
        "import numpy.random\n"
        "print(numpy.random.seen)\n"
    )
    assert training.run(script).out == "first\n[42]\n"


def test_a_library_that_refuses_its_seed_is_noted(training: Training, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("def manual_seed(seed): raise OSError('no device')\n")
    ended = training.run(training.script("import torch"))
    assert (ended.code, ended.err) == (0, "")
    assert ended.observed[0]["errors"][0] == "torch: OSError: no device"


def test_looking_for_a_library_does_not_import_it(training: Training) -> None:
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.find_spec('torch')\n"
        "print(spec is not None, 'torch' in sys.modules)\n"
    )
    assert training.run("-c", code).out == "True False\n"


def test_a_watched_module_keeps_its_loader_as_it_was(training: Training) -> None:
    code = (
        "import importlib, inspect, random\n"
        "loader = random.__spec__.loader\n"
        "print(type(loader).__name__, 'exec_module' in vars(loader), random.__loader__ is loader)\n"
        "print('def seed' in inspect.getsource(random), importlib.reload(random) is random)\n"
    )
    assert training.run("-c", code).out == "SourceFileLoader False True\nTrue True\n"


def test_a_library_in_an_archive_is_seeded(training: Training, tmp_path: Path) -> None:
    package = tmp_path / "archive" / "numpy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from numpy import other\n")
    (package / "other.py").write_text("")
    (package / "random.py").write_text("from numpy import third\nseen = []\nseed = seen.append\n")
    (package / "third.py").write_text("")
    archive = shutil.make_archive(str(tmp_path / "libraries"), "zip", tmp_path / "archive")
    code = f"import sys; sys.path.insert(0, {archive!r})\n"
    code += "import numpy.random; print(numpy.random.seen)"
    assert training.run("-c", code).out == "[42]\n"


def test_a_fork_that_exits_by_itself_says_from_whom_it_was_forked(training: Training) -> None:
    script = training.script(
        "import os, random\nchild = os.fork()\nif child:\n    os.waitpid(child, 0)\n"
    )
    ended = training.run(script)
    parent, child = sorted(ended.observed, key=lambda seen: seen["forked_from"] or 0)
    assert child["forked_from"] == parent["pid"]
    assert parent["seeded"] == {"random": 42}
    assert child["seeded"] == {}, "Python seeds forks anew"


def test_a_process_number_that_comes_again_overwrites_nothing(training: Training) -> None:
    script = training.script(
        "import os, random\n"
        "folder = os.path.join(os.environ['REPROKIT_RUN_DIR'], 'observed')\n"
        "os.mkdir(folder)\n"
        "open(os.path.join(folder, '%d.json' % os.getpid()), 'w').write('{\"earlier\": 1}')\n"
    )
    observed = training.run(script).observed
    assert [seen.get("earlier") for seen in observed].count(1) == 1
    assert len(observed) == 2


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(plain)
def test_our_small_json_is_json(value: object) -> None:
    assert json.loads(lines.encode(value)) == value


def test_what_is_no_number_becomes_null_and_what_is_not_plain_is_refused() -> None:
    assert lines.encode([float("nan"), float("-inf")]) == "[null, null]"
    with pytest.raises(TypeError):
        lines.encode({1, 2})
