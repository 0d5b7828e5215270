"""The interpreter: which one, how it was built, and where it and its packages live."""

from __future__ import annotations

import sys

from reprokit.inside.layers import _reading, _sites

NAME = "python"


def gather() -> dict[str, object]:
    """Facts of the interpreter that runs this, which is the one that the training has.

    The flags that a training process was really started with are in its `observed` file.
    """
    found = _sites.roots()
    build, _, compiler = sys.version.partition("[")
    return {
        "version": "%d.%d.%d%s" % (*sys.version_info[:3], _release(sys.version_info)),
        "build": build.strip(),
        "compiler": compiler.rstrip("]"),
        "implementation": sys.implementation.name,
        "cache_tag": sys.implementation.cache_tag,
        "abiflags": getattr(sys, "abiflags", ""),
        "debug_build": hasattr(sys, "gettotalrefcount"),
        "hash_algorithm": sys.hash_info.algorithm,
        "byteorder": sys.byteorder,
        "executable": _reading.plain(sys.executable),
        "prefix": _reading.plain(found.prefix),
        "base_prefix": _reading.plain(found.base),
        "virtual_environment": found.virtual,
        "system_site_packages": found.virtual and found.system,
    }


def _release(info: sys._version_info) -> str:
    marks = {"alpha": "a", "beta": "b", "candidate": "rc"}
    return marks[info.releaselevel] + str(info.serial) if info.releaselevel in marks else ""
