"""When a repository was last changed, by git's word; nothing of the repository is executed."""

import re
from datetime import UTC, datetime
from pathlib import Path

from reprokit.adopt.model import Note
from reprokit.errors import ReproKitError
from reprokit.source import git

_STAMP = re.compile(r"(\d{1,12}) [0-9a-f]{40,64}\s*")


def last_change(folder: Path) -> tuple[str | None, Note]:
    """The day (UTC) of the last commit that changed something in `folder`, and how it is known."""
    try:
        repository = git.discover(folder)
        if repository is None or repository.head is None:
            return None, Note("unknown", "no commit says when it was written: versions are today's")
        # rev-list, not log: a repository's config makes `git log` run its gpg.program.
        done = git.tell(folder, "rev-list", "-1", "--timestamp", "HEAD", "--", ".")
    except ReproKitError as error:
        return None, Note("unknown", f"git cannot say when it was written: {error.message}")
    stamp = _STAMP.fullmatch(done.text)
    if stamp is None:
        return None, Note("unknown", "no commit has anything of this folder: versions are today's")
    day = datetime.fromtimestamp(int(stamp[1]), UTC).date().isoformat()
    return day, Note(
        "found", f"the last commit is of {day}: what is open is resolved as of that day"
    )
