"""A conclusion -> the text of config.yaml, requirements.in and stack.yaml, each value with its reason."""

from reprokit import yamltext
from reprokit.adopt.conclude import Conclusion
from reprokit.adopt.model import Note
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
    """The requirements of the project, and those that gave way to a stack."""
    source, base = conclusion.source or "the imports of the code", conclusion.base
    lines = [f"# Taken over from {source} by `reprokit init`; torch is in the stack {base.name}."]
    if conclusion.as_of:
        lines.append(f"# Open versions: as of {conclusion.as_of}.")
    lines += [f"{need.line.ljust(_WIDTH)}  # {need.where}" for need in conclusion.requirements]
    lines += [
        f"# {need.line} ({need.where}) gives way to the stack"
        for need in base.left_out
        if need.name != "torch"
    ]
    return "\n".join(lines) + "\n"


def stack_yaml(conclusion: Conclusion) -> str:
    """The stack, where it is a new one."""
    base, stack = conclusion.base, conclusion.base.stack
    entries = [
        f"# Written by `reprokit init` for {conclusion.project}; exact versions are in its lock.\n",
        _line("python", stack.python, _reason(base.reasons.get("python"))),
        _line("torch", stack.torch, _reason(base.reasons.get("torch"))),
        _line("variant", stack.variant, _reason(base.reasons.get("variant"))),
        _line("image", str(stack.image), "guessed: PyTorch's wheels bring CUDA themselves"),
        _line("system", list(stack.system)),
        _line("requirements", list(stack.requirements)),
    ]
    return "".join(entries)


def _line(key: str, value: Plain, reason: str = "") -> str:
    line = yamltext.dump({key: value}).rstrip("\n")
    return f"{line.ljust(_WIDTH)}  # {shown(reason, 160)}\n" if reason else f"{line}\n"


def _reason(note: Note | None) -> str:
    if note is None:
        return ""
    said = f"{note.kind}: " if note.kind == "guessed" else ""
    return said + (str(note.where) if note.where else note.text)
