"""Plain values -> canonical YAML text, which `strictyaml.parse` reads back as the same."""

import re
from collections.abc import Mapping

from reprokit.strictyaml import Plain

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# Words that some YAML reader or other takes for something that is not text.
_NOT_TEXT = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def dump(value: Mapping[str, Plain], indent: str = "") -> str:
    """`value` as canonical YAML: one text for one value, which `parse` reads back as the same."""
    lines: list[str] = []
    for key, child in value.items():
        if isinstance(child, dict) and child:
            lines.append(f"{indent}{_flow(key)}:\n{dump(child, indent + '  ')}")
        else:
            lines.append(f"{indent}{_flow(key)}: {_flow(child)}\n")
    return "".join(lines)


def _flow(value: Plain) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_flow(key)}: {_flow(child)}" for key, child in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    import json

    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
