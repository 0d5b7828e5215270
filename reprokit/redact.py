"""Cutting credentials out of what is written down."""

import re

_USERINFO = re.compile(r"([A-Za-z][\w+.-]*://)[^/@\s]+@")


def cut(text: str) -> str:
    """`text` with the user and password of every URL in it replaced by `***`."""
    return _USERINFO.sub(r"\1***@", text) if "://" in text else text
