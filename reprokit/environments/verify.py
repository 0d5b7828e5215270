"""An order for an image -> proof that building it again gives the same bytes, or the files that differ."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reprokit.environments.engine_api import need_engine
from reprokit.environments.image import ImageOrder, build_image, log_path
from reprokit.errors import MachineError
from reprokit.files import exclusive
from reprokit.values import asdict, dataclass

if TYPE_CHECKING:
    from reprokit.environments.buildx import OnBytes, OnStep
    from reprokit.environments.content import Difference, ImageContent
    from reprokit.stacks.pipconfig import PackageSettings

REPOSITORY = "reprokit/verify"
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Built:
    """One of the two builds.

    Attributes:
        digest: the image's, as the engine says it.
        content: digest over all files and the config, the same in every kind of image store; only looked for
            where the digests of the images differ.
    """

    digest: str
    content: str | None = None


@dataclass(frozen=True)
class Verification:
    """What two builds from nothing gave.

    Attributes:
        reference: the image's name; the second build has it.
        builder: `buildx` or `classic`.
        first: one build.
        second: the other.
        differences: what differs, if the images do; empty where only their history or packing does.
        log: what the second build said.
    """

    reference: str
    builder: str
    first: Built
    second: Built
    differences: "tuple[Difference, ...]"
    log: Path

    @property
    def identical(self) -> bool:
        """Whether both images are the same, to the bit."""
        return self.first.digest == self.second.digest

    @property
    def same_content(self) -> bool:
        """Whether every file is the same, and what the images say of themselves."""
        return self.identical or not self.differences

    def document(self) -> dict[str, object]:
        """The result as JSON."""
        return {
            "image": self.reference,
            "builder": self.builder,
            "identical": self.identical,
            "same_content": self.same_content,
            "first": asdict(self.first),
            "second": asdict(self.second),
            "differences": [
                {"path": each.path, "what": {key: list(pair) for key, pair in each.what.items()}}
                for each in self.differences
            ],
            "log": str(self.log),
        }


def verify(
    order: ImageOrder,
    *,
    home: Path,
    base_images: Mapping[str, str] | None = None,
    settings: "PackageSettings | None" = None,
    on_step: "OnStep | None" = None,
    on_bytes: "OnBytes | None" = None,
) -> Verification:
    """Build an image twice, each time from nothing, and compare; the second one stays.

    Arguments and errors are those of `image.ensure`.
    """
    need_engine()
    log = log_path(home, order.env_id, order.target)

    def build(which: str) -> tuple[str, str]:
        made = build_image(
            order,
            home=home,
            base_images=base_images,
            settings=settings,
            on_step=on_step and (lambda name, *count: on_step(f"{which} build: {name}", *count)),
            on_bytes=on_bytes and (lambda name, *count: on_bytes(f"{which} build: {name}", *count)),
            fresh=True,
        )
        return made.digest, made.builder

    with exclusive(log.parent / ".lock"):
        return verify_builds(order.reference, build, log)


def verify_builds(
    reference: str, build: Callable[[str], tuple[str, str]], log: Path
) -> Verification:
    """Do what `build` does twice, and compare the two images.

    Args:
        reference: the name that each build gives its image.
        build: takes `first` or `second`; returns the image's digest and what built it.
        log: where the second build's words are.
    """
    first, _ = build("first")
    # The name goes to the second image; without another one, the first may be tidied away.
    with _named(first, reference) as kept:
        second, builder = build("second")
        if first == second:
            return Verification(reference, builder, Built(first), Built(second), (), log)
        contents = image_content(kept), image_content(second)
    return compared(reference, builder, (first, second), contents, log)


def compared(
    reference: str,
    builder: str,
    digests: tuple[str, str],
    contents: "tuple[ImageContent, ImageContent]",
    log: Path,
) -> Verification:
    """The verification of two images whose digests differ, or come from two kinds of image stores."""
    from reprokit.environments.content import differences

    one, two = (
        Built(digest, content.digest) for digest, content in zip(digests, contents, strict=True)
    )
    return Verification(reference, builder, one, two, tuple(differences(*contents)), log)


def image_content(reference: str) -> "ImageContent":
    """What is in an image of the engine, read as the engine hands it out: nothing is put on the disk.

    Raises:
        IntegrityError: what the engine hands out is no whole image.
        MachineError: the engine does not have it, or does not answer.
    """
    from reprokit.environments.content import read_image

    with _saved(reference) as stream:
        return read_image(stream)


@contextmanager
def _saved(reference: str) -> Iterator[IO[bytes]]:
    import docker
    import docker.errors
    import requests

    try:
        with closing(docker.from_env(timeout=600)) as client:
            pieces = _Pieces(iter(client.api.get_image(reference)))
            yield io.BufferedReader(pieces, _BUFFER_BYTES)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise MachineError(
            "engine-refused",
            "the Docker engine does not hand out the image",
            where=str(error)[:300],
        ) from error


@contextmanager
def _named(digest: str, reference: str) -> Iterator[str]:
    """A name of its own for an image, as long as the block lasts."""
    import docker
    import docker.errors

    tag = reference.rpartition(":")[2]
    with closing(docker.from_env(timeout=60)) as client:
        client.api.tag(digest, REPOSITORY, tag)
        try:
            yield f"{REPOSITORY}:{tag}"
        finally:
            client.api.remove_image(f"{REPOSITORY}:{tag}", noprune=False)


class _Pieces(io.RawIOBase):
    """An iterator of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
