"""The store of runs: making a run's folder, finding it again, listing them all."""

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from reprokit import files
from reprokit.errors import ConfigError, IntegrityError, NotFoundError
from reprokit.layout import RunPaths
from reprokit.runs.ids import new_run_id
from reprokit.runs.model import RunRecord
from reprokit.runs.shape import check_raw
from reprokit.values import asdict

UNFINISHED = ".new-"
LAST = "@last"
ABANDONED_S = 60.0


def reserve(store: Path, project: str) -> tuple[str, RunPaths]:
    """A new run id and its folder, still under a hidden name; `publish` makes it appear.

    Two commands in the same millisecond get different ids, whatever their projects: making a folder either succeeds
    or fails, and whoever made one first then looks whether the name is anyone else's.
    """
    folder = store / project
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        run_id = new_run_id()
        hidden = folder / (UNFINISHED + run_id)
        try:
            hidden.mkdir()
        except FileExistsError:
            continue
        if not _taken(store, run_id, besides=hidden):
            return run_id, RunPaths(hidden)
        hidden.rmdir()


def _taken(store: Path, run_id: str, *, besides: Path) -> bool:
    """Whether another run, of any project, has this id."""
    places = (
        project / name for project in store.iterdir() for name in (run_id, UNFINISHED + run_id)
    )
    return any(place != besides and place.exists() for place in places)


def hidden_id(hidden: RunPaths) -> str:
    """The id of a run that is not published."""
    return hidden.root.name.removeprefix(UNFINISHED)


def abandoned(store: Path, project: str) -> list[RunPaths]:
    """Hidden folders of a project whose command died before it published them."""
    folder = store / project
    if not folder.is_dir():
        return []
    hidden = (RunPaths(path) for path in folder.iterdir() if path.name.startswith(UNFINISHED))
    return [paths for paths in hidden if _is_old(paths.root) and not files.is_locked(paths.lock)]


def _is_old(folder: Path) -> bool:
    """Whether whoever made a folder has had the time to lock it."""
    try:
        return folder.stat().st_mtime < time.time() - ABANDONED_S
    except FileNotFoundError:
        return False


def published(hidden: RunPaths) -> RunPaths:
    """Where a reserved run folder will be."""
    return RunPaths(hidden.root.with_name(hidden_id(hidden)))


def publish(hidden: RunPaths) -> RunPaths:
    """Give a reserved run folder its real name, complete with all that was written into it."""
    final = published(hidden)
    hidden.root.rename(final.root)
    return final


def write_record(paths: RunPaths, record: RunRecord) -> None:
    """Atomically write a record."""
    files.write_json(paths.record, asdict(record))


def read_raw(paths: RunPaths) -> dict[str, Any]:
    """The record as plain JSON.

    Raises:
        IntegrityError: it is missing, truncated, no record or of another schema.
    """
    try:
        raw = files.read_json(paths.record)
    except (OSError, ValueError) as error:
        raise IntegrityError(
            "bad-record",
            "the run's record cannot be read",
            where=str(paths.record),
            hint="the other files of the run are as they were; restore run.json from a backup",
        ) from error
    check_raw(raw, where=str(paths.record))
    return raw


def read_record(paths: RunPaths) -> RunRecord:
    """The record, validated.

    Raises:
        IntegrityError: it cannot be read, or is of a schema that this version does not know.
    """
    from reprokit.runs.schema import validate

    return validate(read_raw(paths), where=str(paths.record))


def all_runs(store: Path) -> Iterator[RunPaths]:
    """Every run of the store, oldest first, whatever its project."""
    found = (
        path
        for project in (store.iterdir() if store.is_dir() else ())
        if project.is_dir() and not project.name.startswith(".")
        for path in project.iterdir()
        if not path.name.startswith(".") and path.is_dir()
    )
    for _, same_second in groupby(sorted(found, key=_second), key=_second):
        runs = [RunPaths(path) for path in same_second]
        yield from sorted(runs, key=_created) if len(runs) > 1 else runs


def _second(path: Path) -> str:
    return path.name[: len("20261120-141503")]


def _created(paths: RunPaths) -> tuple[str, str]:
    """When a run was made, to the millisecond; its words decide where its record cannot be read."""
    try:
        return str(files.read_json(paths.record).get("created", "")), paths.root.name
    except (OSError, ValueError):
        return "", paths.root.name


def find(store: Path, name: str) -> RunPaths:
    """The run that `name` means: an id, the unique beginning or ending of one, or `@last`.

    Raises:
        NotFoundError: there is none; the nearest ids are named.
        ConfigError: several match, or `name` is a path.
    """
    if "/" in name:
        raise ConfigError(
            "run-is-a-path",
            f"`{name}` is a path; runs are named by id",
            hint="`reprokit runs` lists them",
        )
    runs = {paths.root.name: paths for paths in all_runs(store)}
    if name == LAST and runs:
        return runs[next(reversed(runs))]
    if name in runs:
        return runs[name]
    matches = [run for run in runs if run.startswith(name)] or [
        run for run in runs if run.endswith(name)
    ]
    if len(matches) == 1:
        return runs[matches[0]]
    if matches and name:
        raise ConfigError(
            "ambiguous-run",
            f"`{name}` means {len(matches)} runs",
            hint="write more of the id: " + ", ".join(matches[:5]),
        )
    raise NotFoundError(
        "no-run", f"there is no run `{name}`", where=str(store), hint=_nearest(name, runs)
    )


def _nearest(name: str, runs: dict[str, RunPaths]) -> str:
    from reprokit.suggest import closest

    near = closest(name, list(runs))
    return f"did you mean `{near}`?" if near else "`reprokit runs` lists what there is"
