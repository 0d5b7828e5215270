"""Everything inside runs on Python 3.7 and its standard library: old images have no more."""

import ast
from pathlib import Path

import pytest

import reprokit

ROOT = Path(reprokit.__file__).parent / "inside"
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

# Modules of the standard library of every Python from 3.7 on.
STANDARD = frozenset(
    [
        "__future__",
        "atexit",
        "binascii",
        "collections",
        "ctypes",
        "errno",
        "fcntl",
        "functools",
        "hashlib",
        "importlib",
        "json",
        "os",
        "re",
        "resource",
        "select",
        "shutil",
        "signal",
        "stat",
        "subprocess",
        "sys",
        "time",
        "types",
        "typing",
        "warnings",
    ]
)
# What Python has imported by itself before a hook runs, or has built in.
FREE = frozenset(["__future__", "atexit", "os", "sys"])


def imports(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere in a file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_file_inside_is_python_3_7(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_inside_imports_only_the_standard_library_and_itself(path: Path) -> None:
    names = imports(ast.parse(path.read_text(encoding="utf-8")))
    foreign = {
        name
        for name in names
        if name.partition(".")[0] not in STANDARD and not f"{name}.".startswith("reprokit.inside.")
    }
    assert not foreign


@pytest.mark.parametrize("name", ["site/sitecustomize.py", "hook/begin.py", "hook/watch.py"])
def test_the_start_of_a_process_imports_only_what_python_has_already(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)])
    ours = {each for each in imports(top) if each.startswith("reprokit.inside.hook")}
    assert imports(top) - ours <= FREE


def test_the_grammar_check_sees_what_is_too_new() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("if (n := 1): pass", feature_version=(3, 7))


def annotations(tree: ast.AST) -> list[ast.expr]:
    """Every annotation of a file."""
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            found.append(node.returns)
    return [each for each in found if each is not None]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_annotations_that_python_3_7_cannot_evaluate_are_never_evaluated(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    new = [
        ast.unparse(part)
        for annotation in annotations(tree)
        for part in ast.walk(annotation)
        if isinstance(part, ast.BinOp)
        or (isinstance(part, ast.Subscript) and ast.unparse(part.value).islower())
    ]
    assert late or not new
