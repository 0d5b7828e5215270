#!/usr/bin/env python3
"""Turn this Debian machine's own packages into the base image, as an archive for `docker load`.

CI machines reach a Debian archive but no container registry. What stands in for the image of the
open internet is made of the files that dpkg lists for the chosen packages and all they depend on:
no download, no chroot, no maintainer script. dpkg's and apt's databases come along, so that
`apt-get install` works on top of it.

The bytes depend on the chosen packages, the certificates and the apt sources of this machine, not
on the time, on who made them, or on what else is installed.

Usage: base_image.py OUT.tar --packages NAME... --tags REF...
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import os
import re
import stat
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_archive import Entry, Tree, write_archive, write_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DPKG = Path("/var/lib/dpkg")
PRIORITIES = ("required", "important", "standard", "optional", "extra")
MERGED = ("/bin", "/lib", "/lib64", "/sbin")  # links into /usr on a merged-/usr system
# The same files as the path-excludes below, or dpkg would find its lists wrong at the next install.
DROPPED = re.compile(r"/usr/share/(man|info|locale)/.|/usr/share/doc/[^/]+/(?!copyright$).")
FOLDERS = {
    **dict.fromkeys(("/dev", "/proc", "/sys", "/run", "/var/log/apt"), 0o755),
    **dict.fromkeys(("/var/cache/ldconfig", "/var/lib/apt/lists/partial"), 0o755),
    **dict.fromkeys(("/var/cache/apt/archives/partial", "/etc/apt/preferences.d"), 0o755),
    **dict.fromkeys((f"{DPKG}/parts", f"{DPKG}/triggers", f"{DPKG}/updates"), 0o755),
    **dict.fromkeys(("/tmp", "/var/tmp", "/run/lock"), 0o1777),
    "/root": 0o700,
}
FIXED_LINKS = {
    "/etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "/usr/local/bin/python": "/usr/bin/python3",  # Python's own image has this name too
    "/var/lock": "/run/lock",
    "/var/run": "/run",
}
FIXED_FILES = {
    "/etc/environment": "",
    "/etc/gshadow": "",
    "/etc/hostname": "base\n",
    "/etc/shells": "/bin/sh\n/bin/bash\n/bin/dash\n",
    "/etc/timezone": "Etc/UTC\n",
    # What Debian's own images carry: no services, no caches, no documentation.
    "/usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "/etc/apt/apt.conf.d/docker": (
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };\n'
        'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
        'Acquire::Languages "none"; Acquire::GzipIndexes "true"; APT::Install-Recommends "false";\n'
    ),
    "/etc/dpkg/dpkg.cfg.d/docker": (
        "force-unsafe-io\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/info/*\n"
        "path-exclude=/usr/share/locale/*\npath-exclude=/usr/share/doc/*\n"
        "path-include=/usr/share/doc/*/copyright\n"
    ),
    # Without these, dpkg asks for a database upgrade at the first install.
    f"{DPKG}/available": "",
    f"{DPKG}/info/format": "1\n",
    f"{DPKG}/statoverride": "",
}
MODES = {"/etc/shadow": 0o640, "/etc/gshadow": 0o640, "/usr/sbin/policy-rc.d": 0o755}


class BaseImageError(Exception):
    """This machine's packages cannot become the image; the message says why."""


def run(*command: str) -> bytes:
    """The output of a program that has to succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def architecture() -> str:
    """Debian's name for this machine's architecture, which is Docker's too."""
    return run("dpkg", "--print-architecture").decode().strip()


def text(path: Path) -> str:
    """A file as text, with any byte in it."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


# --- packages ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """One installed package: its stanza in dpkg's status file, as it stands and by field."""

    stanza: str
    fields: dict[str, str]

    @property
    def rank(self) -> int:
        """How early it is chosen: mawk is required and gawk is not, whatever this machine has."""
        return PRIORITIES.index(self.fields.get("Priority", "optional"))

    def names(self, *fields: str) -> Iterator[list[str]]:
        """The alternatives of each relation in `fields`, without versions and architectures."""
        for relation in ",".join(self.fields.get(field, "") for field in fields).split(","):
            names = [re.sub(r"[(\[:].*", "", name, flags=re.DOTALL) for name in relation.split("|")]
            if stripped := [name.strip() for name in names if name.strip()]:
                yield stripped


