"""The user's own package settings, as pip has them -> `PackageSettings`, and what uv hears of them.

uv reads nothing of pip's configuration, so that a person with a mirror, a find-links folder or a
certificate would otherwise have to say everything twice. Only called when something is resolved
or built.
"""

import os
import re
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from reprokit import process
from reprokit.errors import MachineError
from reprokit.values import dataclass, field

# Later sections win: what pip itself does for `pip install`, which pip-compile shares.
_SECTIONS = ("global", "install", ":env:")
DEFAULT_INDEX = "https://pypi.org/simple"  # pip's own default
# What people set for uv itself and no lock depends on. Other UV_* variables (resolution, overrides,
# pre-releases) and uv's configuration files would change what the same inputs resolve to.
_UV_KEPT = re.compile(
    r"UV_(CACHE_DIR|OFFLINE|DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS"
    r"|INDEX_\w+_(USERNAME|PASSWORD)|INSECURE_HOST|SYSTEM_CERTS|NATIVE_TLS|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|KEYRING_PROVIDER"
    r"|CREDENTIALS_DIR|PYTHON_INSTALL_\w+|PYTHON_DOWNLOADS|LINK_MODE)"
)
_UV_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_DROPPED = re.compile(r"UV_\w+|VIRTUAL_ENV\w*|CONDA_\w+|PYTHON\w+|PIP_REQUIRE_VIRTUALENV")


