"""The run of a script: its folder, parameters, data and seed, as `reprokit run` set them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprokit.core.errors import CoreError
from reprokit.inside.files import replace_bytes, replace_json

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_FOLDER = Path("outputs", "local")
LOCAL_SEED = 42
DETERMINISM = ("strict", "seeded", "off")


@dataclass(frozen=True)
class Run:
    """One run, as its own script sees it. Everything that a script writes goes below `folder`.

    Attributes:
        folder: where the run's files go (`REPROKIT_RUN_DIR`).
        params: the config's `params`, over the script's own defaults.
        data: dataset name -> its folder or file in this environment.
        seed: the seed of everything random, 0 to 2^32 - 1.
        determinism: `strict`, `seeded` or `off`.
        id: the run's id; `local` for a script that was started by hand.
        managed: whether `reprokit run` started this process.
        watched: whether a person sees progress already, so that the log needs no lines about it.
    """

    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Path] = field(default_factory=dict)
    seed: int = LOCAL_SEED
    determinism: str = "seeded"
    id: str = "local"
    managed: bool = False
    watched: bool = False

    @classmethod
    def current(
        cls, params: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> Run:
        """The run of this process.

        A script that was started by hand gets a local one, and standard error says so: folder
        `outputs/local` (made if it is missing, used again by the next), seed 42, determinism
        `seeded`, no data, and only the parameters given here.

        Args:
            params: what a parameter is where the config does not set it.
            environ: the variables to read instead of this process's own.

        Raises:
            CoreError: a `REPROKIT_*` variable does not hold what it should.
        """
        variables = os.environ if environ is None else environ
        defaults = dict(params or {})
        folder = variables.get("REPROKIT_RUN_DIR")
        if not folder:
            return cls._local(defaults)
        paths = _json_object(variables, "REPROKIT_DATA").items()
        return cls(
            folder=_existing(Path(folder)),
            params={**defaults, **_json_object(variables, "REPROKIT_PARAMS")},
            data={name: Path(str(path)) for name, path in paths},
            seed=_seed(variables),
            determinism=_determinism(variables),
            id=variables.get("REPROKIT_RUN_ID", "local"),
            managed=True,
            watched=variables.get("REPROKIT_PROGRESS") == "file",
        )

    @classmethod
    def _local(cls, params: dict[str, Any]) -> Run:
        """The run of a script that was started by hand."""
        LOCAL_FOLDER.mkdir(parents=True, exist_ok=True)
        folder = LOCAL_FOLDER.absolute()
        sys.stderr.write(
            f"reprokit: not started by `reprokit run`; this run's files go to {folder}\n"
        )
        return cls(folder=folder, params=params)

    def path(self, *parts: str) -> Path:
        """A path below the run's folder, whose parent folder is made if it is missing."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Atomically write `value` as JSON to the run's file `name`, such as `outputs/x.json`."""
        path = self.path(name)
        replace_json(str(path), value)
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Atomically write UTF-8 text to the file `name` of the run."""
        path = self.path(name)
        replace_bytes(str(path), text.encode("utf-8"))
        return path


def _existing(folder: Path) -> Path:
    """The run's folder, which whoever set the variable has made."""
    if not folder.is_dir():
        raise CoreError(
            "no-run-folder", "the run's folder is not there", where=f"REPROKIT_RUN_DIR={folder}"
        )
    return folder


def _json_object(variables: Mapping[str, str], name: str) -> dict[str, Any]:
    """The JSON object in a variable; none is an empty one."""
    try:
        value = json.loads(variables.get(name) or "{}")
    except ValueError as error:
        raise CoreError("bad-variable", f"not valid JSON: {error}", where=name) from error
    if not isinstance(value, dict):
        raise CoreError("bad-variable", "not a JSON object", where=name)
    return value


def _seed(variables: Mapping[str, str]) -> int:
    """The seed that was set; the local one where none was."""
    text = variables.get("REPROKIT_SEED") or str(LOCAL_SEED)
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise CoreError(
            "bad-variable", f"not a seed from 0 to 2^32 - 1: {text}", where="REPROKIT_SEED"
        )
    return int(text)


def _determinism(variables: Mapping[str, str]) -> str:
    """The level that was set; `seeded` where none was."""
    level = variables.get("REPROKIT_DETERMINISM") or "seeded"
    if level not in DETERMINISM:
        choices = ", ".join(DETERMINISM)
        raise CoreError(
            "bad-variable", f"not one of {choices}: {level}", where="REPROKIT_DETERMINISM"
        )
    return level
