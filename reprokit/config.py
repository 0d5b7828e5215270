"""config.yaml -> a frozen `ProjectConfig`, or one error that lists every mistake with its place.

The file is read once; `ProjectConfig.text` is what was read. A key that is there without a value
(`params:`) counts as left out where it has a container or nothing as its default.
"""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from reprokit import strictyaml, yamltext
from reprokit.checks import (
    MAX_PROBLEMS,
    Field,
    Refused,
    Spot,
    checked,
    choice,
    cores,
    each,
    listing,
    mapping,
    name_text,
    size_bytes,
    size_text,
    table,
    whole,
)
from reprokit.errors import ConfigError, Problem
from reprokit.strictyaml import Mark, Node, Plain, shown
from reprokit.suggest import did_you_mean
from reprokit.values import dataclass, field, replace

MAX_SEED = 2**32 - 1
# The kernel takes 128 KiB for one argument or environment variable; params travel as one.
MAX_WORD_BYTES = 100_000
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095


@dataclass(frozen=True)
class Dataset:
    """One input of a project: `path` as written (see `locate`)."""

    path: str

    def locate(self, project: Path, workspace: Path) -> Path:
        """Where the data is: a relative path counts from the project's folder.

        It may climb (`../../data`) but not leave the workspace, nor through a link: data that lives
        elsewhere is named by its absolute path, so that nobody is surprised by what is mounted.

        Raises:
            ConfigError: a relative path leads out of the workspace.
        """
        if self.path.startswith("/"):
            return Path(self.path)
        target = (project / self.path).resolve()
        if target.is_relative_to(workspace.resolve()):
            return target
        raise ConfigError(
            "data-outside",
            f"the data path `{shown(self.path)}` leads out of the workspace",
            where=str(target),
            hint="write the absolute path where data lives elsewhere",
        )


@dataclass(frozen=True)
class Outputs:
    """Folders of the run that are kept, relative to the run folder."""

    keep: tuple[str, ...] = ("checkpoints", "outputs", "logs", "debug")


@dataclass(frozen=True)
class Resources:
    """What a run gets: bytes for sizes, cores for cpus; None is no limit."""

    gpus: int = 0
    cpus: float | None = None
    memory: int | None = None
    shm: int = 1 << 30
    network: str = "none"


@dataclass(frozen=True)
class ProjectConfig:
    """A project's config, checked and with every default filled in.

    Attributes:
        path: the file it came from; relative data paths count from its folder.
        text: the bytes of that file as they were read, once.
        stack: a name under `envs/`, or a stack written inline (checked by `reprokit.stacks`).
        stack_node: the same with its marks, for those checks.
        run: the command, with its placeholders (see `fill`).
        env: names of the host's variables that are let through.
    """

    path: Path
    text: bytes
    project: str
    stack: str | Mapping[str, Plain]
    run: tuple[str, ...]
    evaluate: tuple[str, ...] | None = None
    seed: int = 0
    determinism: str = "strict"
    params: Mapping[str, Plain] = field(default_factory=dict)
    data: Mapping[str, Dataset] = field(default_factory=dict)
    outputs: Outputs = Outputs()
    resources: Resources = Resources()
    env: tuple[str, ...] = ()
    stages: Mapping[str, Plain] = field(default_factory=dict)
    stack_node: Node | None = field(default=None, repr=False, compare=False)

    def resolved(self) -> dict[str, Plain]:
        """Every key with its value, as plain data that `load_config` reads back as the same."""
        limits = self.resources
        sizes = {"memory": limits.memory, "shm": limits.shm}
        written: dict[str, Any] = {
            "project": self.project,
            "stack": self.stack,
            "run": list(self.run),
            "evaluate": None if self.evaluate is None else list(self.evaluate),
            "seed": self.seed,
            "determinism": self.determinism,
            "params": self.params,
            "data": {name: vars(dataset) for name, dataset in self.data.items()},
            "outputs": {"keep": list(self.outputs.keep)},
            "resources": vars(limits)
            | {key: size and size_text(size) for key, size in sizes.items()},
            "env": list(self.env),
            "stages": self.stages,
        }
        return written

    def to_yaml(self) -> str:
        """`resolved` as canonical YAML text: the same config gives the same bytes."""
        return yamltext.dump(self.resolved())


def load_config(path: Path, overrides: Sequence[str] = ()) -> ProjectConfig:
    """Read and check the config file `path`; `overrides` are `key.sub=value` (see `parse_config`).

    Raises:
        ConfigError: the file cannot be read, or something in it or in `overrides` is not valid.
    """
    return parse_config(strictyaml.read(path), path, overrides)


