"""argparse options of a script -> the parameters of a run, where a default says what they are."""

import ast
import re
from dataclasses import dataclass

from reprokit.adopt.code import Module
from reprokit.adopt.model import Note, Where
from reprokit.adopt.syntax import call_name, keyword, literal
from reprokit.config import MAX_SEED

MAX_OPTIONS = 60
MAX_TEXT = 200
_FLAG = re.compile(r"--[A-Za-z][A-Za-z0-9_-]*")
Value = str | int | float


@dataclass(frozen=True)
class Option:
    """An option with a value that a run can say: `--lr`, the parameter `lr`, 0.001."""

    flag: str
    name: str
    value: Value
    where: Where


@dataclass(frozen=True)
class Options:
    """What a script can be told, and what of it could not be taken over."""

    options: tuple[Option, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def words(self) -> str:
        """The end of the command: every option with its placeholder."""
        return "".join(f" {one.flag} {{params.{one.name}}}" for one in self.options)

    @property
    def params(self) -> dict[str, Value]:
        """The parameters with the script's own defaults."""
        return {one.name: one.value for one in self.options}


def read_options(modules: tuple[Module, ...]) -> Options:
    """The options of the first module that has some.

    Passing an option its own default must change nothing. So a default counts only where argparse
    makes the same value of its text: text, or a number with `type=int` or `type=float`.
    """
    for module in modules:
        calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
        names = [call_name(call).rpartition(".")[2] for call in calls]
        if "add_subparsers" in names:
            text = "the script has subcommands; its options are not read"
            return Options(notes=(Note("unknown", text, Where(module.file)),))
        adding = [call for call, name in zip(calls, names, strict=True) if name == "add_argument"]
        if adding:
            return _options(module, adding)
    return Options()


def _options(module: Module, calls: list[ast.Call]) -> Options:
    found: dict[str, Option] = {}
    notes: list[Note] = []
    for call in sorted(calls, key=lambda call: call.lineno):
        answer = _option(call, module.where(call))
        if isinstance(answer, Note):
            notes.append(answer)
        elif answer is not None and len(found) < MAX_OPTIONS:
            found.setdefault(answer.name, answer)
    return Options(tuple(found.values()), tuple(notes))


def _option(call: ast.Call, where: Where) -> Option | Note | None:
    words = [word for word in map(literal, call.args) if isinstance(word, str)]
    flag = next((word for word in words if _FLAG.fullmatch(word)), None)
    name = _destination(call, flag)
    if flag is None or name is None:
        return _unasked(words, where)
    if literal(keyword(call, "required")) is True:
        return Note("unknown", f"`{flag}` must be given and has no default: add it to `run`", where)
    if keyword(call, "action") is not None or keyword(call, "nargs") is not None:
        return None
    value = literal(keyword(call, "default"))
    if isinstance(value, str | int | float) and _same(value, keyword(call, "type")):
        return Option(flag, name, value, where)
    return None


def _unasked(words: list[str], where: Where) -> Note | None:
    if words and not words[0].startswith("-"):
        text = f"`{words[0][:60]}` is an argument without a name: add it to `run` if it is needed"
        return Note("unknown", text, where)
    return None


def _destination(call: ast.Call, flag: str | None) -> str | None:
    given = literal(keyword(call, "dest"))
    if isinstance(given, str) and given.isidentifier():
        return given
    return flag.lstrip("-").replace("-", "_") if flag else None


def _same(value: Value, kind: ast.expr | None) -> bool:
    """Whether argparse makes `value` again of its text."""
    name = kind.id if isinstance(kind, ast.Name) else ""
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return 0 < len(value) <= MAX_TEXT and value.isprintable() and not value.startswith("-")
    if isinstance(value, int):
        return name in ("int", "float") and 0 <= value <= MAX_SEED
    return name == "float" and 0 <= value < float("inf")
