"""An HTTP server for downloads, in a thread of the tests' process."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves the files in ``files``; ``cuts`` says how often an answer breaks off half-way."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.ranges = True
        self.asked: list[str] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.server.asked.append(f"{self.path} {span}".strip())
        data = self.server.files.get(self.path[1:])
        if data is None:
            self.send_error(404)
            return
        start = int(span[6:].split("-")[0]) if span and self.server.ranges else 0
        if start and start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        whole = data[start:]
        if self.server.cuts and len(whole) > 1000:
            self.server.cuts -= 1
            self.wfile.write(whole[: len(whole) // 2])
            self.close_connection = True
            return
        self.wfile.write(whole)
