import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reprokit

PACKAGE = Path(reprokit.__file__).parent
MODULES = sorted((PACKAGE / "core").glob("*.py"))


def imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_python_3_8_and_imports_nothing_of_ours_but_core_and_inside(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    ours = {name for name in imported(tree) if name.split(".")[0] == "reprokit"}
    assert all(name.startswith(("reprokit.core", "reprokit.inside")) for name in ours)


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A folder as an environment sees it."""
    folder = tmp_path / "kit" / "reprokit"
    for part in ("core", "inside"):
        shutil.copytree(PACKAGE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "__init__.py", folder)
    return folder.parent


def test_it_works_from_a_bare_folder_and_imports_nothing_heavy(kit: Path, tmp_path: Path) -> None:
    code = """
import sys
import reprokit.core
heavy = {"torch", "numpy", "tensorboard"} & set(sys.modules)
print(reprokit.core.__file__, sorted(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": str(kit)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{kit / 'reprokit/core/__init__.py'} []\n", done.stderr
