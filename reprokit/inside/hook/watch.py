"""A finder that finds nothing itself: it tells when a watched module has been imported.

It replaces `exec_module` on the one loader object of that module and puts it back as soon as it is
called, so that loaders keep their type and everything else that tools ask them for.
"""

from __future__ import annotations

import sys

# Importing `typing` for its own constant of this name would double the time that the hook takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# NumPy from 2.0 on imports `numpy.random` when it is first used. `torch._inductor.config` takes a
# second to import and is watched so that torch's switch for determinism reaches it if it comes (see
# seeds.py).
WATCHED = ("random", "numpy.random", "torch", "torch._inductor.config")


class Watch:
    """Calls `tell(name)` once after each watched module was imported.

    `complain(name, error)` is called where a module comes in by a loader that cannot be watched.
    """

    def __init__(
        self, tell: Callable[[str], None], complain: Callable[[str, Exception], None]
    ) -> None:
        self.tell = tell
        self.complain = complain
        self.waiting = set(WATCHED)

    def notice(self, modules: Container[str]) -> None:
        """Tell of the watched modules that are there already."""
        for name in WATCHED:
            if name in modules:
                self._done(name)

    def start(self) -> None:
        """Watch from now on."""
        if self.waiting:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Python's question where a module is: answered by the finders behind this one."""
        if name not in self.waiting:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                self._wrap(name, spec.loader)
                return spec
        return None

    def _wrap(self, name: str, loader: Any) -> None:
        def exec_module(module: ModuleType) -> None:
            # One zipimporter serves every module of its archive.
            if module.__name__ == name:
                loader.__dict__.pop("exec_module", None)
            original(module)
            if module.__name__ == name:
                self._done(name)

        try:
            original = loader.exec_module
            if isinstance(loader, type):
                raise TypeError("%r is a class that other modules share" % loader)
            loader.exec_module = exec_module
        except Exception as error:
            self.complain(name, error)

    def _done(self, name: str) -> None:
        if name in self.waiting:
            self.waiting.discard(name)
            if not self.waiting and self in sys.meta_path:
                sys.meta_path.remove(self)
            self.tell(name)
