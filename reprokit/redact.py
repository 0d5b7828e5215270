"""Cutting credentials out of what is written down."""

import re
from typing import Any

# Neither quotes nor backslashes: an address never reaches from one JSON string into the next.
_USERINFO = re.compile(r"([A-Za-z][\w+.-]*://)[^/@\s\"\\]+@")


def cut(text: str) -> str:
    """`text` with the user and password of every URL in it replaced by `***`."""
    return _USERINFO.sub(r"\1***@", text) if "://" in text else text


def cut_all(value: Any) -> Any:
    """The same for every text in a JSON value, keys left alone."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, dict):
        return {key: cut_all(item) for key, item in value.items()}
    return [cut_all(item) for item in value] if isinstance(value, (list, tuple)) else value
