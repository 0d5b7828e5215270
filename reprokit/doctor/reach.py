"""Package indexes -> whether each answers, asked all at once and given up on together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from reprokit.stacks.pipconfig import PackageSettings, without_credentials

PATIENCE_S = 5.0
# A page that is small and that most indexes have; the index's own can be 30 MB.
PAGE = "pip/"
NOT_FOUND = 404


@dataclass(frozen=True)
class Answer:
    """What an index answered: why it cannot be used (null when it can), and after how many seconds."""

    trouble: str | None
    seconds: float


def reach_all(
    pages: Mapping[str, str], settings: PackageSettings, *, patience_s: float = PATIENCE_S
) -> dict[str, Answer]:
    """Ask each index for one page, all at once; whoever has not answered in time counts as silent.

    Args:
        pages: index -> the page of it to ask for.
        settings: certificates, proxy and trusted hosts.
        patience_s: seconds, for all of them together.

    Threads of their own, not a pool: looking up a name cannot be interrupted, and must not hold up the end.
    """
    from threading import Thread

    answers: dict[str, Answer] = {}

    def ask(url: str, page: str) -> None:
        answers[url] = reach(url, settings, page=page, patience_s=patience_s)

    threads = {
        url: Thread(target=ask, args=(url, page), daemon=True) for url, page in pages.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + patience_s
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = Answer(f"no answer within {patience_s:g} s", patience_s)
    return {url: answers.get(url, silent) for url in threads}


def reach(
    url: str, settings: PackageSettings, *, page: str = PAGE, patience_s: float = PATIENCE_S
) -> Answer:
    """Ask one index for a page, with the user's certificates, proxy and password; a folder is only looked at."""
    import http.client
    import urllib.error
    import urllib.request

    begun = time.monotonic()
    if url.startswith("file://"):
        there = Path(unquote(urlsplit(url).path)).is_dir()
        return Answer(None if there else "the folder is not there", time.monotonic() - begun)
    try:
        with _opener(url, settings).open(_request(url, page), timeout=patience_s):
            trouble = None
    except urllib.error.HTTPError as error:
        error.close()
        trouble = judge(error.code)
    except urllib.error.URLError as error:
        trouble = without_credentials(_reason(error.reason))
    except (OSError, ValueError, http.client.HTTPException) as error:
        trouble = without_credentials(_reason(error))
    return Answer(trouble, time.monotonic() - begun)


def judge(status: int) -> str | None:
    """What a status other than success means; None when the index can still be used."""
    if status == NOT_FOUND or status < 400:  # noqa: PLR2004 - a redirection: it answers
        return None
    known = {
        401: "it asks for a password",
        403: "it refuses you",
        407: "the proxy asks for a password",
    }
    return known.get(status, f"it answers with error {status}")


def _opener(url: str, settings: PackageSettings) -> Any:
    import ssl
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener

    class Stay(HTTPRedirectHandler):
        """Follows nothing: a password must not reach another host."""

        def redirect_request(self, *_: Any) -> None:
            return None

    host = urlsplit(url).hostname
    if any(trusted.partition(":")[0] == host for trusted in settings.trusted_hosts):
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - what `trusted-host` says
    else:
        context = ssl.create_default_context(cafile=settings.cert)
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert)
    proxy = settings.proxy
    address = proxy if proxy is None or "://" in proxy else f"http://{proxy}"
    proxies = None if address is None else {"http": address, "https": address}
    return build_opener(Stay, HTTPSHandler(context=context), ProxyHandler(proxies))


def _request(url: str, page: str) -> Any:
    """The request, with the password of the address in a header: urllib would look it up as a host."""
    import base64
    from urllib.request import Request

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"`{parts.scheme}:` is no address of an index")
    host = parts.netloc.rpartition("@")[2]
    request = Request(  # noqa: S310 - http and https only, see above
        urlunsplit((parts.scheme, host, parts.path.rstrip("/") + "/" + page, "", "")), method="HEAD"
    )
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode())
    return request


def _reason(error: object) -> str:
    import socket
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "there is no such host (DNS)"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return str(getattr(error, "strerror", None) or error)