def parse_config(text: bytes, path: Path, overrides: Sequence[str] = ()) -> ProjectConfig:
    """Check the config `text` that was read from `path`.

    An override is `key=value` with dots between the levels of the key; its value is a YAML scalar,
    a quoted text or a `[list]`. It is checked as if it stood in the file. A later one wins. One for
    `params` must name a parameter that the file has: a slip of the pen starts no other experiment.

    Raises:
        ConfigError: something is not valid; `problems` holds every mistake.
    """
    problems: list[tuple[Mark, Problem]] = []
    root = Spot(strictyaml.parse(text, str(path)), "", problems)
    for override in overrides:
        root = _overridden(root, override)
    return checked(root, lambda spot: ProjectConfig(path, text, **_project(spot)))


def fill(argv: Sequence[str], params: Mapping[str, Plain]) -> tuple[str, ...]:
    """`argv` with each `{params.NAME}` replaced by that parameter; a dot goes one level down.

    Text is put in as it is, everything else as JSON (`0.001`, `true`, `[64, 32]`). One more pair
    of braces makes it literal: `{{params.NAME}}` becomes `{params.NAME}`. All other braces stay as
    they are: JSON and regular expressions need no escapes. Words are never split or joined.

    Raises:
        ConfigError: there is no such parameter.
    """
    return tuple(
        _PLACEHOLDER.sub(lambda match: match[1] or _inserted(match[2], params), word)
        for word in argv
    )


_PLACEHOLDER = re.compile(r"\{(\{params\.[^{}]*\})\}|\{params\.([^{}]*)\}")


def _inserted(name: str, params: Mapping[str, Plain]) -> str:
    value: Plain = dict(params)
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            known = value if isinstance(value, dict) else ()
            message = f"there is no parameter `{shown(name)}`"
            raise ConfigError("unknown-param", message, hint=did_you_mean(part, known))
        value = value[part]
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_DATA_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _folder(spot: Spot) -> str:
    path = _path(spot).rstrip("/")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        rule = "must be a folder inside the run folder: no leading `/`, no `.` or `..`"
        raise spot.refuse(rule, "write it as `outputs` or `outputs/images`")
    return path


def _path(spot: Spot) -> str:
    path = spot.node.value
    if not isinstance(path, str) or not path:
        raise spot.refuse(
            f"must be a path, {spot.found()}", "put it in quotes if it looks like a number"
        )
    if path.split("/")[0].startswith("~"):
        raise spot.refuse("begins with `~`, which only a shell expands", "write the absolute path")
    sizes = [len(part.encode()) for part in path.split("/")]
    if max(sizes) > MAX_NAME_BYTES or sum(sizes) + len(sizes) > MAX_PATH_BYTES:
        raise spot.refuse(
            f"holds a name over {MAX_NAME_BYTES} bytes, or is over {MAX_PATH_BYTES} bytes"
        )
    return path


def _variable(spot: Spot) -> str:
    value = spot.node.value
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        # What stands here is not repeated: it may be `NAME=secret`.
        raise spot.refuse(
            "must be the name of an environment variable", "write the name, never a value"
        )
    if value.startswith("REPROKIT_"):
        raise spot.refuse("is a variable that ReproKit sets itself", "remove it")
    return value


def _data(spot: Spot) -> dict[str, Dataset]:
    for name in mapping(spot):
        if not _DATA_NAME.fullmatch(name):
            rule = "must be named with letters, digits, `.`, `_` and `-` (up to 63)"
            spot.below(name, spot.node).report(rule, mark=spot.node.keys[name])
    fields = {"path": Field(_path)}
    return each(
        (name, partial(lambda child: Dataset(**table(child, fields)), spot.below(name, node)))
        for name, node in mapping(spot).items()
    )


def _params(spot: Spot) -> dict[str, Plain]:
    _refuse_endless(spot)
    params = {key: node.plain() for key, node in mapping(spot).items()}
    import json

    if len(json.dumps(params)) > MAX_WORD_BYTES:
        raise spot.refuse(
            f"are over {MAX_WORD_BYTES:,} bytes", "keep large values in a file of their own"
        )
    return params


def _refuse_endless(spot: Spot) -> None:
    if isinstance(spot.node.value, float) and not math.isfinite(spot.node.value):
        spot.report(f"must be a finite number, {spot.found()}", "quote it where it is text")
    for child in spot.children():
        _refuse_endless(child)


def _stack(spot: Spot) -> Any:
    if not isinstance(spot.node.value, dict):
        return name_text(spot)
    _refuse_endless(spot)
    return spot.node.plain()


def _stages(spot: Spot) -> dict[str, Plain]:
    if mapping(spot):
        raise spot.refuse("are not supported yet", "leave it empty, and use `run` and `evaluate`")
    return {}


