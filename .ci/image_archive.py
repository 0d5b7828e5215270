"""Turn a tree of files into an image archive that `docker load` takes, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 1_700_000_000  # the one timestamp in the image
CREATED = "2023-11-14T22:13:20Z"  # the same, for the image's configuration
MEDIA = "application/vnd.oci.image."
NAME_ANNOTATION = "io.containerd.image.name"


@dataclass(frozen=True)
class Entry:
    """One file, folder or link of the image, whatever its name there."""

    kind: bytes
    mode: int
    content: bytes | Path = b""
    target: str = ""
    uid: int = 0
    gid: int = 0

    @classmethod
    def file(cls, content: bytes | str, mode: int = 0o644) -> Entry:
        """A file that is made here."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        return cls(kind=tarfile.REGTYPE, mode=mode, content=data)

    @classmethod
    def link(cls, target: str) -> Entry:
        """A symbolic link."""
        return cls(kind=tarfile.SYMTYPE, mode=0o777, target=target)

    @classmethod
    def folder(cls, mode: int = 0o755) -> Entry:
        """An empty folder."""
        return cls(kind=tarfile.DIRTYPE, mode=mode)

    @classmethod
    def of(cls, path: Path) -> Entry:
        """What lies at `path` on this machine; a file's content is read when it is written."""
        found = path.lstat()
        mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
        if stat.S_ISLNK(found.st_mode):
            return cls(tarfile.SYMTYPE, 0o777, target=str(path.readlink()), uid=uid, gid=gid)
        if stat.S_ISDIR(found.st_mode):
            return cls(tarfile.DIRTYPE, mode, uid=uid, gid=gid)
        if stat.S_ISREG(found.st_mode):
            return cls(tarfile.REGTYPE, mode, content=path, uid=uid, gid=gid)
        raise ValueError(f"{path} is neither a file, a folder nor a link")

    def read(self) -> bytes:
        """The bytes of a file."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


Tree = dict[str, Entry]  # absolute path in the image -> what lies there


def write_layer(tree: Tree, out: IO[bytes]) -> None:
    """Write the tree as a tar, in order of path."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(tree):
            entry, member = tree[path], tarfile.TarInfo(path[1:])
            data = entry.read() if entry.kind == tarfile.REGTYPE else b""
            member.type, member.mode, member.linkname = entry.kind, entry.mode, entry.target
            member.uid, member.gid, member.mtime = entry.uid, entry.gid, EPOCH
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def as_json(value: object) -> bytes:
    """A value as the one JSON text there is for it here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Blob:
    """A part of an image, known by its digest."""

    media_type: str
    digest: str
    size: int
    data: bytes = b""

    @classmethod
    def document(cls, media_type: str, value: object) -> Blob:
        """One of the JSON documents of an image."""
        data = as_json(value)
        return cls(media_type, "sha256:" + hashlib.sha256(data).hexdigest(), len(data), data)

    @property
    def descriptor(self) -> dict[str, object]:
        """How another document points to this part."""
        return {"mediaType": MEDIA + self.media_type, "digest": self.digest, "size": self.size}

    @property
    def path(self) -> str:
        """Where it lies in the archive."""
        return "blobs/" + self.digest.replace(":", "/")


def layer_blob(layer: IO[bytes]) -> Blob:
    """The layer's digest and size; its bytes stay in the file."""
    layer.seek(0)
    digest = hashlib.sha256()
    while piece := layer.read(1 << 20):
        digest.update(piece)
    return Blob("layer.v1.tar", "sha256:" + digest.hexdigest(), layer.tell())


def image_config(layer: Blob, platform: dict[str, str]) -> Blob:
    """What a container of the image starts with, and an honest name for what it is."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = {
        "Cmd": ["bash"],
        "Env": [f"PATH={path}", "LANG=C.UTF-8"],
        "Labels": {"org.opencontainers.image.title": "stand-in made of Debian packages"},
    }
    document = {
        **platform,
        "created": CREATED,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        "history": [{"created": CREATED, "created_by": "base_image.py"}],
    }
    return Blob.document("config.v1+json", document)


def write_archive(layer_file: IO[bytes], tags: list[str], architecture: str, out: Path) -> str:
    """Wrap the layer as an image that both of Docker's image stores load; return its digest."""
    platform = {"architecture": architecture, "os": "linux"}
    layer = layer_blob(layer_file)
    config = image_config(layer, platform)
    head = {"schemaVersion": 2, "mediaType": f"{MEDIA}manifest.v1+json"}
    parts = {"config": config.descriptor, "layers": [layer.descriptor]}
    manifest = Blob.document("manifest.v1+json", head | parts)
    names = [tag if "/" in tag else f"docker.io/library/{tag}" for tag in tags]
    images = [
        {**manifest.descriptor, "platform": platform, "annotations": {NAME_ANNOTATION: name}}
        for name in names
    ]
    index = {"schemaVersion": 2, "mediaType": f"{MEDIA}index.v1+json", "manifests": images}
    # What an engine without the containerd store reads.
    classic = [{"Config": config.path, "RepoTags": tags, "Layers": [layer.path]}]
    with tarfile.open(out, "w") as tar:
        add(tar, "oci-layout", as_json({"imageLayoutVersion": "1.0.0"}))
        add(tar, "index.json", as_json(index))
        add(tar, "manifest.json", as_json(classic))
        add(tar, config.path, config.data)
        add(tar, manifest.path, manifest.data)
        layer_file.seek(0)
        tar.addfile(member(layer.path, layer.size), layer_file)
    return manifest.digest


def member(name: str, size: int) -> tarfile.TarInfo:
    """The header of a file in the archive."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime = size, EPOCH
    return header


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Put one document into the archive."""
    tar.addfile(member(name, len(data)), io.BytesIO(data))
