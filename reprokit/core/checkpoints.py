"""`best` and `last` of a run as files that are whole or not there, each with its SHA-256 beside it.

`best.pt.sha256` is a line for `sha256sum -c`. While a checkpoint is replaced it holds two lines, of
the new file and of the old one, so that whichever a death leaves behind is known to be good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from reprokit.core.errors import CoreError
from reprokit.core.files import commit, sha256_of, staged
from reprokit.inside.files import replace_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reprokit.core.context import Run

SUFFIX = ".pt"


@dataclass(frozen=True)
class Saved:
    """A checkpoint on the disk: its file, its bytes' SHA-256 (hexadecimal) and their number."""

    path: Path
    sha256: str
    size: int


class Checkpoints:
    """The named checkpoints in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, run: Run) -> Checkpoints:
        """The checkpoints of a run: its folder `checkpoints/`."""
        return cls(run.folder / "checkpoints")

    def path(self, name: str) -> Path:
        """The file of the checkpoint `name`."""
        return self.folder / f"{name}{SUFFIX}"

    def save(self, name: str, state: Mapping[str, Any]) -> Saved:
        """Write `state` as the checkpoint `name`, in place of the one before.

        The same values give the same bytes. `state` may hold tensors, numbers, texts, and lists and
        dictionaries of them: what `torch.load(..., weights_only=True)` takes back.

        Raises:
            OSError: the disk refused; the checkpoint before is intact.
        """
        import torch

        path = self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with staged(path) as (temporary, stream):
            torch.save(dict(state), cast("IO[bytes]", stream))
        saved = Saved(path, stream.sha256, stream.size)
        try:
            _write_digests(path, [saved.sha256, *_digests(path)])
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        commit(temporary, path)
        _write_digests(path, [saved.sha256])
        return saved

    def load(self, name: str, device: str = "cpu") -> dict[str, Any]:
        """The state of the checkpoint `name`, its tensors on `device`; its bytes are checked.

        Nothing in the file is executed (`weights_only=True`).

        Raises:
            CoreError: there is no such checkpoint, or its bytes are not those that were saved.
        """
        import torch

        path = self.path(name)
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            raise CoreError(
                "no-checkpoint", f"there is no checkpoint `{name}`", where=str(path)
            ) from error
        with stream:
            found = sha256_of(stream)
            if found not in _digests(path):
                raise CoreError(
                    "checkpoint-damaged",
                    f"the bytes are not those that were saved (their SHA-256 is {found})",
                    where=str(path),
                    hint="use another checkpoint, or train again",
                )
            stream.seek(0)
            state: dict[str, Any] = torch.load(stream, map_location=device, weights_only=True)
        return state


def _digest_file(path: Path) -> Path:
    """Where the digests of a checkpoint are."""
    return path.with_name(path.name + ".sha256")


def _digests(path: Path) -> list[str]:
    """The digests that a checkpoint may have; none where nothing was saved."""
    try:
        lines = _digest_file(path).read_text("ascii").splitlines()
    except FileNotFoundError:
        return []
    return [line.split(" ", 1)[0] for line in lines]


def _write_digests(path: Path, digests: list[str]) -> None:
    """Durably note the digests that the checkpoint may have from now on."""
    text = "".join(f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests))
    replace_bytes(str(_digest_file(path)), text.encode("ascii"))