def _command(params: Mapping[str, Plain] | None, spot: Spot) -> tuple[str, ...]:
    """Text split into words as a POSIX shell would (nothing is expanded), or a list of words."""
    words = _split(spot) if isinstance(spot.node.value, str) else _listed(spot)
    if not words or not words[0]:
        raise spot.refuse("names no program", "write it as `python train.py`")
    if any(len(word.encode()) > MAX_WORD_BYTES for word in words):
        raise spot.refuse(f"holds a word over {MAX_WORD_BYTES:,} bytes")
    if params is not None:
        _report_unknown(words, params, spot)
    return words


def _report_unknown(words: Sequence[str], params: Mapping[str, Plain], spot: Spot) -> None:
    for match in chain.from_iterable(map(_PLACEHOLDER.finditer, words)):
        if len(spot.problems) < MAX_PROBLEMS:
            try:
                fill((match[0],), params)
            except ConfigError as error:
                spot.report(f"holds `{shown(match[0])}`, but {error.message}", error.hint)


def _split(spot: Spot) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(spot.node.raw))
    except ValueError as error:
        rule = f"cannot be split into words: {str(error).lower()}"
        raise spot.refuse(rule, "close it, or write the words as a list") from error


def _listed(spot: Spot) -> tuple[str, ...]:
    if not isinstance(spot.node.value, tuple):
        raise spot.refuse(f"must be a command, {spot.found()}", "write it as `python train.py`")
    return tuple(each((item.key, partial(_word, item)) for item in spot.children()).values())


def _word(spot: Spot) -> str:
    # Numbers count as they were written: `--lr 1e-3` arrives as `1e-3`.
    if spot.node.value is None or isinstance(spot.node.value, dict | tuple):
        raise spot.refuse(f"must be a word of the command, {spot.found()}", "put it in quotes")
    return spot.node.raw


_OUTPUTS = {"keep": Field(listing(_folder), Outputs.keep)}
_RESOURCES = {
    "gpus": Field(whole(0, 1024), 0),
    "cpus": Field(cores, None),
    "memory": Field(size_bytes, None),
    "shm": Field(size_bytes, Resources.shm),
    "network": Field(choice("none", "bridge", "host"), "none"),
}


def _project(spot: Spot) -> dict[str, Any]:
    entries = mapping(spot)
    given = entries.get("params")
    # Placeholders are checked beside everything else, against params that may be wrong themselves.
    params = {} if given is None or given.value is None else given.plain()
    command = partial(_command, params if isinstance(params, dict) else None)
    return table(
        spot,
        {
            "project": Field(name_text),
            "stack": Field(_stack),
            "run": Field(command),
            "evaluate": Field(command, None),
            "seed": Field(whole(0, MAX_SEED), 0),
            "determinism": Field(choice("strict", "seeded", "off"), "strict"),
            "params": Field(_params, {}),
            "data": Field(_data, {}),
            "outputs": Field(lambda outputs: Outputs(**table(outputs, _OUTPUTS)), Outputs()),
            "resources": Field(lambda limits: Resources(**table(limits, _RESOURCES)), Resources()),
            "env": Field(listing(_variable), ()),
            "stages": Field(_stages, {}),
        },
    ) | {"stack_node": entries.get("stack")}


def _overridden(root: Spot, override: str) -> Spot:
    name, equals, raw = override.partition("=")
    label = f"-o {shown(override)}"
    keys = name.split(".")
    if not equals or "" in keys:
        message = "an override must be `key=value`"
        problem = Problem(label, message, "write it as `-o params.lr=0.01`")
        root.problems.append((Mark(label), problem))
        return root
    try:
        return root._replace(node=_with(root, keys, strictyaml.parse_value(raw, label)))
    except ConfigError as error:
        root.problems.append((Mark(label), Problem(label, error.message, error.hint)))
    except Refused:
        pass
    return root


def _with(spot: Spot, keys: Sequence[str], new: Node) -> Node:
    """The node of `spot` with `new` at `keys` below it."""
    if not keys:
        return new
    entries = {} if spot.node.value is None else spot.node.value
    if not isinstance(entries, dict):
        raise spot.refuse(f"has no keys below it, {spot.found()}", mark=new.mark)
    key, place = keys[0], spot.below(keys[0], new)
    if spot.key.split(".")[0] == "params" and key not in entries:
        hint = did_you_mean(key, entries) or "add it to the file first"
        raise place.refuse("is no parameter of this project", hint)
    child = place._replace(node=entries.get(key, Node(None, new.mark)))
    values = entries | {key: _with(child, keys[1:], new)}
    return replace(spot.node, value=values, keys={**spot.node.keys, key: new.mark})
