"""Check `packages`: do the user's package settings fit together, and do the indexes answer?"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reprokit.doctor.model import Context, Finding, Status, combined
from reprokit.doctor.reach import PAGE, Answer, reach_all
from reprokit.stacks.model import PYTORCH_INDEX
from reprokit.stacks.pipconfig import (
    DEFAULT_INDEX,
    PackageSettings,
    read_settings,
    without_credentials,
)

NAME = "packages"
TITLE = "Package settings"

CERT_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
PYTORCHS = "PyTorch's own index"
UV_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        settings: what pip's configuration says.
        variables: those of our environment that matter here.
        broken: setting -> what is wrong with the certificates that it names.
        missing: folders of `find-links` that are not there.
        answers: index -> what it answered; empty unless they were asked.
    """

    settings: PackageSettings
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    broken: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)


def run(context: Context) -> Finding:
    """Read pip's configuration, look at the files that it names; with `online`, ask the indexes."""
    settings = read_settings()
    answers = reach_all(pages(context, settings), settings) if context.online else {}
    return decide(observe(settings, os.environ, answers))


def decide(seen: Observed) -> Finding:
    """All that contradicts itself, names what is not there, or does not answer."""
    return combined(
        [*_certificates(seen), *_indexes(seen), *_proxy(seen), *_answers(seen), _sum(seen)]
    )


def observe(
    settings: PackageSettings, variables: Mapping[str, str], answers: Mapping[str, Answer]
) -> Observed:
    """Look at the files that the settings name."""
    names = (*CERT_VARIABLES, *PROXY_VARIABLES, *UV_INDEXES)
    kept = {name: variables[name] for name in names if variables.get(name)}
    certificates = {"cert": settings.cert, **{name: kept.get(name) for name in CERT_VARIABLES}}
    looked = {name: trouble_with(Path(path)) for name, path in certificates.items() if path}
    if settings.client_cert and not Path(settings.client_cert).is_file():
        looked["client-cert"] = f"{settings.client_cert} is not there"
    return Observed(
        settings,
        kept,
        {_source(settings, name): trouble for name, trouble in looked.items() if trouble},
        tuple(
            link for link in settings.find_links if "://" not in link and not Path(link).exists()
        ),
        answers,
    )


def trouble_with(bundle: Path) -> str | None:
    """What is wrong with a bundle of certificates; None when it can be used."""
    import ssl

    if bundle.is_dir():
        return f"{bundle} is a folder; uv wants a file"
    try:
        ssl.create_default_context(cafile=str(bundle))
    except ssl.SSLError:
        return f"{bundle} holds no certificate"
    except OSError as error:
        return f"{bundle}: {(error.strerror or str(error)).lower()}"
    return None


def addresses(settings: PackageSettings) -> dict[str, str]:
    """Every index of the user's own -> the setting that chose it."""
    if settings.no_index:
        return {}
    found = {settings.index_url or DEFAULT_INDEX: _source(settings, "index-url")}
    return found | {url: _source(settings, "extra-index-url") for url in settings.extra_index_urls}


def pages(context: Context, settings: PackageSettings) -> dict[str, str]:
    """Every index that a lock or an environment may ask -> a small page of it."""
    asked = dict.fromkeys(addresses(settings), PAGE)
    stacks = context.workspace is not None and any(context.workspace.stacks.glob("*/stack.yaml"))
    if stacks and not settings.no_index:
        # One for all variants. Its server says 403, not 404, for a page that it does not have.
        asked[PYTORCH_INDEX] = "cpu/torch/"
    return asked


def _source(settings: PackageSettings, name: str) -> str:
    return settings.sources.get(name, name)


def _certificates(seen: Observed) -> Iterator[Finding]:
    for source, trouble in seen.broken.items():
        fix = f"correct {source}, or unset it: the system's certificates are then trusted"
        yield Finding("fail", f"certificates of {source}: {trouble}", fix)
    ours, pips = seen.variables.get("SSL_CERT_FILE"), seen.settings.cert
    if ours and pips and Path(ours).resolve() != Path(pips).resolve():
        yield Finding(
            "warn",
            f"pip trusts {pips} and uv trusts {ours}",
            "set SSL_CERT_FILE and pip's `cert` to one file",
        )


def _indexes(seen: Observed) -> Iterator[Finding]:
    settings = seen.settings
    if settings.no_index and not settings.find_links:
        yield Finding(
            "fail",
            f"{_source(settings, 'no-index')} forbids every index, and there is no `find-links`",
            "`python -m pip config unset global.no-index`, or name a folder with packages",
        )
    for link in seen.missing:
        yield Finding(
            "warn",
            f"the folder {link} of {_source(settings, 'find-links')} is not there",
            "make or unset it",
        )
    main = settings.index_url or DEFAULT_INDEX
    for name in UV_INDEXES:
        given = seen.variables.get(name)
        if given and given.rstrip("/") != main.rstrip("/"):
            yield Finding(
                "warn",
                f"uv asks {without_credentials(given)} ({name}) and pip asks {without_credentials(main)}",
                f"unset {name}: uv is given pip's settings",
            )
    for url in addresses(settings):
        parts = urlsplit(url)
        trusted = {host.partition(":")[0] for host in settings.trusted_hosts} | {
            "localhost",
            "127.0.0.1",
        }
        if parts.scheme == "http" and parts.hostname not in trusted:
            yield Finding(
                "warn",
                f"pip refuses {without_credentials(url)}, which is not encrypted",
                f"use https, or add `{parts.hostname}` to pip's `trusted-host`",
            )


def _proxy(seen: Observed) -> Iterator[Finding]:
    pips = seen.settings.proxy
    name = next((name for name in PROXY_VARIABLES if name in seen.variables), None)
    for source, value in (
        (_source(seen.settings, "proxy"), pips),
        (name, seen.variables.get(name or "")),
    ):
        if value and not _is_proxy(value):
            yield Finding(
                "fail",
                f"the proxy of {source} is not an address: `{without_credentials(value)}`",
                "write it as `http://HOST:PORT`",
            )
    if pips and name and _plain(pips) != _plain(seen.variables[name]):
        yield Finding(
            "warn",
            f"pip uses the proxy {without_credentials(pips)} and uv that of {name}",
            f"set {name} and pip's `proxy` to one address",
        )


def _answers(seen: Observed) -> Iterator[Finding]:
    chosen = addresses(seen.settings)
    for url, answer in seen.answers.items():
        source = chosen.get(url, PYTORCHS)
        text = f"{without_credentials(url)} ({source})"
        if answer.trouble is None:
            yield Finding("ok", f"{text} answers in {answer.seconds:.1f} s")
        else:
            # PyTorch's own index is asked only for builds that the user's settings do not have.
            status: Status = "fail" if url in chosen else "warn"
            yield Finding(
                status, f"{text}: {answer.trouble}", "`python -m pip config list` shows what is set"
            )


def _sum(seen: Observed) -> Finding:
    settings = seen.settings
    main = (
        "no index"
        if settings.no_index
        else without_credentials(settings.index_url or DEFAULT_INDEX)
    )
    links = len(settings.find_links)
    return Finding(
        "ok",
        f"{main}{f' and {links} of find-links' if links else ''}",
        None,
        (
            f"certificates: {settings.cert or seen.variables.get('SSL_CERT_FILE') or 'the system'}",
            f"proxy: {without_credentials(settings.proxy) if settings.proxy else 'none in pip'}",
        ),
    )


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _plain(proxy: str) -> str:
    return (proxy if "://" in proxy else f"http://{proxy}").rstrip("/")
