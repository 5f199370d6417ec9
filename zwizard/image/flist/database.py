"""An SQLite file from outside: opened read-only, read only as flists need it, in bounded time."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zwizard.image.tree import UnreadableError

_HINT = "Download the flist again."
_VALUE = 16 << 20  # bytes; no writer makes a larger one
_SCHEMA = 100  # tables and indexes
# What all statements together may take: a hundred times what the largest flist needs.
_TICK, _TICKS = 10_000, 20_000
_SELECT = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
# Nothing of the file may run, and damaged pages are noticed before they are followed.
_SETTINGS = ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "mmap_size=0")


class Database:
    """The tables of an SQLite file; whatever is wrong with it is an UnreadableError.

    Only plain tables and their indexes are accepted: no view or trigger, no virtual table, no
    computed column.
    """

    def __init__(self, path: Path, shown: Path) -> None:
        """Open ``path``, which is called ``shown``."""
        self._shown = shown
        self._ticks = 0
        location = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        try:
            self._connection = sqlite3.connect(location, uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        try:
            self._restrict()
            self.tables = self._check_schema()
        except BaseException:
            self.close()
            raise
        self._connection.set_authorizer(_authorize)

    def _restrict(self) -> None:
        self._connection.text_factory = bytes
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
        self._connection.set_progress_handler(self._tick, _TICK)
        for setting in _SETTINGS:
            list(self.rows(f"PRAGMA {setting}"))

    def _tick(self) -> int:
        """Whether to interrupt the statement: they have run for too long."""
        self._ticks += 1
        return int(self._ticks > _TICKS)

    def _check_schema(self) -> frozenset[str]:
        """The names of the tables; raises UnreadableError for anything that might run."""
        found = list(self.rows("SELECT type, name, sql FROM sqlite_master LIMIT ?", _SCHEMA + 1))
        if len(found) > _SCHEMA:
            raise self._foreign("very many tables")
        tables = frozenset(_text(name) for kind, name, _ in found if kind == b"table")
        for kind, name, sql in found:
            if kind not in {b"table", b"index"} or "VIRTUAL" in _text(sql).upper()[:40]:
                raise self._foreign(f"the {_text(kind)} {_text(name)[:200]}")
        for table in tables:
            hidden = self.rows("SELECT name FROM pragma_table_xinfo(?) WHERE hidden", table)
            for (name,) in list(hidden):
                raise self._foreign(f"the computed column {_text(name)[:200]}")
        return tables

    def _foreign(self, what: str) -> UnreadableError:
        return UnreadableError(f"{self._shown} is no flist: its database has {what}", _HINT)

    def rows(self, statement: str, *values: str | int) -> Iterator[tuple[Any, ...]]:
        """The rows that ``statement`` selects, texts as bytes; raises UnreadableError."""
        try:
            yield from self._connection.execute(statement, values)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # a message quotes the file
            raise self._damaged(error) from error

    def value(self, statement: str, key: str) -> bytes | None:
        """The first column of the row that ``statement`` selects for ``key``."""
        for found, *_ in self.rows(statement, key):
            return found if isinstance(found, bytes) else b""
        return None

    def _damaged(self, error: Exception) -> UnreadableError:
        return UnreadableError(f"{self._shown} is no flist, or damaged: {error}", _HINT)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _authorize(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _SELECT else sqlite3.SQLITE_DENY


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