@dataclass(frozen=True)
class PackageSettings:
    """Where packages come from. Addresses can hold credentials: `repr` and messages leave them out.

    Attributes:
        index_url: replaces the default index.
        extra_index_urls: looked at beside it; as with pip, the best version of all wins.
        find_links: local folders (absolute) and addresses with packages.
        no_index: only `find_links` is looked at.
        cert: bundle of certificates to trust.
        client_cert: certificate with key to show.
        proxy: address of the proxy.
        trusted_hosts: hosts whose certificate is not checked.
        timeout: seconds to wait for a server.
        sources: setting -> what set it, for messages: a PIP_* variable or a key of pip's files.
    """

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trusted_hosts: tuple[str, ...] = ()
    timeout: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def local_find_links(self) -> tuple[Path, ...]:
        """The folders of `find_links` that are on this machine; an image build mounts them."""
        paths = (_local_path(link) for link in self.find_links)
        return tuple(path for path in paths if path is not None and path.is_dir())

    def uv_options(self) -> tuple[str, ...]:
        """What uv takes as an option only; never anything secret."""
        return ("--no-index",) if self.no_index else ()

    def uv_environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment to run uv with.

        Args:
            base: what to start from, by default our own; what it sets for uv itself stands.
        """
        base = os.environ if base is None else base
        kept = {name: value for name, value in base.items() if _keeps(name)}
        return {
            **self._for_uv(base),
            **kept,
            "UV_NO_CONFIG": "1",
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
        }

    def _for_uv(self, base: Mapping[str, str]) -> dict[str, str]:
        proxy = self.proxy if self.proxy is None or "://" in self.proxy else f"http://{self.proxy}"
        told = {
            **self._indexes(base),
            "UV_FIND_LINKS": ",".join(
                _uv_link(link) for link in self.find_links if _is_there(link)
            ),
            "SSL_CERT_FILE": self.cert,
            "SSL_CLIENT_CERT": self.client_cert,
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "UV_HTTP_TIMEOUT": self.timeout,
        }
        if not self.cert and "SSL_CERT_FILE" not in base and _system_has_certificates():
            told["UV_SYSTEM_CERTS"] = "1"  # pip trusts the system's certificates; uv only when told
        return {name: value for name, value in told.items() if value}

    def _indexes(self, base: Mapping[str, str]) -> dict[str, str]:
        """The indexes, unless uv has been given some of its own.

        pip takes the best version of all indexes; uv stops at the first that has the name, unless
        told. Where several have that version, uv reads one of them: that is to be the main index,
        since the others may hold only some of its files, and the lock would have no other hashes.
        """
        if any(name in base for name in _UV_INDEXES):
            return {}
        *first, last = self.index_url or DEFAULT_INDEX, *self.extra_index_urls
        return {
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_INDEX": " ".join(first),
            "UV_DEFAULT_INDEX": last,  # for uv the default comes after all others
        }

    def chooser(self, text: str) -> str:
        """The name of the setting that chose the index that `text` tells about."""
        shown = without_credentials(text)
        if self.index_url and without_credentials(self.index_url).rstrip("/") in shown:
            return self.sources.get("index-url", "index-url")
        for setting, links in (
            ("extra-index-url", self.extra_index_urls),
            ("find-links", self.find_links),
        ):
            if any(without_credentials(link).rstrip("/") in shown for link in links):
                return self.sources.get(setting, setting)
        if "download.pytorch.org" in shown:
            return "PyTorch's own index, for the stack's `variant`"
        chosen = "find-links" if self.no_index else "index-url"
        return self.sources.get(chosen, f"the default; pip's `{chosen}` is not set")


def read_settings() -> PackageSettings:
    """Read pip's configuration: its files and PIP_* variables, merged by pip itself.

    Raises:
        MachineError: pip is missing, or its configuration is broken.
    """
    # -P: a `pip.py` in the current folder is not pip.
    done = process.run([sys.executable, "-P", "-m", "pip", "config", "list"])
    if done.code:
        raise MachineError(
            "pip-config",
            "pip cannot read its own configuration",
            where=without_credentials(
                done.error_text.splitlines()[-1] if done.error_text else "pip"
            ),
            hint="`python -m pip config debug` shows the files that it reads",
        )
    return parse_settings(done.text)


def parse_settings(listing: str) -> PackageSettings:
    """The settings that `pip config list` printed as `listing`."""
    values, sources = _merged(listing)

    def one(*keys: str) -> str | None:
        return next((values[key] for key in keys if values.get(key)), None)

    def many(key: str) -> tuple[str, ...]:
        return tuple(values.get(key, "").split())

    return PackageSettings(
        index_url=one("index-url"),
        extra_index_urls=many("extra-index-url"),
        find_links=tuple(_absolute(link) for link in many("find-links")),
        no_index=(one("no-index") or "0").lower() in ("1", "true", "yes", "on", "y", "t"),
        cert=one("cert"),
        client_cert=one("client-cert"),
        proxy=one("proxy"),
        trusted_hosts=many("trusted-host"),
        timeout=one("timeout", "default-timeout"),
        sources=sources,
    )


def without_credentials(text: str) -> str:
    """`text` with the user and password of every address in it cut."""
    return re.sub(r"(\w://)[^/@\s]+@", r"\1", text)


def _merged(listing: str) -> tuple[dict[str, str], dict[str, str]]:
    import ast

    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            found[section][key] = str(ast.literal_eval(value))
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for section in _SECTIONS:
        for key, value in found[section].items():
            values[key] = value
            variable = "PIP_" + key.upper().replace("-", "_")
            sources[key] = variable if section == ":env:" else f"pip's setting {section}.{key}"
    return values, sources


def _keeps(name: str) -> bool:
    return _UV_KEPT.fullmatch(name) is not None or _DROPPED.fullmatch(name) is None


def _absolute(link: str) -> str:
    if "://" in link:
        return link
    return str(Path(link).expanduser().absolute())


def _local_path(link: str) -> Path | None:
    if link.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        return Path(unquote(urlsplit(link).path))
    return None if "://" in link else Path(link)


def _is_there(link: str) -> bool:
    """Whether to name it to uv, which stops at a folder that is not there; pip goes on."""
    path = _local_path(link)
    return path is None or path.exists()


def _uv_link(link: str) -> str:
    """A find-links entry as uv's comma-separated variable takes it."""
    if "," not in link:
        return link
    return (link if "://" in link else Path(link).as_uri()).replace(",", "%2C")


def _system_has_certificates() -> bool:
    import ssl

    return ssl.get_default_verify_paths().cafile is not None
