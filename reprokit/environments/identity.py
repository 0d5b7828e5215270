"""What an environment is made from -> its name: content only, no path, time, user or machine."""

import hashlib
import json
from collections.abc import Mapping

from reprokit.stacks.locks import LockedRequirements

# Part of every name: raise it when environments made from the same content come out differently.
BUILDER = 1


def env_id(kind: str, locked: LockedRequirements, parts: Mapping[str, object] | None = None) -> str:
    """The name of the environment of a kind (`venv`, `docker`) made from these locks.

    Args:
        kind: what makes it.
        locked: the locks.
        parts: what else decides its content, e.g. a base image's digest; whatever JSON can say.

    Returns:
        `STACK-HEX`, sixteen digits of a sha256: the same on every machine.
    """
    header = locked.stack.header
    content = {
        "builder": BUILDER,
        "kind": kind,
        "python": header.python,
        "platform": header.platform,
        "locks": locked.digests,
        "parts": dict(parts or {}),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{header.stack}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def derived_id(of: str, parts: Mapping[str, object]) -> str:
    """The name of an image that holds an environment and more: the code, or the tools of a person.

    Args:
        of: the environment's own name.
        parts: what decides the rest; whatever JSON can say.
    """
    text = json.dumps([of, dict(parts)], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{of.rpartition('-')[0]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
