"""`envs/NAME/image.lock`: the digest that the tag of a stack's base image had when the stack was locked.

It lies beside the locks of packages and is reviewed like them. Without it the digest is open: the first build takes
what the tag is then, and every record says what was taken.
"""

import re
from pathlib import Path

from reprokit import files
from reprokit.errors import ConfigError
from reprokit.values import dataclass

IMAGE_LOCK = "image.lock"
SCHEMA = "reprokit/image-lock/1"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HINT = "remove it and run `reprokit lock`, which writes it anew"


@dataclass(frozen=True)
class ImageLock:
    """What a tag was.

    Attributes:
        image: the name with its tag, as in `stack.yaml`.
        platform: e.g. `linux/amd64`; the registry had the image for it.
        digest: what the registry said that the tag is: for several platforms, the digest of their list.
    """

    image: str
    platform: str
    digest: str


def image_lock_path(folder: Path) -> Path:
    """Where the lock of a stack's base image is; `folder` is the stack's."""
    return folder / IMAGE_LOCK


def locked_digest(folder: Path, image: str, platform: str) -> str | None:
    """The digest that the base image is locked to; None where it is open or locked for another image.

    Raises:
        ConfigError: the lock cannot be read.
    """
    lock = read_image_lock(folder)
    return lock.digest if lock and (lock.image, lock.platform) == (image, platform) else None


def read_image_lock(folder: Path) -> ImageLock | None:
    """The lock in the stack's folder, or None.

    Raises:
        ConfigError: it does not say what it should.
    """
    path = image_lock_path(folder)
    try:
        said = files.read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    values = [said.get(key) for key in ("image", "platform", "digest")]
    if said.get("schema") != SCHEMA or not all(isinstance(value, str) for value in values):
        raise _unreadable(path, f"it is no document of schema {SCHEMA}")
    lock = ImageLock(*map(str, values))
    if not _DIGEST.fullmatch(lock.digest):
        raise _unreadable(path, f"`{lock.digest}` is no sha256 digest")
    return lock


def write_image_lock(folder: Path, lock: ImageLock) -> bool:
    """Write the lock; false where it says so already. Raises MachineError."""
    if read_image_lock(folder) == lock:
        return False
    values = {"image": lock.image, "platform": lock.platform, "digest": lock.digest}
    files.write_json(image_lock_path(folder), {"schema": SCHEMA, **values})
    return True


def _unreadable(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        "bad-image-lock",
        f"the base image's lock is not valid: {reason}",
        where=str(path),
        hint=_HINT,
    )
