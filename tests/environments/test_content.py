"""What is in a saved image, and in what two of them differ."""

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from reprokit.environments.content import Entry, differences, flatten, read_image
from reprokit.errors import IntegrityError, MachineError


def member(name: str, data: bytes = b"", **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar file: a regular one of mode 644 and time 7, unless told."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.size = 0o644, 7, len(data)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], pax: bool = False) -> bytes:
    stream = io.BytesIO()
    kind = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def saved(*layers: bytes, **config: Any) -> io.BytesIO:
    """An image as `docker save` writes it."""
    blobs = [json.dumps({"config": config, "created": "never"}).encode(), *layers]
    names = ["blobs/sha256/" + hashlib.sha256(blob).hexdigest() for blob in blobs]
    manifest = json.dumps([{"Config": names[0], "Layers": names[1:]}]).encode()
    pairs = [*zip(names, blobs, strict=True), ("manifest.json", manifest)]
    return io.BytesIO(tar(*(member(name, blob) for name, blob in pairs)))


def test_an_image_is_read_as_a_container_sees_it() -> None:
    below = tar(
        member("etc/", type=tarfile.DIRTYPE, mode=0o755),
        member("etc/old", b"old"),
        member("etc/kept", b"kept", uid=5, gid=6),
    )
    above = tar(member("etc/.wh.old"), member("./etc/new", b"new"))
    content = read_image(saved(below, gzip.compress(above), User="5"))
    assert sorted(content.files) == ["etc", "etc/kept", "etc/new"]
    digest = hashlib.sha256(b"kept").hexdigest()
    assert content.files["etc/kept"] == Entry("file", 0o644, 5, 6, 4, 7, sha256=digest)
    assert content.config == {"User": "5"}


def test_how_layers_are_packed_does_not_count() -> None:
    files = [member("a", b"1"), member("b/c", b"2", mtime=8.25)]
    one = read_image(saved(tar(*files, pax=True)))
    two = read_image(saved(gzip.compress(tar(files[0])), gzip.compress(tar(files[1], pax=True))))
    assert one.digest == two.digest
    assert differences(one, two) == []


def test_which_name_of_a_hard_link_came_first_does_not_count() -> None:
    def linked(first: str, second: str) -> bytes:
        return tar(member(first, b"x"), member(second, type=tarfile.LNKTYPE, linkname=first))

    one, two = read_image(saved(linked("a", "b"))), read_image(saved(linked("b", "a")))
    assert one.digest == two.digest


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (member("etc/made", b"twelve"), "sha256"),
        (member("etc/made", b"eleven", mtime=9), "mtime"),
        (member("etc/made", b"eleven", mode=0o4755), "mode"),
        (member("etc/made", b"eleven", uid=1000), "uid"),
        (member("etc/made", type=tarfile.SYMTYPE, linkname="/x"), "link"),
    ],
)
def test_a_file_that_differs_is_named_with_what_differs(
    changed: tuple[tarfile.TarInfo, bytes], what: str
) -> None:
    one = read_image(saved(tar(member("etc/made", b"eleven"), member("same", b""))))
    two = read_image(saved(tar(changed, member("same", b""))))
    (difference,) = differences(one, two)
    assert difference.path == "/etc/made"
    assert what in difference.what
    assert one.digest != two.digest
    assert what in difference.line()


def test_a_file_that_only_one_image_has_is_named() -> None:
    one, two = read_image(saved(tar(member("a")))), read_image(saved(tar()))
    (difference,) = differences(one, two)
    assert difference.line() == "/a: is there true / false"


def test_what_an_image_says_of_itself_is_compared_too() -> None:
    one, two = (read_image(saved(tar(), Env=[f"MADE={number}"])) for number in (1, 2))
    (difference,) = differences(one, two)
    assert difference.path == "config Env"
    assert one.digest != two.digest


def test_an_opaque_folder_hides_what_was_below_it_and_not_beside_it() -> None:
    entry = Entry("file", 0o644, 0, 0, 0, 0)
    below = {"a/x": entry, "a/b/y": entry, "ab": entry}
    assert sorted(flatten([below, {"a/.wh..wh..opq": entry, "a/new": entry}])) == ["a/new", "ab"]


def test_a_folder_that_became_a_file_has_nothing_in_it() -> None:
    folder, file = Entry("folder", 0o755, 0, 0, 0, 0), Entry("file", 0o644, 0, 0, 0, 0)
    assert flatten([{"a": folder, "a/x": file}, {"a": file}]) == {"a": file}


def test_an_oci_layout_without_dockers_own_manifest_is_read() -> None:
    layer = tar(member("a", b"1"))
    config = json.dumps({"config": {"User": "5"}}).encode()

    def descriptor(blob: bytes) -> dict[str, str]:
        return {"digest": "sha256:" + hashlib.sha256(blob).hexdigest()}

    manifest = {"config": descriptor(config), "layers": [descriptor(layer)]}
    text = json.dumps(manifest).encode()
    index = json.dumps({"manifests": [descriptor(text)]}).encode()
    blobs_of = (config, layer, text)
    names = [f"blobs/{descriptor(blob)['digest'].replace(':', '/')}" for blob in blobs_of]
    blobs = zip(names, blobs_of, strict=True)
    archive = tar(*(member(*pair) for pair in blobs), member("index.json", index))
    content = read_image(io.BytesIO(archive))
    assert (list(content.files), content.config) == (["a"], {"User": "5"})


@pytest.mark.parametrize("cut", [0, 100, 700, 3000])
def test_half_an_archive_is_refused(cut: int) -> None:
    whole = saved(tar(member("a", b"x" * 4000))).getvalue()
    with pytest.raises(IntegrityError) as caught:
        read_image(io.BytesIO(whole[:cut]))
    assert caught.value.code == "bad-image-archive"


def test_a_layer_that_cannot_be_read_here_is_said_to_be() -> None:
    with pytest.raises(MachineError) as caught:
        read_image(saved(b"\x28\xb5\x2f\xfd" + b"\0" * 600))
    assert caught.value.code == "zstd-layer"
