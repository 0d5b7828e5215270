"""PyTorch's build, from its own `version.py` as text: importing torch takes more than a second."""

from __future__ import annotations

import os

from reprokit.inside.layers import _reading, _sites

NAME = "framework"
FACTS = ("__version__", "git_version", "cuda", "hip", "xpu", "debug")
_WORDS = {"None": None, "True": True, "False": False}


def gather() -> dict[str, object]:
    """Facts of the torch that the training would import; that there is none is a fact, too."""
    folders, _ = _sites.folders(_sites.roots(), dict(os.environ))
    return {"torch": torch(folders)}


def torch(folders: list[str]) -> dict[str, object]:
    """The build facts of the first torch in `folders`."""
    for folder in folders:
        package = os.path.join(folder, "torch")
        if not os.path.isdir(package):
            continue
        text = _reading.text(os.path.join(package, "version.py"))
        if text is None:
            return {"installed": True, "unknown": "torch has no version.py"}
        found = constants(text)
        facts = {name.strip("_"): found.get(name) for name in FACTS}
        return {"installed": True, **facts, "path": _reading.plain(package)}
    return {"installed": False}


def constants(source: str) -> dict[str, object]:
    """The plain constants (text, None, True, False) of a generated module, annotated or not."""
    found: dict[str, object] = {}
    for line in source.splitlines():
        target, equals, value = line.partition("=")
        name, value = target.partition(":")[0].strip(), value.strip()
        if not equals or not name.isidentifier() or line[:1].isspace():
            continue
        if value in _WORDS:
            found[name] = _WORDS[value]
        elif len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] and "\\" not in value:
            found[name] = value[1:-1]
    return found
