"""What a dataset is: a file or a folder -> a manifest of its content, with one digest for all."""

# Names of files are bytes here: they need not be text, and pathlib holds text only.
# ruff: noqa: PTH115, PTH118, PTH119, PTH208

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from reprokit import files, layout
from reprokit.errors import ConfigError, MachineError, NotFoundError
from reprokit.values import asdict, dataclass

_FRESH_NS = 2_000_000_000
"""A file this young can change again without a new time stamp (coarse clocks): read it again."""

_Stamp = tuple[int, ...]
_Known = Mapping[str, list[object]]


@dataclass(frozen=True, slots=True)
class DataEntry:
    """One file or link of a dataset.

    Attributes:
        path: relative to the dataset; the file's own name where the dataset is one file. Bytes that
            are no UTF-8 are kept as surrogates.
        kind: a link is recorded as the link that it is.
        size: in bytes; of a link: of its target's name.
        digest: `sha256:HEX` of the bytes; of a link: of its target's name.
    """

    path: str
    kind: Literal["file", "link"]
    size: int
    digest: str


@dataclass(frozen=True)
class DatasetManifest:
    """The content of a dataset.

    Attributes:
        name: what the config calls it.
        path: where it is, with links in the path itself resolved.
        digest: `sha256:HEX` over all entries: same names, same bytes, same digest, wherever it
            lies.
        size: of all files together, in bytes.
        entries: sorted by path.
        outside: links that lead out of the dataset; what is behind them is not covered by the
            digest.
    """

    name: str
    path: Path
    digest: str
    size: int
    entries: tuple[DataEntry, ...]
    outside: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The whole manifest; names that are no UTF-8 are escaped, with their bytes beside."""
        return {**self.summary(), "entries": [_row(entry) for entry in self.entries]}

    def summary(self) -> dict[str, object]:
        """What a run's record says of it: all but the entries, which the digest stands for."""
        return {
            "name": self.name,
            "path": _shown(str(self.path)),
            "digest": self.digest,
            "size": self.size,
            "files": len(self.entries),
            "outside": [_shown(path) for path in self.outside],
        }


def keep(dataset: DatasetManifest, folder: Path) -> Path:
    """Store a manifest under its digest, once; runs refer to it."""
    place = folder / (dataset.digest.replace(":", "-") + ".json")
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(place, {"schema": "reprokit/dataset/1", **dataset.to_json()})
    return place


def manifest(name: str, path: Path, *, cache: Path | None = None) -> DatasetManifest:
    """Read a dataset, or of one that was read before, only what has changed since.

    Args:
        name: what the config calls it.
        path: a file or a folder. A link here is followed; links inside are not.
        cache: folder for what was read before; `data` in the user's store, if not given.

    Raises:
        ConfigError: there is something in it that is no file, folder or link.
        MachineError: a file cannot be read, or changes while it is.
        NotFoundError: there is nothing at `path`.
    """
    try:
        root = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            "no-data",
            f"the dataset `{name}` is not there",
            where=str(path),
            hint=f"put the data there, or correct `data.{name}.path` in config.yaml",
        ) from error
    except (OSError, RuntimeError) as error:
        raise _unreadable(name, os.fsencode(path), error) from error
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
    place = (cache or layout.home() / "data") / f"{key}.json"
    known = _load(place)
    entries, seen = _read(name, os.fsencode(root), known)
    _keep(place, known, seen)
    return DatasetManifest(
        name=name,
        path=root,
        digest=_digest(entries),
        size=sum(entry.size for entry in entries if entry.kind == "file"),
        entries=tuple(entries),
        outside=tuple(entry.path for entry in entries if _leads_out(root, entry)),
    )


