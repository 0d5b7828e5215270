"""A package index on 127.0.0.1 that answers in one way and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Index:
    """Where it is, and for each request its path and its Authorization header."""

    address: str
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def index(status: int = 200, *, location: str | None = None) -> Iterator[Index]:
    """Serve an index that answers every request with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            served.requests.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Index(f"http://127.0.0.1:{server.server_port}/simple")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
