"""Plain values -> one line of JSON, without the `json` module.

Importing `json` takes 6 ms, which every short program that a training starts would pay at its exit.
"""

from __future__ import annotations

_ESCAPES = {code: "\\u%04x" % code for code in range(32)}
_ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\"})
_WORDS = {None: "null", True: "true", False: "false"}


def encode(value: object) -> str:
    """`value` as JSON: dicts, lists and tuples of text, numbers, booleans and None.

    Raises:
        TypeError: a value of another type; `nan` and the infinities become null.
    """
    if isinstance(value, str):
        return '"%s"' % value.translate(_ESCAPES)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int):
        return "%d" % value
    if isinstance(value, float):
        return repr(float(value)) if value - value == 0 else "null"
    if isinstance(value, dict):
        pairs = ("%s: %s" % (encode(str(key)), encode(each)) for key, each in value.items())
        return "{%s}" % ", ".join(pairs)
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(encode(each) for each in value)
    raise TypeError("%s is not plain" % type(value).__name__)
