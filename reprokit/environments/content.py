"""A saved image (`docker save`, an OCI layout) -> what is in it, so that two images can be told apart file by file.

Digests of images differ between kinds of image stores even where every file is the same: what is compared here is what
a container would see, whatever packed it. An archive is read once, as a stream; in memory is one line a file.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from reprokit.environments.image import LABEL_BASE
from reprokit.errors import IntegrityError, MachineError
from reprokit.values import asdict, dataclass

_CHUNK = 1 << 20
# Manifests, configs and indexes are far smaller; whatever is larger is a layer.
_DOCUMENT_BYTES = 4 << 20
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_ZSTD = b"\x28\xb5\x2f\xfd"
_TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "link",
    tarfile.SYMTYPE: "symlink",
    tarfile.DIRTYPE: "folder",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}
# What an image says of itself, but for its history and the time of its making. The label of the base's digest is left
# out: stores name an image that never was in a registry differently, and the base's own files are compared.
_CONFIG_KEYS = ("Env", "Cmd", "Entrypoint", "WorkingDir", "User", "Labels", "Volumes")


@dataclass(frozen=True)
class Entry:
    """A file as a container sees it.

    Attributes:
        kind: file, folder, symlink, fifo or device. A hard link is a file like any other: which of its names
            came first is an accident.
        mode: the permission bits, setuid, setgid and sticky among them.
        uid: owner.
        gid: group.
        size: bytes.
        mtime: seconds since 1970; whole ones, as not every store keeps fractions.
        link: what a symbolic link points to; the numbers of a device.
        sha256: of the bytes of a file.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ImageContent:
    """What an image holds: its files by path, without a leading slash, and what it says of itself."""

    files: Mapping[str, Entry]
    config: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """One digest over all of it, the same in every kind of image store."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            line = [name, *asdict(self.files[name]).values()]
            digest.update(json.dumps(line, ensure_ascii=True).encode() + b"\n")
        digest.update(json.dumps(self.config, sort_keys=True, ensure_ascii=True).encode())
        return "sha256:" + digest.hexdigest()


@dataclass(frozen=True)
class Difference:
    """A path, or a key of the image's config, and what of it differs: name -> (in the first, in the second)."""

    path: str
    what: Mapping[str, tuple[Any, Any]]

    def line(self) -> str:
        """The difference in a line for people."""
        told = (f"{name} {_shown(one)} / {_shown(two)}" for name, (one, two) in self.what.items())
        return f"{self.path}: {', '.join(told)}"


def read_image(stream: IO[bytes]) -> ImageContent:
    """Read an archive of one image, to its end, without ever going back.

    Args:
        stream: what `docker save` writes, or a tar file of an OCI layout.

    Raises:
        IntegrityError: it is no archive of an image, or it is cut off.
        MachineError: a layer is compressed with zstd, which this Python cannot read.
    """
    documents: dict[str, Any] = {}
    layers: dict[str, dict[str, Entry]] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isreg() else None
                if data is not None:
                    _read_blob(_name(member.name), member.size, data, documents, layers)
        config, order = _manifest(documents)
        return ImageContent(flatten(layers[name] for name in order), _own_words(documents[config]))
    except (tarfile.TarError, KeyError, TypeError, EOFError, OSError) as error:
        raise IntegrityError(
            "bad-image-archive", "this is no whole archive of an image", where=str(error)
        ) from error


def flatten(layers: Iterable[Mapping[str, Entry]]) -> dict[str, Entry]:
    """The files that a container sees, from the layers, lowest first; a layer's whiteouts remove what was below."""
    files: dict[str, Entry] = {}
    for layer in layers:
        for name in layer:
            folder, _, last = name.rpartition("/")
            if last == _OPAQUE:
                _remove(files, folder, itself=False)
            elif last.startswith(_WHITEOUT):
                gone = last.removeprefix(_WHITEOUT)
                _remove(files, f"{folder}/{gone}" if folder else gone, itself=True)
        for name, entry in layer.items():
            if not name.rpartition("/")[2].startswith(_WHITEOUT):
                if name in files and files[name].kind == "folder" and entry.kind != "folder":
                    _remove(files, name, itself=True)
                files[name] = entry
    return files