def _read(name: str, root: bytes, known: _Known) -> tuple[list[DataEntry], dict[str, list[object]]]:
    """All entries, and the rows of the cache that will make the next look quick."""
    entries: list[DataEntry] = []
    seen: dict[str, list[object]] = {}
    youngest = time.time_ns() - _FRESH_NS
    for relative, path, facts in sorted(_walk(name, root)):
        entry, stamp = _entry(name, relative, path, facts, known), _stamp(facts)
        entries.append(entry)
        if entry.kind == "file" and max(stamp[:2]) < youngest:
            seen[relative.decode("latin-1")] = [*stamp, entry.digest]
    return entries, seen


def _entry(
    name: str, relative: bytes, path: bytes, facts: os.stat_result, known: _Known
) -> DataEntry:
    text = os.fsdecode(relative)
    try:
        if stat.S_ISLNK(facts.st_mode):
            target = os.readlink(path)
            return DataEntry(text, "link", len(target), files.sha256_bytes(target))
        stamp = _stamp(facts)
        *before, digest = known.get(relative.decode("latin-1"), [None])
        if tuple(before) == stamp:
            return DataEntry(text, "file", facts.st_size, str(digest))
        digest = files.sha256_file(Path(os.fsdecode(path)))
        after = os.lstat(path)
    except OSError as error:
        raise _unreadable(name, path, error) from error
    if _stamp(after) != stamp:
        raise MachineError(
            "data-changed",
            f"a file of the dataset `{name}` changed while it was read",
            where=_shown(os.fsdecode(path)),
            hint="run the command again when nothing writes to the data",
        )
    return DataEntry(text, "file", facts.st_size, digest)


def _walk(name: str, root: bytes) -> Iterator[tuple[bytes, bytes, os.stat_result]]:
    """Relative path, path and lstat of every file and link."""
    todo = [(os.path.basename(root), root)]
    while todo:
        relative, path = todo.pop()
        try:
            facts = os.lstat(path)
            if stat.S_ISDIR(facts.st_mode):
                inside = b"" if path == root else relative
                todo += [(os.path.join(inside, n), os.path.join(path, n)) for n in os.listdir(path)]
                continue
        except OSError as error:
            raise _unreadable(name, path, error) from error
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            text = f"the dataset `{name}` holds something that is no file, folder or link"
            raise ConfigError("odd-data", text, where=_shown(os.fsdecode(path)))
        yield relative, path, facts


def _digest(entries: list[DataEntry]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        facts = f"{entry.kind}\0{entry.size}\0{entry.digest}\0".encode("ascii")
        digest.update(facts + os.fsencode(entry.path) + b"\0")
    return "sha256:" + digest.hexdigest()


def _leads_out(root: Path, entry: DataEntry) -> bool:
    return entry.kind == "link" and not Path(os.path.realpath(root / entry.path)).is_relative_to(
        root
    )


def _load(place: Path) -> _Known:
    """What was read before; nothing where the cache is missing or damaged: it is only a cache."""
    try:
        rows = files.read_json(place)["files"]
    except (OSError, ValueError, KeyError):
        return {}
    valid = isinstance(rows, dict) and all(isinstance(row, list) and row for row in rows.values())
    return rows if valid else {}


def _keep(place: Path, known: _Known, seen: _Known) -> None:
    if seen == known:
        return
    # A cache that cannot be kept costs time, never truth.
    with contextlib.suppress(MachineError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(place, {"schema": "reprokit/data-cache/1", "files": seen})


def _stamp(facts: os.stat_result) -> _Stamp:
    return (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)


def _row(entry: DataEntry) -> dict[str, object]:
    row = asdict(entry) | {"path": _shown(entry.path)}
    return row if row["path"] == entry.path else row | {"path_hex": os.fsencode(entry.path).hex()}


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unreadable(name: str, path: bytes, error: Exception) -> MachineError:
    reason = getattr(error, "strerror", None) or error
    return MachineError(
        "unreadable-data",
        f"the dataset `{name}` cannot be read: {reason}",
        where=_shown(os.fsdecode(path)),
    )
