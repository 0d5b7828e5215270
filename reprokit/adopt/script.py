"""The Python of a repository -> the command of a run, its parameters and habits."""

import posixpath
import shlex
from dataclasses import dataclass

from reprokit.adopt import code
from reprokit.adopt.entry import Entry, find_entry, near, other_styles
from reprokit.adopt.habits import Habits, read_habits
from reprokit.adopt.model import Claim, Need, Note, Where
from reprokit.adopt.options import Options, read_options
from reprokit.adopt.tree import Tree

# Where the result of an executed notebook goes.
NOTEBOOK_OUTPUT = "outputs"


@dataclass(frozen=True)
class Script:
    """What a run does.

    Attributes:
        run: the command; None: nothing says which.
        options: options of the script that became parameters.
        habits: seed, folders, GPU.
        used: what the code imports.
        needs: what the command itself needs beside that.
        cells: the notebooks, cell by cell.
        notes: why.
    """

    run: str | None
    options: Options
    habits: Habits
    used: tuple[code.Import, ...]
    needs: tuple[Need, ...]
    cells: tuple[tuple[code.Module, ...], ...]
    notes: tuple[Note, ...]


def read_script(tree: Tree, run: str | None) -> Script:
    """The command and all that belongs to it.

    Args:
        tree: the repository.
        run: the command that the user named; None: it is looked for.
    """
    found, cells = code.modules(tree), code.notebooks(tree)
    entry = None if run else find_entry(found)
    options = read_options(near(entry, found)) if entry else Options()
    every = (*found, *(cell for group in cells.values() for cell in group))
    habits = read_habits(every, options)
    needs: tuple[Need, ...] = ()
    if run:
        command, notes = run, [Note("found", f"run: `{run}`; you named it")]
    elif entry:
        command, notes = f"python {shlex.quote(entry.file)}{options.words}", _why(entry, options)
    else:
        command, needs, notes = _notebook(tuple(cells))
    notes += [*options.notes, *_seed_twice(options), *_styles(entry, found), *habits.notes]
    return Script(
        command or None,
        options,
        habits,
        code.imports(every, tree),
        needs,
        tuple(cells.values()),
        (*notes, *_said(habits)),
    )


def _why(entry: Entry, options: Options) -> list[Note]:
    notes = [Note("guessed", f"run: `python {entry.file}`; {entry.reason}", entry.where)]
    if entry.others:
        others = ", ".join(f"`{file}`" for file in entry.others[:5])
        notes.append(Note("skipped", f"other scripts: {others}; `--run COMMAND` takes another"))
    evaluation = next((file for file in entry.others if _evaluates(file)), None)
    if evaluation:
        text = f"`evaluate: python {evaluation}` belongs in the config if it works from the outputs alone"
        notes.append(Note("unknown", text, Where(evaluation)))
    notes += [
        Note("found", f"params.{one.name}: {one.value}, the default of `{one.flag}`", one.where)
        for one in options.options
    ]
    return notes


def _evaluates(file: str) -> bool:
    return posixpath.basename(file) in ("evaluate.py", "eval.py", "test.py")


def _notebook(files: tuple[str, ...]) -> tuple[str, tuple[Need, ...], list[Note]]:
    """How the first notebook is executed, and what that needs."""
    if not files:
        return "", (), []
    first, where = files[0], Where(files[0])
    needs = tuple(Need(name, "", where) for name in ("ipykernel", "nbconvert"))
    options = f"--to notebook --execute --output-dir {NOTEBOOK_OUTPUT}"
    command = f"jupyter nbconvert {options} {shlex.quote(first)}"
    text = f"run: the notebook `{first}` is executed by nbconvert; there is no script"
    notes = [Note("guessed", text, where)]
    if len(files) > 1:
        notes.append(Note("skipped", f"other notebooks: {', '.join(files[1:6])}"))
    return command, needs, notes


def _seed_twice(options: Options) -> list[Note]:
    seeds = [one for one in options.options if one.name.lower() in ("seed", "random_seed")]
    return [
        Note(
            "unknown",
            f"the script takes a seed of its own: to change it, change params.{one.name} and `seed` alike",
            one.where,
        )
        for one in seeds
    ]


def _styles(entry: Entry | None, found: tuple[code.Module, ...]) -> tuple[Note, ...]:
    return other_styles(near(entry, found)) if entry else ()


def _said(habits: Habits) -> list[Note]:
    notes = [
        Note("found", f"outputs.keep: `{claim.value}`, which the code writes to", claim.where)
        for claim in habits.folders
    ]
    if habits.seed:
        notes.append(Note("found", f"seed: {habits.seed.value}", habits.seed.where))
    else:
        notes.append(Note("guessed", "seed: 0; the code sets none by a literal"))
    return notes


def kept(script: Script) -> tuple[Claim, ...]:
    """The folders of a run that are kept, with the place that says so."""
    folders = {claim.value: claim for claim in script.habits.folders}
    for need in script.needs[:1]:
        folders.setdefault(NOTEBOOK_OUTPUT, Claim(NOTEBOOK_OUTPUT, need.where))
    return tuple(sorted(folders.values(), key=lambda claim: claim.value))
