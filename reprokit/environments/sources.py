"""The user's package settings -> what an image build is given of them: secrets and local packages.

A build cannot see the machine's folders: the packages in them that a lock names are put together in
one folder. All else goes in as a build secret, which no layer and no history keeps.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reprokit.errors import MachineError
from reprokit.stacks.requirements import Pin, normalise
from reprokit.values import dataclass, field

# What a build is told; the rest of the machine's environment is its own.
_TOLD = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_\w+|INSECURE_HOST|SYSTEM_CERTS|NATIVE_TLS"
    r"|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|OFFLINE|TORCH_BACKEND)|(?i:https?|all|no)_proxy"
)
_DEFAULTS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_HREF = re.compile(r"""href\s*=\s*["']?([^"'>\s#]+)""", re.IGNORECASE)
# What BuildKit takes as one secret.
_SECRET_LIMIT = 500 * 1024
# name-version-python-abi-platform.whl
_WHEEL_PARTS = 5


@dataclass(frozen=True)
class Sources:
    """Where a build finds packages. The values of `variables` may be secret.

    Attributes:
        variables: for uv inside the build; nothing in them points to this machine's disk.
        options: options for uv that no variable can say.
        folders: local folders of packages.
        indexes: local folders laid out as an index (`NAME/index.html`).
        certificates: the bundle to trust, and the client's certificate.
    """

    variables: Mapping[str, str] = field(repr=False)
    options: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    indexes: tuple[Path, ...] = ()
    certificates: Path | None = None
    client: Path | None = None

    def script(self) -> str:
        """The variables as lines that a shell reads back exactly."""
        lines = [
            f"export {name}={shlex.quote(value)}" for name, value in sorted(self.variables.items())
        ]
        lines.append(f"REPROKIT_UV_OPTIONS={shlex.quote(' '.join(self.options))}")
        return "".join(line + "\n" for line in lines)


def split_sources(environment: Mapping[str, str], options: tuple[str, ...]) -> Sources:
    """Tell what a build can use as it is from what lies on this machine's disk.

    Args:
        environment: uv's environment on this machine (`PackageSettings.uv_environment`).
        options: uv's options on this machine.

    Raises:
        MachineError: a certificate in the settings is not there, or is too large for a build.
    """
    told = {name: value for name, value in environment.items() if _TOLD.fullmatch(name) and value}
    folders = _take_local(told, "UV_FIND_LINKS", ",")
    indexes = [*_take_local(told, "UV_INDEX", None), *_take_local(told, "UV_EXTRA_INDEX_URL", None)]
    default = [path for name in _DEFAULTS for path in _take_local(told, name, None)]
    if default and not any(name in told for name in _DEFAULTS):
        options = (*options, *_without_default(told))
    return Sources(
        variables=told,
        options=tuple(dict.fromkeys(options)),
        folders=tuple(folders),
        indexes=(*indexes, *default),
        certificates=_certificate(environment.get("SSL_CERT_FILE")),
        client=_certificate(environment.get("SSL_CLIENT_CERT")),
    )


def _take_local(told: dict[str, str], name: str, separator: str | None) -> list[Path]:
    """Take what is on this machine's disk out of a variable that lists addresses."""
    entries = [entry for entry in told.pop(name, "").split(separator) if entry]
    remote = [entry for entry in entries if not _is_local(_address(entry))]
    if remote:
        told[name] = (separator or " ").join(remote)
    return [_path(_address(entry)) for entry in entries if _is_local(_address(entry))]


def _without_default(told: dict[str, str]) -> tuple[str, ...]:
    """In place of a default index on the disk another is taken: uv's own was not asked for."""
    *others, last = ("", *told.pop("UV_INDEX", "").split())
    if not last:
        return ("--no-index",)
    told["UV_DEFAULT_INDEX"] = _address(last)
    if any(others):
        told["UV_INDEX"] = " ".join(filter(None, others))
    return ()


def stage_packages(pins: Iterable[Pin], sources: Sources, folder: Path) -> set[str]:
    """Put the local packages that `pins` name into `folder`; the names of those that were found.

    Raises:
        OSError: a package cannot be read, or the disk is full.
    """
    wanted = {(pin.name, pin.version) for pin in pins}
    folder.mkdir(parents=True)
    found = set()
    for path in _candidates({name for name, _ in wanted}, sources):
        named = distribution(path.name)
        if named in wanted and path.is_file() and not (folder / path.name).exists():
            link_or_copy(path, folder / path.name)
            found.add(named[0])
    return found


def distribution(filename: str) -> tuple[str, str] | None:
    """Name and version of a package's file; None for other files."""
    if filename.endswith(".whl"):
        parts = filename.split("-")
        return (normalise(parts[0]), parts[1]) if len(parts) >= _WHEEL_PARTS else None
    stem = next(
        (filename.removesuffix(end) for end in (".tar.gz", ".zip") if filename.endswith(end)), ""
    )
    name, dash, version = stem.rpartition("-")
    return (normalise(name), version) if dash else None


def _candidates(names: set[str], sources: Sources) -> Iterator[Path]:
    for folder in sources.folders:
        yield from sorted(folder.iterdir() if folder.is_dir() else ())
    for index in sources.indexes:
        for name in sorted(names):
            page = index / name / "index.html"
            if page.is_file():
                links = _HREF.findall(page.read_text("utf-8", "replace"))
                yield from (_linked(page, link) for link in links)


def _linked(page: Path, link: str) -> Path:
    if link.startswith("file://"):
        return _path(link)
    return Path(os.path.normpath(page.parent / unquote(link)))


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the disk and the rights allow it, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def _address(entry: str) -> str:
    """An index without the name that uv allows before it (`name=https://...`)."""
    return re.sub(r"^[\w.-]+=", "", entry)


def _is_local(address: str) -> bool:
    return address.startswith("file://") or "://" not in address


def _path(address: str) -> Path:
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    return Path(unquote(address)).absolute()


def _certificate(name: str | None) -> Path | None:
    if not name:
        return None
    path = Path(name)
    if not path.is_file():
        raise MachineError(
            "no-certificate", "the certificate that the settings name is not there", where=name
        )
    if path.stat().st_size > _SECRET_LIMIT:
        raise MachineError(
            "certificates-too-large",
            "the bundle of certificates is too large for a build (500 kB)",
            where=name,
            hint="set PIP_CERT to a file with only the certificates that your index needs",
        )
    return path
