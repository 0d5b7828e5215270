"""A repository -> what ReproKit concludes about it: the base, the command, the requirements, and why."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprokit.adopt import code, gather
from reprokit.adopt.base import Base, find_base, in_project, named_base
from reprokit.adopt.history import last_change
from reprokit.adopt.model import Claim, Need, Note, Reading, Target
from reprokit.adopt.pair import choose_pair
from reprokit.adopt.readers import system
from reprokit.adopt.script import Script, kept, read_script
from reprokit.adopt.tree import Tree, look
from reprokit.adopt.weigh import Wishes, weigh
from reprokit.errors import ConfigError, NotFoundError

IMPORTS_KIND = "imports"
COMMAND_KIND = "the command"
# What these ask for is no more than a part: the imports count beside it.
_PARTS = (system.DOCKER_KIND, gather.NOTEBOOK_KIND)
# Before it is known which Python is meant, conditions are judged for one of the middle.
_ANY_PYTHON = "3.10"


@dataclass(frozen=True)
class Wanted:
    """What the caller has decided beforehand; None: by the files.

    Attributes:
        as_of: the day that open versions are resolved as of.
        stack: the stack to take, whatever the files say.
        run: the command.
    """

    as_of: str | None = None
    stack: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class Conclusion:
    """What `reprokit init` makes of a repository.

    Attributes:
        project: its name.
        base: its stack.
        as_of: the day that open versions are resolved as of; None: today.
        requirements: what requirements.in asks for.
        source: the file that decides most of them; None: the imports do.
        run: the command.
        script: parameters, seed and what else the code says.
        keep: the folders that are kept; empty: the defaults of a config.
        gpus: how many a run gets.
        notes: everything that was found, guessed, skipped and is unknown.
    """

    project: str
    base: Base
    as_of: str | None
    requirements: tuple[Need, ...]
    source: str | None
    run: str
    script: Script
    keep: tuple[Claim, ...]
    gpus: int
    notes: tuple[Note, ...]

    def document(self) -> dict[str, Any]:
        """The conclusion for programs."""
        stack, seed = self.base.stack, self.script.habits.seed
        return {
            "project": self.project,
            "stack": {
                "name": self.base.name,
                "new": self.base.new,
                "torch": stack.torch,
                "variant": stack.variant,
                "python": stack.python,
                "image": str(stack.image),
                "system": list(stack.system),
                "requirements": list(stack.requirements),
            },
            "as_of": self.as_of,
            "source": self.source,
            "requirements": [need.line for need in self.requirements],
            "run": self.run,
            "params": self.script.options.params,
            "seed": int(seed.value) if seed else None,
            "keep": [claim.value for claim in self.keep],
            "gpus": self.gpus,
            "notes": [note.document() for note in self.notes],
        }


def conclude(folder: Path, workspace_root: Path, wanted: Wanted) -> Conclusion:
    """Look at the repository in `folder` and conclude what it needs. Writes nothing.

    Args:
        folder: the repository.
        workspace_root: where stacks are looked for.
        wanted: what the caller has decided.

    Raises:
        ConfigError: the files say too little, or contradict the tables or what is wanted.
        NotFoundError: there is nothing to adopt, or no such stack.
    """
    tree = look(folder)
    script = read_script(tree, wanted.run)
    readings = gather.gather(tree, script.cells)
    _refuse_nothing(tree, readings, script)
    readings = (*readings, *_by_code(readings, script))
    name = project_name(folder)
    base, wishes, day, notes = _base(folder, workspace_root, readings, wanted, name)
    told = (*gather.seen(readings), *notes, *base.notes, *wishes.notes, *script.notes)
    told = (*told, *_uncovered(script, wishes), *tree.notes)
    cuda = base.stack.variant != "cpu" and script.habits.cuda is not None
    return Conclusion(
        project=name,
        base=base,
        as_of=day,
        requirements=in_project(wishes.needs, base),
        source=wishes.winner.file if wishes.winner and wishes.winner.kind != IMPORTS_KIND else None,
        run=script.run or "",
        script=script,
        keep=kept(script),
        gpus=int(cuda),
        notes=tuple(dict.fromkeys((*told, *_gpu(script, cuda=cuda)))),
    )


def project_name(folder: Path) -> str:
    """A folder's name as the name of a project."""
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._")[:63]
    return name or "project"


def _refuse_nothing(tree: Tree, readings: tuple[Reading, ...], script: Script) -> None:
    if not readings and not any(file.endswith((".py", ".ipynb")) for file in tree.files):
        raise NotFoundError(
            "nothing-to-adopt",
            "there is neither Python nor a file with requirements",
            where=str(tree.root),
            hint="name the folder of the repository: `reprokit init PATH`",
        )
    if script.run is None:
        raise ConfigError(
            "no-entry",
            "no file says what a run starts: no train.py, main.py, other script or notebook",
            where=str(tree.root),
            hint="say it: `reprokit init --run 'python path/to/script.py'`",
        )


def _by_code(readings: tuple[Reading, ...], script: Script) -> Iterable[Reading]:
    """What the imports ask for where no file does, and what the command itself needs."""
    if not any(one.needs or one.graph for one in readings if one.kind not in _PARTS):
        needs, notes = code.distributions(script.used)
        if needs or notes:
            yield Reading("the code", IMPORTS_KIND, needs=needs, notes=notes)
    if script.needs:
        where = script.needs[0].where
        yield Reading(where.file, COMMAND_KIND, needs=script.needs)


def _base(
    folder: Path,
    workspace_root: Path,
    readings: tuple[Reading, ...],
    wanted: Wanted,
    project: str,
) -> tuple[Base, Wishes, str | None, tuple[Note, ...]]:
    """The stack, what is wanted in its environment, and the day of what is open."""
    first = weigh(readings, Target(_ANY_PYTHON))
    as_of, note = (wanted.as_of, None) if wanted.as_of else _open_since(first, folder)
    notes = (note,) if note else ()
    if wanted.stack:
        base = named_base(workspace_root, wanted.stack, first)
        return base, weigh(readings, Target(base.stack.python)), as_of, notes
    pair = choose_pair(first, as_of, given=wanted.as_of is not None)
    wishes = weigh(readings, Target(pair.python))
    base = find_base(workspace_root, pair, wishes, project)
    return base, wishes, pair.as_of, (*notes, *pair.notes)


def _open_since(wishes: Wishes, folder: Path) -> tuple[str | None, Note]:
    """The day that open versions are resolved as of."""
    if wishes.complete and wishes.winner:
        text = f"`{wishes.winner.file}` names every version, so no day is needed"
        return None, Note("found", text)
    return last_change(folder)


def _uncovered(script: Script, wishes: Wishes) -> Iterable[Note]:
    """Imports that no file asks for: they may come along with something else, or be missing."""
    if wishes.winner is None or wishes.winner.kind == IMPORTS_KIND:
        return
    asked = {need.name for need in wishes.needs}
    for one in script.used:
        needs, _ = code.distributions((one,))
        if needs and needs[0].name not in asked:
            text = (
                f"`{one.name}` is imported, and no file asks for {needs[0].name}; it may come along"
            )
            yield Note("unknown", text, one.where)


def _gpu(script: Script, *, cuda: bool) -> Iterable[Note]:
    if cuda:
        text = "resources.gpus: 1; the code asks for CUDA, and the build of torch has it"
        yield Note("guessed", text, script.habits.cuda)