def installed_packages() -> dict[str, Package]:
    """Every installed package of this machine's own architecture, by name."""
    kinds, packages = {architecture(), "all"}, dict[str, Package]()
    for stanza in text(DPKG / "status").split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): *(.*)$", stanza, flags=re.MULTILINE))
        installed = fields.get("Status", "").endswith(" installed")
        if installed and fields["Architecture"] in kinds:
            packages[fields["Package"]] = Package(stanza.strip("\n") + "\n", fields)
    return packages


def with_dependencies(packages: dict[str, Package], wanted: Iterable[str]) -> dict[str, Package]:
    """The essential packages, apt, those wanted, and all they depend on, in order of name."""
    providers: dict[str, str] = {name: name for name in packages}
    for name in sorted(packages, key=lambda name: (packages[name].rank, name)):
        for provided in packages[name].names("Provides"):
            providers.setdefault(provided[0], name)
    essential = {name for name, found in packages.items() if found.fields.get("Essential") == "yes"}
    waiting = sorted(essential | {"apt", "debian-archive-keyring", *wanted})
    if missing := [name for name in waiting if name not in providers]:
        raise BaseImageError(f"not installed: {', '.join(missing)} (`apt-get install` them first)")
    chosen: set[str] = set()
    while waiting:
        name = providers[waiting.pop()]
        if name in chosen:
            continue
        chosen.add(name)
        for alternatives in packages[name].names("Pre-Depends", "Depends"):
            waiting += [found for found in alternatives if found in providers][:1]
    return {name: packages[name] for name in sorted(chosen)}


# --- the files of the packages -------------------------------------------------------------------


def merged(path: str) -> str:
    """Where a path that a package lists really lies on a merged-/usr system."""
    top, _, rest = path[1:].partition("/")
    return f"/usr/{top}/{rest}" if f"/{top}" in MERGED and rest else path


def package_of(info_file: str) -> str:
    """The package that a file of dpkg's info folder belongs to."""
    return info_file.rsplit(".", 1)[0].partition(":")[0]


def diversions() -> list[tuple[str, str, str]]:
    """Return dpkg's diversions: a path, where its file went, and the package on whose behalf."""
    lines = text(DPKG / "diversions").splitlines()
    return list(zip(lines[::3], lines[1::3], lines[2::3], strict=True))


def package_files(packages: dict[str, Package]) -> Tree:
    """What dpkg lists for the packages, without documentation."""
    moved = {path: (diverted, package) for path, diverted, package in diversions()}
    tree: Tree = {}
    for listing in sorted((DPKG / "info").glob("*.list")):
        owner = package_of(listing.name)
        if owner not in packages:
            continue
        for path in text(listing).splitlines():
            diverted, package = moved.get(path, (path, owner))
            source = Path(path if package == owner else diverted)
            name = str(source) if package in packages else path
            if path not in {"", "/."} and not DROPPED.match(path) and os.path.lexists(source):
                tree[merged(name)] = Entry.of(source)
    return {path: entry for path, entry in tree.items() if path not in MERGED}


def byte_code(tree: Tree) -> Tree:
    """Byte code for the system's Python modules, as half of Python's start is compiling otherwise.

    It is compiled afresh and marshalled without back references (version 2), as the machine's own
    copies hold the time of the source and depend on what else their process had compiled.
    """
    made: Tree = {}
    for path, entry in tree.items():
        if not re.match(r"/usr/lib/python3(\.\d+)?/(?!.*/tests?/).*\.py$", path):
            continue
        source = entry.read()
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):  # lib2to3 ships Python 2 on purpose
            continue
        unchecked_hash = (1).to_bytes(4, "little") + importlib.util.source_hash(source)
        data = importlib.util.MAGIC_NUMBER + unchecked_hash + marshal.dumps(code, 2)
        made[importlib.util.cache_from_source(path, optimization="")] = Entry.file(data)
    return made


