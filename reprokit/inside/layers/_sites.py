"""Where the training's Python finds its packages, worked out without `site`: `-S` keeps it away."""

from __future__ import annotations

import os
import sys

from reprokit.inside.layers import _reading


class Roots:
    """The prefix that packages are installed under, and the one of the interpreter itself.

    `system` says whether the interpreter's own packages count too (always, outside a virtual
    environment).
    """

    __slots__ = ("base", "prefix", "system", "virtual")

    def __init__(self, prefix: str, base: str, *, virtual: bool, system: bool) -> None:
        self.prefix = prefix
        self.base = base
        self.virtual = virtual
        self.system = system


def roots() -> Roots:
    """The prefixes of the interpreter that runs this."""
    return roots_of(sys.executable, sys.base_prefix)


def roots_of(executable: str, base: str) -> Roots:
    """The prefixes of an interpreter; a `pyvenv.cfg` beside or above makes it a venv's."""
    folder = os.path.dirname(os.path.abspath(executable))
    for place in (folder, os.path.dirname(folder)):
        text = _reading.text(os.path.join(place, "pyvenv.cfg"))
        if text is not None:
            pairs = (line.partition("=") for line in text.splitlines())
            keys = {key.strip().lower(): value.strip().lower() for key, _, value in pairs}
            system = keys.get("include-system-site-packages") == "true"
            return Roots(os.path.dirname(folder), base, virtual=True, system=system)
    return Roots(base, base, virtual=False, system=True)


def folders(found: Roots, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """The folders that packages are imported from, in the order of `sys.path`.

    Returns:
        The folders (`.pth` files followed), and the names of those `.pth` files that run code at
        start-up.
    """
    places = _unique(_sites(found, environment))
    every = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    code: list[str] = []
    for place in places:
        added, runs = _pth(place)
        every += [place, *added]
        code += runs
    return _unique(every), code


def _sites(found: Roots, environment: dict[str, str]) -> list[str]:
    own = _sites_of(found.prefix)
    if not found.system:
        return own
    user = _user(environment)
    return own + user + _sites_of(found.base) if found.virtual else user + own


def _sites_of(prefix: str) -> list[str]:
    name = _library()
    sites = [
        os.path.join(prefix, lib, name, "site-packages")
        for lib in (getattr(sys, "platlibdir", "lib"), "lib64", "lib")
    ]
    if prefix == "/usr":
        # Debian's own interpreter keeps pip's packages and dpkg's apart.
        sites += [
            os.path.join("/usr/local/lib", name, "dist-packages"),
            "/usr/lib/python3/dist-packages",
            os.path.join("/usr/lib", name, "dist-packages"),
        ]
    return sites


def _user(environment: dict[str, str]) -> list[str]:
    if environment.get("PYTHONNOUSERSITE"):
        return []
    home = environment.get("HOME")
    base = environment.get("PYTHONUSERBASE") or (home and os.path.join(home, ".local"))
    return [os.path.join(base, "lib", _library(), "site-packages")] if base else []


def _library() -> str:
    name = {"cpython": "python"}.get(sys.implementation.name, sys.implementation.name)
    threads = "t" if "t" in getattr(sys, "abiflags", "") else ""
    return "%s%d.%d%s" % (name, sys.version_info[0], sys.version_info[1], threads)


def _pth(site: str) -> tuple[list[str], list[str]]:
    """The folders that the `.pth` files of a site add, and the files that hold lines of code."""
    added: list[str] = []
    code: list[str] = []
    for name in _reading.names(site):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        lines = (_reading.text(os.path.join(site, name)) or "").splitlines()
        if any(line.startswith(("import ", "import\t")) for line in lines):
            code.append(_reading.plain(name))
        added += [
            os.path.join(site, line.strip())
            for line in lines
            if line.strip() and not line.startswith(("#", "import ", "import\t"))
        ]
    return added, code


def _unique(paths: list[str]) -> list[str]:
    """The paths that exist, each place once (`lib64` is often a link to `lib`)."""
    seen: set[tuple[int, int]] = set()
    kept: list[str] = []
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            continue
        if (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))
            kept.append(os.path.abspath(path))
    return kept
