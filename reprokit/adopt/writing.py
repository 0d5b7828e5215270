"""Several new files at once: all of them or none, and nothing that is there is ever replaced."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reprokit.errors import ConfigError, MachineError, Problem


@dataclass(frozen=True)
class Draft:
    """A file that is to be: where, and what it holds."""

    path: Path
    text: str


def refuse_existing(drafts: Sequence[Draft]) -> None:
    """Refuse drafts whose place is taken.

    Raises:
        ConfigError: `exists`; every file that is in the way is named.
    """
    taken = [draft.path for draft in drafts if os.path.lexists(draft.path)]
    if taken:
        raise _exists(taken)


def create_all(drafts: Sequence[Draft]) -> None:
    """Create every draft, in order; when one cannot be, those before it are taken away again.

    The last one is what makes the others count: it comes into being after they are on the disk.

    Raises:
        ConfigError: `exists`; a place is taken, perhaps since a moment.
        MachineError: the file system refused. Nothing is left behind.
    """
    refuse_existing(drafts)
    with _undone_on_error() as made:
        for draft in drafts:
            _make_folder(draft.path.parent, made)
            _create(draft, made)


@contextmanager
def _undone_on_error() -> Iterator[list[Path]]:
    made: list[Path] = []
    try:
        yield made
    except BaseException as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, FileExistsError):
            raise _exists([Path(error.filename2 or error.filename)]) from error
        if isinstance(error, OSError):
            raise MachineError(
                "write-failed",
                f"cannot write: {(error.strerror or str(error)).lower()}",
                where=str(error.filename2 or error.filename or ""),
            ) from error
        raise


def _make_folder(folder: Path, made: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir()
        made.append(one)


def _create(draft: Draft, made: list[Path]) -> None:
    """Write to a name of its own, then give it the final one, which must be free (`link` never replaces)."""
    temporary = draft.path.with_name(f".{draft.path.name}.{secrets.token_hex(4)}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(draft.text)
            stream.flush()
            os.fsync(stream.fileno())
        _name(temporary, draft.path)
        made.append(draft.path)
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, final: Path) -> None:
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (exFAT, some network shares): opening with `x` does not replace either.
        with final.open("xb") as stream:
            stream.write(temporary.read_bytes())


def _exists(paths: Sequence[Path]) -> ConfigError:
    problems = [
        Problem(str(path), "is there already", f"move it away: `mv {path.name} {path.name}.before`")
        for path in paths
    ]
    return ConfigError(
        "exists",
        f"`{paths[0].name}` is there already, and nothing is overwritten; nothing was written",
        where=str(paths[0]),
        hint=problems[0].hint,
        problems=problems[1:],
    )
