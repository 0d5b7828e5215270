"""Asking git about a repository without letting the repository run anything.

What a repository says in its own `.git/config`, attributes and hooks is a stranger's word. The
calls that are made here read trees and write objects, none converts a file, so no filter, diff
driver or pager ever starts; what is left (file system monitor, hooks, transports of a partial
clone) is switched off for each call.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from reprokit import process
from reprokit.errors import ConfigError, MachineError, NotFoundError, ReproKitError
from reprokit.source.model import Remote
from reprokit.values import dataclass, field

_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.untrackedCache": "false",
    "core.logAllRefUpdates": "false",
    "core.ignoreCase": "false",
    "core.precomposeUnicode": "false",
    # Names that other systems cannot hold are still names here.
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    # Up to this many objects stay loose; a pack for each run would set off git's housekeeping.
    "fastimport.unpackLimit": "1000",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
STALE_S = 1.0
_ANSWERS_BEFORE_HEAD = 4
_FLAGS = tuple(word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}"))


@dataclass(frozen=True)
class Repository:
    """A repository with files checked out.

    Attributes:
        top: the folder of its files.
        git_dir: its own git folder (of this worktree).
        common_dir: the git folder that holds objects and references, shared by all worktrees.
        object_format: `sha1` or `sha256`.
        head: the commit that is checked out; null before the first one.
        head_tree: its tree.
        branch: the short name of the branch; null when HEAD is detached.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    object_format: str
    head: str | None
    head_tree: str | None
    branch: str | None


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without git's own variables, and with git quiet and local."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        # A partial clone fetches what it lacks through whatever its config names. No transport is
        # allowed: the variable beats protocol.*.allow in the config, and works before git 2.44 knew
        # NO_LAZY_FETCH.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        **(extra or {}),
    }


def ask(cwd: Path, *words: str | os.PathLike[str], stdin: bytes | None = None) -> process.Completed:
    """Run git in `cwd`; a non-zero exit is an answer.

    There is no time limit: waiting with one costs a millisecond a call (it polls), a tenth of a
    capture.
    """
    return process.run(["git", *_FLAGS, *words], cwd=cwd, env=environment(), stdin=stdin)


def tell(
    cwd: Path, *words: str | os.PathLike[str], stdin: bytes | None = None
) -> process.Completed:
    """Run git in `cwd`.

    Raises:
        MachineError: git exited with an error; its own words are in the message.
    """
    done = ask(cwd, *words, stdin=stdin)
    if done.code != 0:
        raise failure(done, cwd)
    return done


def failure(done: process.Completed, cwd: Path) -> ReproKitError:
    """The error for a git that refused."""
    text = done.error_text
    if "dubious ownership" in text:
        return MachineError(
            "unsafe-repository",
            "git does not trust this repository, because it belongs to another user",
            where=str(cwd),
            hint=f"if you trust it: `git config --global --add safe.directory {_owner(text, cwd)}`",
        )
    reason = next(
        (line for line in text.splitlines() if line.startswith(("fatal:", "error:"))), text
    )
    return MachineError(
        "git-failed", f"git could not read or write the repository: {reason}", where=str(cwd)
    )


@dataclass(frozen=True)
class Look:
    """What git was asked about a folder, and may still be answering: where its repository is, and its remotes.

    Both are null where there is nothing to ask.
    """

    root: Path
    places: process.Running | None = None
    remotes: process.Running | None = None
    asked: float = field(default_factory=time.monotonic)

    def stale(self) -> bool:
        """Whether so much time has passed that the user may have committed meanwhile."""
        return time.monotonic() - self.asked > STALE_S

    def close(self) -> None:
        """Wait for answers that nobody wants any more."""
        for question in (self.places, self.remotes):
            if question is not None:
                question.close()


def look(root: Path) -> Look:
    """Ask git about `root`, and do not wait: that takes 5 ms, in which there is much to do.

    Raises:
        MachineError: git is missing.
        NotFoundError: `root` is not a folder.
    """
    if not _may_be_inside(root):
        return Look(root)
    remotes = ["config", "-z", "--get-regexp", r"^remote\..*\.url$"]
    return Look(root, _begin(root, *_PLACES), _begin(root, *remotes))


