"""Check `git`: can the exact code of a run be stored in the workspace's repository?"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from reprokit import process
from reprokit.doctor.model import Context, Finding
from reprokit.errors import MachineError
from reprokit.source import git
from reprokit.workspace import Workspace

NAME = "git"
TITLE = "git"

# The first with `rev-parse --path-format`, which the capture of a run's code asks with.
OLDEST = (2, 31)
INSTALL = "install git 2.31 or newer"


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        said: what `git --version` printed; null where there is no git.
        checkout: whether the workspace lies in a checkout (a `.git` above it).
        repository: the folder of the repository; null where git says that there is none.
        closed: folders of it that a run's code must go into and that may not be written.
        store: the folder of runs, where it is in the repository and git does not ignore it.
    """

    said: str | None
    checkout: bool = False
    repository: Path | None = None
    closed: tuple[Path, ...] = ()
    store: str | None = None


def run(context: Context) -> Finding:
    """Ask git about itself and the workspace; a repository that it does not trust is an error that names the fix."""
    return decide(observe(context.workspace))


def decide(seen: Observed) -> Finding:
    """Without a repository the code of a run is kept as an archive, which works; git need not even be there."""
    if seen.said is None:
        return _absent(checkout=seen.checkout)
    version = re.search(r"(\d+)\.(\d+)(\.\d+)?", seen.said)
    if version is None:
        return Finding("warn", f"git does not say its version: `{seen.said[:80]}`", INSTALL)
    name = f"git {version.group()}"
    if (int(version[1]), int(version[2])) < OLDEST:
        return Finding("fail", f"{name} is too old", INSTALL)
    return _repository(name, seen)


def _absent(*, checkout: bool) -> Finding:
    text = "git is not installed"
    if checkout:
        return Finding("fail", f"{text}, and the workspace is a checkout of it", INSTALL)
    return Finding("warn", f"{text}: runs keep their code as an archive", INSTALL)


def _repository(name: str, seen: Observed) -> Finding:
    """What a good git says about the workspace's repository."""
    if seen.repository is None:
        text = f"{name}; no repository around the workspace: runs keep their code as an archive"
        return Finding("ok", text)
    if seen.closed:
        places = ", ".join(map(str, seen.closed))
        return Finding(
            "fail",
            f"{name}, but the code of a run cannot be stored: {places} may not be written",
            "`ls -ld` shows whose it is: get the right to write there, or use a clone of your own",
        )
    if seen.store is not None:
        return Finding(
            "warn",
            f"{name}; the repository does not ignore the runs, so `git add` would take them in",
            f"`echo /{seen.store}/ >> {seen.repository}/.gitignore`",
        )
    return Finding("ok", f"{name}; the code of runs can be stored (no name or e-mail is needed)")


def observe(workspace: Workspace | None) -> Observed:
    """Run git; nothing is written and nothing of the repository is executed.

    Raises:
        MachineError: git fails, or does not trust the repository.
    """
    root = workspace.root if workspace else None
    above = (root, *root.parents) if root else ()
    checkout = any(os.path.lexists(folder / ".git") for folder in above)
    try:
        said = process.run(["git", "--version"]).text.strip()
    except MachineError as error:
        if error.code != "no-program":
            raise
        return Observed(None, checkout)
    repository = git.discover(root) if root else None
    if repository is None or workspace is None:
        return Observed(said, checkout)
    return Observed(
        said,
        checkout,
        repository.top,
        tuple(_closed(repository.common_dir)),
        _unignored(repository, workspace.store),
    )


def _closed(git_dir: Path) -> list[Path]:
    """The folders for new objects and references, the nearest ones that exist, that may not be written."""
    wanted = [git_dir / "objects", git_dir / "refs" / "reprokit" / "runs"]
    nearest = [
        next((folder for folder in (place, *place.parents) if folder.exists()), git_dir)
        for place in wanted
    ]
    return [folder for folder in nearest if not os.access(folder, os.W_OK | os.X_OK)]


def _unignored(repository: git.Repository, store: Path) -> str | None:
    top = repository.top.resolve()
    # `exists`: git answers for what a folder is only once it is there.
    if not store.is_dir() or not store.resolve().is_relative_to(top):
        return None
    inside = store.resolve().relative_to(top)
    asked = git.ask(repository.top, "check-ignore", "-q", "--", f"{inside}/")
    return str(inside) if asked.code == 1 else None
