"""The journal of a build: one event a line, for people and faces; it decides nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]

# Events are synced where a step begins or ends; what lies between may be lost with the machine.
_UNSYNCED = frozenset({"progress"})


def append(path: Path, event: str, **facts: Any) -> Event:
    """Add one event, stamped with the time (``at``: seconds since 1970)."""
    record: Event = {"event": event, "at": round(time.time(), 3), **facts}
    line = json.dumps(record, ensure_ascii=False) + "\n"
    with path.open("ab") as file:
        # A torn last line must not swallow this one.
        if file.tell() and not _ends_whole(path):
            file.write(b"\n")
        file.write(line.encode())
        file.flush()
        if event not in _UNSYNCED:
            os.fsync(file.fileno())
    return record


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def replay(path: Path) -> list[Event]:
    """The events so far; what is torn or not an event is passed over."""
    return list(Reader(path).read())


class Reader:
    """Reads a journal as it grows: each call to :meth:`read` yields the events since the last.

    ``position``: where to begin, in bytes.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self.path = path
        self._position = position

    def read(self) -> Iterator[Event]:
        """The whole lines written since; an unfinished one stays for the next time."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data.rfind(b"\n") + 1
        self._position += whole
        for line in data[:whole].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if _sound(event):
                yield event


def _sound(event: object) -> bool:
    return (
        isinstance(event, dict)
        and isinstance(event.get("event"), str)
        and isinstance(event.get("at"), int | float)
    )
