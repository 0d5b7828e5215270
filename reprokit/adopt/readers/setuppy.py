"""setup.py (its syntax tree: it is never executed) and setup.cfg -> what they ask for."""

import ast
import configparser
from collections.abc import Iterator

from reprokit.adopt.model import Claim, Need, Note, Reading, Where
from reprokit.adopt.readers import lines
from reprokit.adopt.syntax import call_name, literal, parsed

KIND = "setup.py"
CFG_KIND = "setup.cfg"


def read(file: str, text: str) -> Reading:
    """What `setup(...)` says in so many words; what it computes is unknown, and said to be.

    Raises:
        Unreadable: it is no Python.
    """
    tree = parsed(text)
    names = _constants(tree)
    needs: list[Need | Note] = []
    pythons: list[Claim] = []
    for keyword in _keywords(tree):
        where = Where(file, keyword.value.lineno)
        value = literal(names.get(_name(keyword.value), keyword.value))
        if keyword.arg == "install_requires":
            needs += _requirements(value, where)
        elif isinstance(value, str):
            pythons.append(Claim(value, where))
    return Reading(
        file,
        KIND,
        needs=tuple(need for need in needs if isinstance(need, Need)),
        pythons=tuple(pythons),
        notes=tuple(note for note in needs if isinstance(note, Note)),
    )


def _keywords(tree: ast.Module) -> Iterator[ast.keyword]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in calls:
        if call_name(call).rpartition(".")[2] == "setup":
            yield from (
                word
                for word in call.keywords
                if word.arg in ("install_requires", "python_requires")
            )


def _requirements(value: object, where: Where) -> Iterator[Need | Note]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        text = "`install_requires` is computed when setup.py runs, and it is not run"
        yield Note("unknown", text, where)
        return
    lines.bounded(texts)
    for text in texts:
        yield lines.requirement(text, where)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that the module binds once, to something."""
    bound: dict[str, list[ast.expr]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            bound.setdefault(node.targets[0].id, []).append(node.value)
    changed = {_name(node.target) for node in ast.walk(tree) if isinstance(node, ast.AugAssign)} | {
        _name(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return {
        name: values[0]
        for name, values in bound.items()
        if len(values) == 1 and name not in changed
    }


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def read_cfg(file: str, text: str) -> Reading:
    """What the section `[options]` of a setup.cfg asks for.

    Raises:
        Unreadable: it is no such file.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise lines.Unreadable("it is no valid setup.cfg") from error
    numbers = {line.strip(): number for number, line in enumerate(text.splitlines(), 1)}

    def place(word: str) -> Where:
        return Where(file, numbers.get(word, 0))

    said = parser.get("options", "install_requires", fallback="")
    texts = [line.strip() for line in said.splitlines() if line.strip()]
    lines.bounded(texts)
    dynamic = [text for text in texts if text.startswith("file:")]
    answers = [lines.requirement(text, place(text)) for text in texts if text not in dynamic]
    python = parser.get("options", "python_requires", fallback="").strip()
    notes = [answer for answer in answers if isinstance(answer, Note)]
    return Reading(
        file,
        CFG_KIND,
        needs=tuple(answer for answer in answers if isinstance(answer, Need)),
        pythons=(Claim(python, Where(file)),) if python else (),
        notes=tuple(notes),
    )
