"""Append-only log of a job's events (JSON lines). For display only; never decides what runs."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from zwizard.jobs.events import Event, parse
from zwizard.util.errors import naming
from zwizard.util.paths import private

_E = TypeVar("_E", bound=Event)


def append(path: Path, event: _E) -> _E:
    """Add an event, stamped with the time; it is synced to the disk unless it is progress."""
    stamped = replace(event, at=round(time.time(), 3))
    line = json.dumps(stamped.to_json(), ensure_ascii=False) + "\n"
    with naming(path), open(path, "a+b", opener=private) as file:
        # A torn last line must not swallow this one.
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode())
        file.flush()
        if event.synced:
            os.fsync(file.fileno())
    return stamped


def replay(path: Path, position: int = 0) -> list[Event]:
    """The events from ``position`` (bytes) on."""
    return list(Reader(path, position).read())


class Reader:
    """Reads a journal as it grows, from ``position`` (bytes) on."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self.path = path
        self._position = position

    def read(self) -> Iterator[Event]:
        """The events since the last call; an unfinished line waits, a broken one is skipped."""
        data = b""
        if not self.path.is_file():
            return  # not yet; or something else is in its place, and could be waited for
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._position += whole
        for line in data[:whole].splitlines():
            try:
                event = parse(json.loads(line))
            except ValueError:
                continue
            if event:
                yield event
