"""An HTTP server for downloads, in a thread of the tests' process."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves the files in ``files``; ``cuts`` says how often an answer breaks off half-way.

    ``faults`` are what the next answers are instead: a status, a URL that it leads to, or "stall"
    (half of the file and no more), "endless", "trickle" (a byte now and then), "noise" (no HTTP).
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.faults: list[int | str] = []
        self.etag = ""
        self.over = Event()  # set at the end of the test: a stalled answer ends
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
        if self.server.faults:
            self.fail(self.server.faults.pop(0), data or b"")
            return
        if data is None:
            self.send_error(404)
            return
        same = self.headers.get("If-Range", self.server.etag) == self.server.etag
        start = int(span[6:].split("-")[0]) if span and self.server.ranges and same else 0
        if start and start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
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

    def fail(self, fault: int | str, data: bytes) -> None:
        if isinstance(fault, int):
            self.send_error(fault)
            return
        self.close_connection = True
        if fault == "noise":
            self.wfile.write(b"\x80\x03 no web server\n")
            return
        self.send_response(302 if "://" in fault else 200)
        if "://" in fault:
            self.send_header("Location", fault)
            self.send_header("Content-Length", "0")
        elif fault != "endless":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(OSError):  # curl has gone
            if fault == "stall":
                self.wfile.write(data[: len(data) // 2])
            while fault == "endless":
                self.wfile.write(bytes(65536))
            while fault == "trickle" and not self.server.over.wait(0.1):
                self.wfile.write(b"x")
            while fault == "stall" and not self.server.over.wait(1):
                pass
