"""Wheels made on the spot, and an index on 127.0.0.1 that serves them: no network is needed."""

import base64
import hashlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answer = Callable[[BaseHTTPRequestHandler], bool]


def make_wheel(folder: Path, name: str, version: str, *, needs: tuple[str, ...] = ()) -> Path:
    """A wheel with one module; the same bytes for the same arguments."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {need}" for need in needs]
    contents = {
        f"{module}.py": f"version = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},{_digest(text)},{len(text)}" for path, text in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def locked_line(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    return f"{name.replace('_', '-')}=={version} --hash=sha256:{sha256(wheel)}\n"


@contextmanager
def index(folder: Path, *, first: Answer = lambda _: False) -> Iterator[str]:
    """Serve the wheels of `folder`; `first` may answer a request in its own way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if first(self):
                return
            parts = self.path.strip("/").split("/")
            if parts[0] == "simple" and len(parts) == 2:
                self._send(_page(folder, parts[1]), "text/html")
            elif parts[0] == "files":
                self._send((folder / parts[1]).read_bytes(), "application/octet-stream")
            else:
                self.send_error(404)

        def do_HEAD(self) -> None:
            self.send_error(405)

        def _send(self, data: bytes, kind: str) -> None:
            if not data:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(folder: Path, name: str) -> bytes:
    wheels = sorted(folder.glob(f"{name.replace('-', '_')}-*.whl"))
    links = [f'<a href="/files/{w.name}#sha256={sha256(w)}">{w.name}</a>' for w in wheels]
    return "\n".join(links).encode()


def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Forget this machine's package settings; what is stored goes below `tmp_path`."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("REPROKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A find-links folder that is all that there is: no index, no network."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    no_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
