"""A conclusion -> the text of config.yaml, requirements.in and stack.yaml, each value with its reason."""

from reprokit import yamltext
from reprokit.adopt.conclude import Conclusion
from reprokit.adopt.model import Note, Where
from reprokit.stacks.model import Stack
from reprokit.strictyaml import Plain, shown

_WIDTH = 40
_DETERMINISM = (
    "guessed: a script that knows nothing of us may use operations without a deterministic form"
)


def config_yaml(conclusion: Conclusion) -> str:
    """The config of the project."""
    script = conclusion.script
    seed = script.habits.seed
    entries = [
        _line("project", conclusion.project),
        _line("stack", conclusion.base.name, "a folder of envs/"),
        _line("run", conclusion.run),
        _line("seed", int(seed.value) if seed else 0, str(seed.where) if seed else "guessed"),
        _line("determinism", "seeded", _DETERMINISM),
    ]
    if script.options.options:
        entries.append("params:\n")
        entries += [
            "  " + _line(one.name, one.value, str(one.where)) for one in script.options.options
        ]
    if conclusion.keep:
        folders: list[Plain] = [claim.value for claim in conclusion.keep]
        places = ", ".join(str(claim.where) for claim in conclusion.keep)
        entries.append(_line("outputs", {"keep": folders}, places))
    if conclusion.gpus:
        where = script.habits.cuda
        entries.append(_line("resources", {"gpus": conclusion.gpus}, f"guessed: CUDA at {where}"))
    return "# Written by `reprokit init`; yours from now on.\n" + "".join(entries)


def requirements_in(conclusion: Conclusion) -> str:
    """The requirements of the project, and what could not be taken over."""
    source = conclusion.source or "the imports of the code"
    lines = [
        f"# Taken over from {source} by `reprokit init`; torch is in the stack {conclusion.base.name}."
    ]
    if conclusion.as_of:
        lines.append(
            f"# Versions as of {conclusion.as_of}: `reprokit lock --as-of {conclusion.as_of}`."
        )
    for need in conclusion.requirements:
        lines.append(f"{need.line.ljust(_WIDTH)}  # {_place(need.where)}")
    for need in conclusion.base.left_out:
        if need.name != "torch":
            lines.append(f"# {need.line}: the stack has another version  # {_place(need.where)}")
    return "\n".join(lines) + "\n"


def stack_yaml(conclusion: Conclusion) -> str:
    """The stack, where it is a new one."""
    stack: Stack = conclusion.base.stack
    reasons = {
        key: note
        for key in ("torch", "python", "the build")
        for note in conclusion.notes
        if note.text.lower().startswith(key) and note.kind in ("found", "guessed")
    }
    return "".join(
        [
            f"# Written by `reprokit init` for {conclusion.project}; `reprokit lock` makes exact versions of it.\n",
            _line("python", stack.python, _reason(reasons.get("python"))),
            _line("torch", stack.torch, _reason(reasons.get("torch"))),
            _line("variant", stack.variant, _reason(reasons.get("the build"))),
            _line("image", str(stack.image), "PyTorch's wheels bring CUDA themselves"),
            _line("system", list(stack.system)),
            _line("requirements", list(stack.requirements)),
        ]
    )


def _line(key: str, value: Plain, reason: str = "") -> str:
    line = yamltext.dump({key: value}).rstrip("\n")
    if key in ("python", "torch") and not line.endswith('"'):
        line = f'{key}: "{value}"'
    return f"{line.ljust(_WIDTH)}  # {shown(reason, 160)}\n" if reason else f"{line}\n"


def _reason(note: Note | None) -> str:
    if note is None:
        return ""
    said = f"{note.kind}: " if note.kind == "guessed" else ""
    return said + (str(note.where) if note.where else note.text)


def _place(where: Where) -> str:
    return shown(str(where), 160)