def discover(root: Path) -> Repository | None:
    """The repository that `root` is checked out from; None where git says that there is none.

    Raises:
        ConfigError: a path of the repository has a line end in it.
        MachineError: git is missing, fails, or does not trust the repository.
        NotFoundError: `root` is not a folder.
    """
    if not _may_be_inside(root):
        return None
    return discovered(Look(root, _begin(root, *_PLACES)))


_PLACES = (
    *("rev-parse", "--path-format=absolute", "--show-toplevel", "--absolute-git-dir"),
    *("--git-common-dir", "--show-object-format", "HEAD", "HEAD^{tree}"),
    *("--symbolic-full-name", "HEAD"),
)


def _begin(root: Path, *words: str) -> process.Running:
    return process.begin(["git", *_FLAGS, *words], cwd=root, env=environment())


def _may_be_inside(root: Path) -> bool:
    """Whether git is worth asking: without `.git` in sight it need not even be installed."""
    if not root.is_dir():
        raise NotFoundError("no-folder", "there is no such folder", where=str(root))
    return any(os.path.lexists(folder / ".git") for folder in (root, *root.parents))


def discovered(look: Look) -> Repository | None:
    """The repository that a look found. Raises as `discover`."""
    if look.places is None:
        return None
    root, done = look.root, look.places.result()
    if any(
        text in done.error_text for text in ("not a git repository", "must be run in a work tree")
    ):
        return None
    lines = done.text.split("\n")[:-1]
    if done.code == 0:
        found = _repository(root, lines[:-3], head=lines[-3], tree=lines[-2], branch=lines[-1])
        return _at_home(found)
    unborn = ask(root, "symbolic-ref", "-q", "HEAD")
    if unborn.code != 0 or not done.error_text.startswith("fatal: ambiguous argument 'HEAD'"):
        raise failure(done, root)
    places = lines[:-1] if lines[-1:] == ["HEAD"] else lines
    branch = unborn.text.rstrip("\n")
    return _at_home(_repository(root, places, head=None, tree=None, branch=branch))


def remotes(look: Look) -> tuple[Remote, ...]:
    """Name and address of every remote that a look found, with credentials cut."""
    answer = look.remotes.result().stdout if look.remotes else b""
    pairs = [item.partition(b"\n") for item in answer.split(b"\0") if item]
    return tuple(
        Remote(
            without_credentials(_text(key)[len("remote.") : -len(".url")]),
            without_credentials(_text(url)),
        )
        for key, _, url in pairs
    )


def without_credentials(address: str) -> str:
    """An address without user, password, token and query; commands (`ext::`) are cut whole."""
    helper, colons, _ = address.partition("::")
    if colons and helper.replace("-", "").isalnum():
        return f"{helper}::..."
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        user, at, place = address.partition("@")
        return place if at and ":" in user and "/" not in user else address
    place = rest.split("?")[0].split("#")[0]
    authority, slash, path = place.partition("/")
    user, at, host = authority.rpartition("@")
    login = user + at if scheme.endswith("ssh") and ":" not in user else ""  # `git@`: no secret
    return f"{scheme}://{login}{host}{slash}{path}"


def _repository(
    root: Path, places: Sequence[str], *, head: str | None, tree: str | None, branch: str
) -> Repository:
    if len(places) != _ANSWERS_BEFORE_HEAD:
        raise ConfigError(
            "odd-folder",
            "the path of the repository has a line end in it",
            where=repr(str(root)),
            hint="rename the folder",
        )
    top, git_dir, common_dir, object_format = places
    name = branch.removeprefix("refs/heads/") if branch.startswith("refs/heads/") else None
    return Repository(Path(top), Path(git_dir), Path(common_dir), object_format, head, tree, name)


def _at_home(repository: Repository) -> Repository | None:
    """The repository, unless its config (core.worktree) claims a folder that it does not lie in."""
    return repository if os.path.lexists(repository.top / ".git") else None


def _owner(text: str, cwd: Path) -> str:
    """The folder that git names in its complaint, as its own advice writes it."""
    marker = "safe.directory "
    advice = next((line for line in text.splitlines() if marker in line), "")
    return advice.partition(marker)[2].strip() or str(cwd)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