def alternatives(tree: Tree) -> Tree:
    """update-alternatives' links and records, among the programs that are in the image.

    The machine's own links are no guide: where it has gawk, `awk` must be mawk in an image without.
    """
    made: Tree = {}
    for record in sorted((DPKG / "alternatives").iterdir()):
        head, _, body = text(record).partition("\n\n")
        _, link, *slaves = head.split("\n")
        lines, width = body.split("\n"), 2 + len(slaves) // 2
        choices = [lines[i : i + width] for i in range(0, len(lines), width) if lines[i]]
        choices = [choice for choice in choices if merged(choice[0]) in tree]
        if not choices:
            continue
        best = max(choices, key=lambda choice: int(choice[1]))
        names, links = [record.name, *slaves[::2]], [link, *slaves[1::2]]
        for name, where, target in zip(names, links, [best[0], *best[2:]], strict=True):
            if merged(target) in tree:
                made[merged(where)] = Entry.link(f"/etc/alternatives/{name}")
                made[f"/etc/alternatives/{name}"] = Entry.link(target)
        kept = "".join("\n".join(choice) + "\n" for choice in choices)
        made[str(record)] = Entry.file(f"auto\n{head.partition(chr(10))[2]}\n\n{kept}\n")
    return made


# --- the databases and the settings --------------------------------------------------------------


