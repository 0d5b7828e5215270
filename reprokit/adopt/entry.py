"""The modules of a repository -> the script that trains, and why it is that one."""

import ast
import posixpath
from dataclasses import dataclass

from reprokit.adopt.code import Module
from reprokit.adopt.model import Note, Where
from reprokit.adopt.syntax import call_name, dotted

# The names that people give to the script that trains, the likeliest first.
NAMES = (
    "train",
    "main",
    "run",
    "run_train",
    "train_model",
    "training",
    "trainer",
    "pretrain",
    "finetune",
    "experiment",
)
FOLDERS = ("", "scripts", "tools", "src", "bin", "code")


@dataclass(frozen=True)
class Entry:
    """The script (or notebook) that a run starts, and the reason."""

    file: str
    reason: str
    others: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        """Its place."""
        return Where(self.file)


def find_entry(found: tuple[Module, ...]) -> Entry | None:
    """The script that most likely trains; None where there is none.

    First by name (`train.py`, `main.py`, ... in the usual folders), then the only script that is
    one by its own word (`if __name__ == "__main__"`), then the only Python file.
    """
    files = {module.file for module in found}
    paths = [posixpath.join(folder, f"{name}.py") for name in NAMES for folder in FOLDERS]
    named = [path for path in paths if path in files]
    scripts = [module.file for module in found if is_script(module)]
    if named:
        others = tuple(file for file in dict.fromkeys([*named, *scripts]) if file != named[0])
        return Entry(
            named[0], f"`{posixpath.basename(named[0])}` is what such a script is called", others
        )
    if scripts:
        # The files come with the outermost first.
        return Entry(scripts[0], "it is a script by its own word (`__main__`)", tuple(scripts[1:]))
    if len(found) == 1:
        return Entry(found[0].file, "it is the only Python file")
    return None


def is_script(module: Module) -> bool:
    """Whether a module does something when it is run: it asks for `__main__`."""
    tests = (node.test for node in module.tree.body if isinstance(node, ast.If))
    return any(isinstance(test, ast.Compare) and dotted(test.left) == "__name__" for test in tests)


def near(entry: Entry, found: tuple[Module, ...]) -> tuple[Module, ...]:
    """The entry's module and the repository's own modules that it imports directly."""
    by_file = {module.file: module for module in found}
    module = by_file.get(entry.file)
    if module is None:
        return ()
    folder = posixpath.dirname(entry.file)
    names = [name for node in ast.walk(module.tree) for name in _names(node)]
    files = [
        posixpath.join(base, *name.split(".")) + ".py"
        for name in names
        for base in (folder, "", "src")
    ]
    return (
        module,
        *(by_file[file] for file in dict.fromkeys(files) if file in by_file and file != entry.file),
    )


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def other_styles(found: tuple[Module, ...]) -> tuple[Note, ...]:
    """Ways to take options that are not read: what they are is unknown, and said to be."""
    notes: dict[str, Note] = {}
    for module in found:
        for node in ast.walk(module.tree):
            names = _uses(node)
            for style in (
                style for style in _STYLES if any(name in _STYLES[style] for name in names)
            ):
                text = f"options of {style} are not read; add them to `run` and `params`"
                notes.setdefault(style, Note("unknown", text, module.where(node)))
    return tuple(notes.values())


_STYLES = {
    "click": ("click.option", "click.argument"),
    "typer": ("typer.run", "typer.Typer"),
    "hydra": ("hydra.main",),
    "absl": ("flags.DEFINE_string", "flags.DEFINE_integer", "flags.DEFINE_float"),
    "fire": ("fire.Fire", "Fire"),
}


def _uses(node: ast.AST) -> list[str]:
    """What a node calls, or is decorated with."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
        return [dotted(one) for one in decorators]
    return [call_name(node)] if isinstance(node, ast.Call) else []