def differences(one: ImageContent, two: ImageContent) -> list[Difference]:
    """Every path, and every key of the config, in which two images differ; sorted by path."""
    found = []
    for path in sorted(one.files.keys() | two.files.keys()):
        first, second = one.files.get(path), two.files.get(path)
        if first != second:
            found.append(Difference("/" + path, _compare(first, second)))
    for key in _CONFIG_KEYS:
        if one.config.get(key) != two.config.get(key):
            values = {"value": (one.config.get(key), two.config.get(key))}
            found.append(Difference(f"config {key}", values))
    return found


def _compare(first: Entry | None, second: Entry | None) -> dict[str, tuple[Any, Any]]:
    if first is None or second is None:
        return {"is there": (first is not None, second is not None)}
    pairs = zip(asdict(first).items(), asdict(second).values(), strict=True)
    return {name: (mine, other) for (name, mine), other in pairs if mine != other}


def _read_blob(
    name: str,
    size: int,
    data: IO[bytes],
    documents: dict[str, Any],
    layers: dict[str, dict[str, Entry]],
) -> None:
    """A file of the archive: a document in JSON, or a layer; links in old archives are neither."""
    head = data.read(512)
    if head[:1] in (b"{", b"[") and size <= _DOCUMENT_BYTES:
        try:
            documents[name] = json.loads(head + data.read())
        except ValueError:
            return
    elif head[:4] == _ZSTD:
        raise MachineError(
            "zstd-layer",
            "a layer of the image is compressed with zstd, which cannot be read here",
            where=name,
        )
    elif head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        layers[name] = dict(_read_layer(_Joined(head, data)))
    elif not head.strip(b"\0"):
        layers[name] = {}


def _read_layer(stream: "_Joined") -> Iterator[tuple[str, Entry]]:
    """The entries of a layer; a hard link gets what the file that it names has."""
    files: dict[str, Entry] = {}
    with tarfile.open(fileobj=stream, mode="r|*") as layer:  # type: ignore[call-overload]
        for member in layer:
            name = _name(member.name)
            if member.islnk():
                files[name] = files[_name(member.linkname)]
            else:
                files[name] = _entry(member, layer.extractfile(member) if member.isreg() else None)
            yield name, files[name]


def _entry(member: tarfile.TarInfo, data: IO[bytes] | None) -> Entry:
    digest = hashlib.sha256()
    while data is not None and (piece := data.read(_CHUNK)):
        digest.update(piece)
    link = member.linkname if member.issym() else ""
    if member.ischr() or member.isblk():
        link = f"{member.devmajor}:{member.devminor}"
    return Entry(
        kind=_TYPES.get(member.type, f"type {member.type!r}"),
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=member.size if data is not None else 0,
        mtime=int(member.mtime),
        link=link,
        sha256=digest.hexdigest() if data is not None else "",
    )


def _manifest(documents: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The names of the image's config and of its layers in the archive, lowest first."""
    if "manifest.json" in documents:
        told = documents["manifest.json"][0]
        return _name(told["Config"]), [_name(layer) for layer in told["Layers"]]
    manifest = documents["index.json"]
    while "manifests" in manifest:
        manifest = documents[_blob(manifest["manifests"][0])]
    return _blob(manifest["config"]), [_blob(layer) for layer in manifest["layers"]]


def _blob(descriptor: Mapping[str, str]) -> str:
    return "blobs/" + descriptor["digest"].replace(":", "/")


def _own_words(config: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in (config.get("config") or {}).items() if value}
    if "Labels" in said:
        said["Labels"] = {name: text for name, text in said["Labels"].items() if name != LABEL_BASE}
    return {key: said[key] for key in _CONFIG_KEYS if key in said}


def _remove(files: dict[str, Entry], path: str, *, itself: bool) -> None:
    prefix = f"{path}/" if path else ""
    for name in [name for name in files if name.startswith(prefix)]:
        del files[name]
    if itself:
        files.pop(path, None)


def _name(path: str) -> str:
    """A path of an archive in the one way in which it is compared."""
    return path.removeprefix("./").strip("/")


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == hashlib.sha256().digest_size * 2:
        return value[:12]
    return json.dumps(value, ensure_ascii=True)


class _Joined:
    """A stream whose beginning was read already, for `tarfile`, which only reads forwards."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`."""
        taken, self._head = self._head[:size], self._head[size:]
        return taken + self._rest.read(size - len(taken)) if len(taken) < size else taken
