"""Base images by digest, with a real registry on this machine: locked, moved, mirrored, out of reach."""

import io
import os
import socket
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reprokit import settings
from reprokit.environments.provide import of_image
from reprokit.environments.registry import (
    ask_registry,
    check_base_images,
    lock_base_image,
    lock_base_images,
)
from reprokit.errors import IntegrityError, MachineError
from reprokit.stacks.image_lock import ImageLock, read_image_lock
from reprokit.stacks.model import BaseImage, load_stack
from reprokit.workspace import find
from tests.conftest import Place
from tests.docker.tiny_stack import DOCKER, Tiny, docker, remove

pytestmark = pytest.mark.docker

HOST, PORT = "127.0.0.1", 5000
PLATFORM = "linux/amd64"
STACK = 'python: "3.11"\ntorch: "2.13.0"\nvariant: cpu\nimage: {image}\n'


@dataclass
class Registry:
    """A corner of the registry that a test has for itself."""

    corner: str
    pushed: list[tuple[str, str]] = field(default_factory=list)

    def name(self, image: str) -> str:
        return f"{HOST}:{PORT}/{self.corner}/{image}"

    def push(self, image: str, content: str | None = None, *, of: str | None = None) -> str:
        """Push an image that holds one file, or another one; returns the digest that the tag has then."""
        name = self.name(image)
        if of is not None:
            docker("tag", of, name)
        else:
            subprocess.run(
                [DOCKER, "import", "-", name],
                input=_one_file(content),
                capture_output=True,
                check=True,
            )
        docker("push", "--quiet", name)
        listed = docker("image", "inspect", "-f", '{{join .RepoDigests "\\n"}}', name).split()
        repository = name.rpartition(":")[0]
        digest = next(entry for entry in listed if entry.startswith(f"{repository}@")).split("@")[1]
        self.pushed.append((name, digest))
        return digest

    def forget(self) -> None:
        for name, digest in self.pushed:
            repository = name.partition("/")[2].rpartition(":")[0]
            address = f"http://{HOST}:{PORT}/v2/{repository}/manifests/{digest}"
            remove(name, f"{name.rpartition(':')[0]}@{digest}")
            try:
                urllib.request.urlopen(urllib.request.Request(address, method="DELETE")).close()
            except urllib.error.HTTPError as error:
                error.close()


def _one_file(content: str | None) -> bytes:
    stream, data = io.BytesIO(), (content or "").encode()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("content")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    try:
        socket.create_connection((HOST, PORT), timeout=1).close()
    except OSError:
        if "docker" in os.environ.get("REPROKIT_REQUIRE", ""):
            pytest.fail(f"no registry answers at {HOST}:{PORT}")
        pytest.skip(f"no registry answers at {HOST}:{PORT}")
    corner = Registry(f"reprokit-test/{os.getpid()}-{abs(hash(tmp_path)) % 10**8}")
    yield corner
    corner.forget()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def mirror(**names: str) -> None:
    """Write the user's own `base-images`."""
    lines = [f"  {name}: {other}" for name, other in names.items()]
    settings.settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings.settings_path().write_text("\n".join(["base-images:", *lines, ""]))


def workspace(root: Path, image: str) -> Path:
    (root / "envs" / "one").mkdir(parents=True)
    (root / "envs" / "one" / "stack.yaml").write_text(STACK.format(image=image))
    return root


def test_a_tag_is_locked_to_the_digest_that_the_registry_says(
    registry: Registry, tmp_path: Path
) -> None:
    digest = registry.push("base:1", "one")
    root = workspace(tmp_path, registry.name("base:1"))
    result = lock_base_image(root, "one", other_names={})
    assert (result.state, result.digest) == ("pinned", digest)
    assert result.path == Path("envs/one/image.lock")
    lock = ImageLock(registry.name("base:1"), PLATFORM, digest)
    assert read_image_lock(root / "envs" / "one") == lock
    assert load_stack(root, "one").image == BaseImage(registry.name("base:1"), digest)
    assert lock_base_image(root, "one", other_names={}).state == "kept"