def dpkg_database(packages: dict[str, Package]) -> Tree:
    """Return dpkg's own records of the packages, its triggers and its diversions."""
    made: Tree = {
        str(path): Entry.file(path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in (DPKG / "info").iterdir()
        if package_of(path.name) in packages
    }
    made[f"{DPKG}/status"] = Entry.file("\n".join(found.stanza for found in packages.values()))
    kept = [line for found in sorted(diversions()) if found[2] in packages for line in found]
    made[f"{DPKG}/diversions"] = Entry.file("".join(f"{line}\n" for line in kept))
    # Without them dpkg runs every file trigger of the image at the first install.
    for path in (DPKG / "triggers").iterdir():
        owners = {line: re.split("[/:]", line.split()[-1])[0] for line in text(path).splitlines()}
        lines = [line for line, owner in sorted(owners.items()) if owner in packages]
        if lines or path.name in {"File", "Unincorp"}:
            made[str(path)] = Entry.file("".join(f"{line}\n" for line in lines))
    return made


def accounts() -> Tree:
    """Debian's fixed users and groups, none of this machine's, and no password."""
    master = Path("/usr/share/base-passwd")
    users = re.sub(r"(?m)^([^:]+):\*?:", r"\1:x:", text(master / "passwd.master"))
    if "\n_apt:" not in users:  # newer Debian has this line; 12 adds it on installation
        users += "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
    groups = re.sub(r"(?m)^([^:]+):\*?:", r"\1:x:", text(master / "group.master"))
    names = [line.partition(":")[0] for line in users.splitlines()]
    shadow = "".join(f"{name}:*:19000:0:99999:7:::\n" for name in names)
    made = {"/etc/passwd": users, "/etc/group": groups, "/etc/shadow": shadow}
    return {path: Entry.file(content, MODES.get(path, 0o644)) for path, content in made.items()}


def apt_settings() -> Tree:
    """The machine's Debian sources, and the proxy and certificates that apt reaches them with."""
    sources = [Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources")]
    made = {str(path): Entry.file(path.read_bytes()) for path in sources if path.exists()}
    settings = run("apt-config", "dump", "Acquire").decode()
    kept = re.findall(
        r'(?m)^Acquire::(?:https?::(?:Proxy|CAInfo)|Check-)[^ ]* ".+";$', settings, re.IGNORECASE
    )
    if kept:
        made["/etc/apt/apt.conf.d/machine"] = Entry.file("".join(f"{line}\n" for line in kept))
    return made


def certificates() -> Tree:
    """The certificates the machine trusts, its own among them, installed the Debian way.

    Its own must lie where update-ca-certificates finds them: the bundle alone would lose them at
    the first package that has the bundle made anew.
    """
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    own = Path("/usr/local/share/ca-certificates")
    listed = [Path("/etc/ca-certificates.conf"), *sorted(own.rglob("*.crt"))]
    made = {str(path): Entry.file(path.read_bytes()) for path in [bundle, *listed] if path.exists()}
    trusted = ("/usr/share/ca-certificates/", f"{own}/")
    for path in bundle.parent.iterdir():  # NAME.pem, and HASH.0 -> NAME.pem for OpenSSL's look-up
        if path.is_symlink() and str(path.resolve()).startswith(trusted):
            made[str(path)] = Entry.link(str(path.readlink()))
    return made


def base_files() -> Tree:
    """The settings that the base packages copy into place on installation."""
    share = Path("/usr/share")
    copies = {
        "/etc/nsswitch.conf": share / "libc-bin/nsswitch.conf",
        "/etc/profile": share / "base-files/profile",
        "/root/.bashrc": share / "base-files/dot.bashrc",
        "/root/.profile": share / "base-files/dot.profile",
    }
    return {path: Entry.file(source.read_bytes()) for path, source in copies.items()}


def library_cache(tree: Tree) -> Tree:
    """/etc/ld.so.cache, made by ldconfig over a copy of nothing but the image's libraries."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, entry in tree.items():
            if not re.match(r"/usr/lib.*\.so(\.|$)|/etc/ld\.so\.conf", path):
                continue
            copy = root / path[1:]
            if entry.kind == tarfile.DIRTYPE:
                copy.mkdir(parents=True, exist_ok=True)
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            if entry.kind == tarfile.SYMTYPE:
                copy.symlink_to(entry.target)
            else:
                copy.write_bytes(entry.read())
        for path in MERGED:
            (root / path[1:]).symlink_to(f"usr{path}")
        run("ldconfig", "-X", "-i", "-r", folder)
        return {"/etc/ld.so.cache": Entry.file((root / "etc/ld.so.cache").read_bytes())}


def image_tree(wanted: Iterable[str]) -> Tree:
    """Everything in the image."""
    packages = with_dependencies(installed_packages(), wanted)
    tree = package_files(packages)
    tree |= alternatives(tree) | byte_code(tree) | dpkg_database(packages)
    tree |= accounts() | apt_settings() | certificates() | base_files()
    tree |= {path: Entry.file(data, MODES.get(path, 0o644)) for path, data in FIXED_FILES.items()}
    tree |= {path: Entry.link(target) for path, target in FIXED_LINKS.items()}
    tree |= {path: Entry.folder(mode) for path, mode in FOLDERS.items()}
    tree |= library_cache(tree)
    tree |= {path: Entry.link(f"usr{path}") for path in MERGED if Path(path).is_symlink()}
    for path in list(tree):
        for parent in [str(parent) for parent in Path(path).parents if str(parent) != "/"]:
            tree.setdefault(parent, Entry.folder())
    return tree


def main() -> None:
    """Read the command line and write the archive."""
    parser = argparse.ArgumentParser(description="Turn Debian packages into a base image.")
    parser.add_argument("out", type=Path, help="the archive to write, for `docker load`")
    parser.add_argument("--packages", nargs="+", required=True, help="installed ones to include")
    parser.add_argument("--tags", nargs="+", required=True, help="what to call the image")
    arguments = parser.parse_args()
    try:
        tree = image_tree(arguments.packages)
    except BaseImageError as error:
        sys.exit(f"base_image.py: {error}")
    with tempfile.TemporaryFile(dir=arguments.out.parent) as layer:
        write_layer(tree, layer)
        digest = write_archive(layer, arguments.tags, architecture(), arguments.out)
    print(f"{digest} {' '.join(arguments.tags)}")


if __name__ == "__main__":
    main()
