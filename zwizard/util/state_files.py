"""Files that zwizard alone writes and reads back: one that was cut or changed is recognised.

A JSON document ends where its object does. Any other text gets a last line with its sum.
"""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

from zwizard.util import paths
from zwizard.util.errors import UsageError

_END = "# end, sha256 "


class DamagedError(UsageError):
    """A file that is not as zwizard wrote it."""


def write(path: Path, text: str) -> None:
    """Write ``text`` (ending in a newline) for :func:`read`, atomically."""
    paths.write_atomically(path, text + _end(text))


def read(path: Path, remedy: str) -> str:
    """The text that :func:`write` wrote; DamagedError with ``remedy`` as its hint."""
    found = _text(path, remedy)
    text, mark, _ = found.rpartition(_END)
    if not mark:
        raise _damaged(path, "it is cut: its last line, with its sum, is missing", remedy)
    if found != text + _end(text):
        raise _damaged(path, "its sum is another: it was changed or cut", remedy)
    return text


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object in ``path``; DamagedError with ``remedy`` as its hint."""
    try:
        data = json.loads(_text(path, remedy))
    except ValueError as error:
        raise _damaged(path, f"it is cut or changed: {error}", remedy) from None
    if not isinstance(data, dict):
        raise _damaged(path, "it is no JSON object", remedy)
    return data


def require_file(path: Path, remedy: str) -> None:
    """Raise DamagedError if ``path`` is something other than a file, or a link."""
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        names = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link"}
        found = names.get(stat.S_IFMT(mode), "no file")
        raise _damaged(path, f"it is {found}, and zwizard wrote a file", remedy)


def _text(path: Path, remedy: str) -> str:
    try:
        require_file(path, remedy)
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise _damaged(path, "it is missing", remedy) from None
    except UnicodeDecodeError:
        raise _damaged(path, "it is not UTF-8 text", remedy) from None


def _end(text: str) -> str:
    return f"{_END}{hashlib.sha256(text.encode()).hexdigest()}\n"


def _damaged(path: Path, why: str, remedy: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", remedy)
