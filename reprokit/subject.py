"""What a check is about: the name of a stack, a config or a run -> a stack and how many GPUs it is to have."""

import re
from pathlib import Path

from reprokit.errors import ConfigError, NotFoundError, ReproKitError
from reprokit.files import read_json
from reprokit.layout import RunPaths
from reprokit.stacks.facts.lookup import default_variant
from reprokit.stacks.find import STACK_FILE
from reprokit.stacks.locks import STACK_LOCK, project_lock_path
from reprokit.stacks.model import BaseImage, Stack, load_stack, parse_stack
from reprokit.stacks.requirements import Pin, parse_pins, read
from reprokit.values import dataclass, replace
from reprokit.workspace import Workspace

CONFIG = "config.yaml"


@dataclass(frozen=True)
class Subject:
    """What is to run.

    Attributes:
        kind: `stack`, `config` or `run`.
        name: the stack's name, the config's path or the run's id.
        gpus: how many GPUs it asks for; a stack for CUDA by itself is taken to want one.
        pins: what its environment is made of; empty where no lock says it.
    """

    kind: str
    name: str
    stack: Stack
    gpus: int
    pins: tuple[Pin, ...] = ()


def subject(workspace: Workspace, name: str) -> Subject:
    """What `name` means: a folder of `envs/`, the path of a config (or its folder), or a run.

    Raises:
        NotFoundError: it is none of these.
        ConfigError: the stack or the config is not valid.
        IntegrityError: the run's record is not what a record holds.
    """
    path = Path(name)
    if path.is_dir() and (path / CONFIG).is_file():
        path = path / CONFIG
    if (workspace.stacks / name / STACK_FILE).is_file():
        stack = load_stack(workspace.root, name)
        pins = _pins(workspace.stacks / name / STACK_LOCK)
        return Subject("stack", name, stack, 0 if stack.variant == "cpu" else 1, pins)
    if path.is_file():
        return _of_config(workspace, path)
    return _of_run(workspace, name)


def shipped(workspace: Workspace) -> tuple[Stack, ...]:
    """Every valid stack of a workspace."""
    stacks = []
    for path in sorted(workspace.stacks.glob(f"*/{STACK_FILE}")):
        try:
            stacks.append(load_stack(workspace.root, path.parent.name))
        except ReproKitError:
            continue
    return tuple(stacks)


def _pins(lock: Path) -> tuple[Pin, ...]:
    """The pins of a lock, for their sizes; whether it is fresh and safe is for others to say."""
    try:
        return read(lock).pins
    except ReproKitError:
        return ()


def _of_config(workspace: Workspace, path: Path) -> Subject:
    from reprokit.config import load_config

    config = load_config(path)
    if isinstance(config.stack, str) or config.stack_node is None:
        stack = load_stack(workspace.root, str(config.stack))
    else:
        stack = parse_stack(config.stack_node, config.project, where=str(path))
    both = (workspace.stacks / stack.name / STACK_LOCK, project_lock_path(path.parent, stack.name))
    pins = tuple(pin for lock in both for pin in _pins(lock))
    return Subject("config", str(path), stack, config.resources.gpus, pins)


def _of_run(workspace: Workspace, name: str) -> Subject:
    from reprokit.runs.details import read_details
    from reprokit.runs.store import find

    try:
        paths = find(workspace.store, name)
    except (NotFoundError, ConfigError) as error:
        raise _nothing(workspace, name, error) from error
    details = read_details(paths)
    pins = parse_pins(paths.requirements.read_text("utf-8"), where=str(paths.requirements))
    plan = details["plan"]
    stack = _recorded(workspace, paths, plan["stack"], pins, details["summary"] or {})
    return Subject("run", paths.root.name, stack, plan["resources"]["gpus"], pins)


def _recorded(
    workspace: Workspace,
    paths: RunPaths,
    name: str,
    pins: tuple[Pin, ...],
    summary: dict[str, object],
) -> Stack:
    """The stack that a run had: torch as its lock pins it, and Python as it was observed.

    What neither says (platform, base image) is the workspace's stack of that name, or the record's.
    """
    torch = next((pin.version for pin in pins if pin.name == "torch"), None)
    python = re.match(r"3\.\d+", str(summary.get("python") or ""))
    try:
        stack = load_stack(workspace.root, name)
    except ReproKitError:
        base = read_json(paths.record)["environment"].get("base") or "unknown:unknown"
        stack = Stack(name, "3", "0", "cpu", BaseImage(str(base).partition("@")[0]))
    if python:
        stack = replace(stack, python=python.group())
    return _with_torch(stack, torch) if torch else stack


def _with_torch(stack: Stack, version: str) -> Stack:
    release, _, variant = version.partition("+")
    if variant:
        return replace(stack, torch=release, variant=variant, index="pytorch")
    served = default_variant(release, stack.platform)
    return replace(stack, torch=release, variant=served or stack.variant, index="pypi")


def _nothing(workspace: Workspace, name: str, error: ReproKitError) -> ReproKitError:
    from reprokit.suggest import did_you_mean

    stacks = sorted(path.parent.name for path in workspace.stacks.glob(f"*/{STACK_FILE}"))
    return NotFoundError(
        "no-subject",
        f"`{name}` is no stack, no config and no run ({error.message})",
        hint=did_you_mean(name, stacks)
        or "`reprokit facts builds` lists what a stack can be made of",
    )
