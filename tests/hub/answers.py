"""The answers of a hub, as Flask and the hub's own functions shape them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

JSON, HTML, TEXT = "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"


@dataclass
class Answer:
    """A body with what is said about it."""

    body: bytes
    status: int = 200
    kind: str = JSON
    location: str = ""


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode() + b"\n", status)


def success(payload: object = None) -> Answer:
    return as_json({"status": "success"} | ({"payload": payload} if payload else {}))


def error(message: str, status: int) -> Answer:
    return as_json({"status": "error", "message": message}, status)


def page(status: int) -> Answer:
    text = f"<!doctype html>\n<html lang=en>\n<title>{status}</title>\n<h1>{status}</h1>\n"
    return Answer(text.encode(), status, HTML)


class Connection(BaseHTTPRequestHandler):
    """A connection over which answers are sent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cookie = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def arrived(self, count: int) -> None:
        """Called when ``count`` bytes of a request's body have arrived."""

    def send(self, answer: Answer, length: int | None = None) -> None:
        """Send ``answer``; ``length`` is what is said of its length, if not the truth."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body) if length is None else length))
        self.send_header("Access-Control-Allow-Origin", "*")
        if answer.location:
            self.send_header("Location", answer.location)
        if self.cookie:
            self.send_header("Set-Cookie", self.cookie)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
