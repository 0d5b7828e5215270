"""The kit: the folder of our code that an environment sees, a copy for each version, by digest.

It holds `sitecustomize.py` and `reprokit/{__init__.py,core,inside}`. It stays in the store, so an old run is replayed
with the probe and the core that it had.
"""

import hashlib
import os
from pathlib import Path

from reprokit.files import exclusive
from reprokit.inside.files import sync_folder
from reprokit.inside.removal import remove_tree

PACKAGE = Path(__file__).resolve().parent.parent
HOOK = "inside/site/sitecustomize.py"
PARTS = ("core", "inside")


def ensure_kit(home: Path) -> Path:
    """The kit of this version in the store, made if it is not there yet."""
    files = _files()
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    kit = home / "kits" / digest.hexdigest()[:32]
    if not kit.is_dir():
        with exclusive(home / "kits" / ".lock"):
            if not kit.is_dir():
                _write(kit, files)
    return kit


def _files() -> dict[str, bytes]:
    """Path in the kit -> bytes, in a fixed order."""
    paths = ["__init__.py"]
    for part in PARTS:
        for folder, folders, names in os.walk(PACKAGE / part):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            paths += sorted(
                os.path.relpath(os.path.join(folder, name), PACKAGE)  # noqa: PTH118 - hot path
                for name in names
                if name.endswith(".py")
            )
    files = {f"reprokit/{path}": (PACKAGE / path).read_bytes() for path in paths}
    files["sitecustomize.py"] = files[f"reprokit/{HOOK}"]
    return files


def _write(kit: Path, files: dict[str, bytes]) -> None:
    unfinished = kit.with_name(f".{kit.name}.new")
    remove_tree(str(unfinished))
    for name, data in files.items():
        path = unfinished / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _compile(unfinished)
    unfinished.rename(kit)
    sync_folder(str(kit.parent))


def _compile(kit: Path) -> None:
    """Byte code for the Python that we run on, and so for most stacks: where the kit is read-only none can be made.

    Unchecked: the kit is named by its content. Where a file needs a newer Python than ours, its own error will tell.
    """
    import compileall
    from py_compile import PycInvalidationMode

    compileall.compile_dir(
        str(kit), quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, stripdir=str(kit)
    )