def test_a_tag_that_moved_is_told_with_both_digests_until_it_is_taken(
    registry: Registry, tmp_path: Path
) -> None:
    old = registry.push("base:1", "one")
    root = workspace(tmp_path, registry.name("base:1"))
    lock_base_images(find(root), ["one"])
    assert check_base_images(find(root), ["one"])[0].digest == old
    new = registry.push("base:1", "two")
    with pytest.raises(IntegrityError) as caught:
        check_base_images(find(root), ["one"])
    assert (caught.value.code, caught.value.exit_code) == ("base-image-moved", 5)
    assert old in caught.value.message
    assert new in caught.value.message
    assert lock_base_image(root, "one", other_names={}).digest == old
    assert lock_base_image(root, "one", other_names={}, renew=True).digest == new
    assert check_base_images(find(root), ["one"])[0].digest == new


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("127.0.0.1:9/nobody/nothing:1", "cannot be reached"),
        (f"{HOST}:{PORT}/reprokit-test/nothing:1", "has no"),
    ],
)
def test_what_no_registry_can_tell_stays_open_and_is_said_to_be(
    image: str, reason: str, registry: Registry, tmp_path: Path
) -> None:
    root = workspace(tmp_path, image)
    result = lock_base_image(root, "one", other_names={})
    assert (result.state, result.digest) == ("open", None)
    assert reason in result.line()
    assert "the first build takes what is there" in result.line()
    assert not (root / "envs" / "one" / "image.lock").exists()
    assert load_stack(root, "one").image.digest is None


def test_a_lock_of_before_is_kept_when_the_registry_is_out_of_reach(tmp_path: Path) -> None:
    image, digest = "127.0.0.1:9/nobody/nothing:1", "sha256:" + "1" * 64
    root = workspace(tmp_path, image)
    (root / "envs/one/image.lock").write_text(
        '{"schema": "reprokit/image-lock/1", '
        f'"image": "{image}", "platform": "{PLATFORM}", "digest": "{digest}"}}'
    )
    result = lock_base_image(root, "one", other_names={}, renew=True)
    assert (result.state, result.digest) == ("kept", digest)
    assert "cannot be reached" in (result.reason or "")
    assert check_base_images(find(root), ["one"])[0].digest is None


def test_an_image_for_other_platforms_only_is_refused(registry: Registry) -> None:
    registry.push("base:1", "one")
    name = registry.name("base:1")
    index = registry.name("base:list")
    docker("buildx", "imagetools", "create", "--tag", index, name)
    with pytest.raises(MachineError) as caught:
        ask_registry(index, platform="linux/arm64", other_names={})
    assert "linux/arm64" in caught.value.message


def test_a_mirror_of_the_user_serves_the_build_and_is_recorded(
    registry: Registry, tiny: Tiny
) -> None:
    digest = registry.push("python:3.11", of=str(tiny.stack.image))
    mirror(**{"nowhere.invalid/python": registry.name("python")})
    remove(registry.name("python:3.11"))
    stack = replace(tiny.stack, image=BaseImage("nowhere.invalid/python:3.11", digest))
    order = tiny.order(stack=stack)
    image = tiny.ensure(order, base_images=settings.base_images({}))
    pinned = f"{registry.name('python')}@{digest}"
    assert (image.base_digest, image.mirror) == (digest, registry.name("python:3.11"))
    assert tiny.ensure(order) == image
    assert of_image(image, order.locks).document()["mirror"] == registry.name("python:3.11")
    remove(pinned)


def test_the_command_says_e5_when_the_tag_moved_behind_a_mirror(
    registry: Registry, place: Place
) -> None:
    old = registry.push("python:3.11-slim-bookworm", "one")
    mirror(python=registry.name("python"))
    lock_base_images(find(place.root), ["cpu"])
    # The mirror is a fact about this machine: the lock has the stack's own name for the image.
    assert registry.corner not in (place.root / "envs/cpu/image.lock").read_text()
    answer = place("lock", "cpu", "--check", "--online", "--json")
    assert answer.code == 0
    assert answer.json["images"][0]["digest"] == old
    new = registry.push("python:3.11-slim-bookworm", "two")
    answer = place("lock", "cpu", "--check", "--online")
    assert answer.code == 5
    assert old in answer.stderr
    assert new in answer.stderr
    # Without `--online` nobody is asked.
    assert place("lock", "cpu", "--check").code == 0
