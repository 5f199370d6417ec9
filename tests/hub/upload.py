"""The body of an upload: multipart form data, and what the hub makes of a file's name."""

from __future__ import annotations

import math
import mmap
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from io import BufferedIOBase
from pathlib import Path

_PIECE = 1 << 16


class BrokenOffError(Exception):
    """The sender went away before the end of the body."""


@dataclass
class Form:
    """An upload: its file is ``size`` bytes at ``start`` of the body."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None  # None without a file, "" if none was chosen
    start: int = 0
    size: int = 0


def receive(
    stream: BufferedIOBase,
    headers: Message,
    body: Path,
    limit: float = math.inf,
    arrived: Callable[[int], None] = lambda _: None,
) -> None:
    """Save a request's body in ``body``, but for what comes after ``limit`` bytes.

    ``arrived`` is called with the bytes of each piece. Raises BrokenOffError.
    """
    done = 0
    pieces = _pieces(stream, headers)
    with body.open("wb") as file:
        while done < limit and (piece := next(pieces, b"")):
            done += file.write(piece)
            arrived(len(piece))


def _pieces(stream: BufferedIOBase, headers: Message) -> Iterator[bytes]:
    if "chunked" not in headers.get("Transfer-Encoding", ""):
        yield from _exactly(stream, int(headers.get("Content-Length", 0)))
        return
    while length := int(stream.readline().split(b";")[0] or b"0", 16):
        yield from _exactly(stream, length)
        stream.readline()
    while stream.readline().strip():
        pass


def _exactly(stream: BufferedIOBase, length: int) -> Iterator[bytes]:
    while length:
        piece = stream.read(min(length, _PIECE))
        if not piece:
            raise BrokenOffError
        length -= len(piece)
        yield piece


def parse(body: Path, content_type: str) -> Form:
    """The form in ``body``; without a boundary an empty one, as Flask does."""
    header = EmailMessage()
    header["Content-Type"] = content_type
    boundary = header.get_boundary("")
    form = Form()
    with _mapped(body) as data:
        if not boundary or not data:
            return form
        limit = b"\r\n--" + boundary.encode()
        start = data.find(limit[2:]) + len(limit) - 2
        while (end := data.find(limit, start)) >= 0:
            _add_part(form, data, start, end)
            start = end + len(limit)
    return form


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _add_part(form: Form, data: mmap.mmap | bytes, start: int, end: int) -> None:
    """Take up the part between two boundaries."""
    content = data.find(b"\r\n\r\n", start, end) + 4
    headers = data[start:content].decode("utf-8", "replace")
    options = dict(re.findall(r'[; ](\w+)="([^"]*)"', headers))
    if options.get("name") == "file" and "filename" in options:
        form.filename, form.start, form.size = options["filename"], content, end - content
    elif "name" in options:
        form.fields[options["name"]] = data[content:end].decode("utf-8", "replace")


def secure_name(name: str) -> str:
    """What werkzeug leaves of a file's name: ASCII letters and digits, ``_``, ``.`` and ``-``."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    joined = "_".join(ascii_only.replace("/", " ").split())
    return re.sub(r"[^A-Za-z0-9_.-]", "", joined).strip("._")


def flist_name(name: str) -> str:
    """A flist's name with its ending, as the hub completes one."""
    return name if name.endswith(".flist") else name + ".flist"
