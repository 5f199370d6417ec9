"""What was read from files, kept until they change: each file is read once, whoever asks."""

import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

Read = TypeVar("Read")


class FileCache(Generic[Read]):
    """Results by purpose and file, at most ``most``; a second reader waits for the first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._read: dict[tuple[str, Path, int, int], Read] = {}
        self._reading: dict[tuple[str, Path, int, int], Lock] = {}

    def has(self, purpose: str, file: Path) -> bool:
        """Whether ``file`` was read for ``purpose``, and did not change since."""
        try:
            return (purpose, file, *_state(file)) in self._read
        except OSError:
            return False

    def get(self, purpose: str, file: Path, read: Callable[[Path], Read]) -> Read:
        """What ``read`` returned for ``file``, now or before; raises what it does, and OSError."""
        key = (purpose, file, *_state(file))
        with self._reading.setdefault(key, Lock()):
            if key not in self._read:
                found = read(file)
                while len(self._read) >= self._most:
                    self._read.pop(next(iter(self._read)))
                self._read[key] = found
            result = self._read[key]
        self._reading.pop(key, None)
        return result


def _state(file: Path) -> tuple[int, int]:
    """What is another where the file has changed; raises OSError."""
    index = file / "index.json"  # of an OCI layout, which is a directory
    found = (index if index.is_file() else file).stat()
    if stat.S_ISDIR(found.st_mode):
        return found.st_ctime_ns, found.st_size  # also where only its owner is another
    return found.st_mtime_ns, found.st_size
