"""File locks that tell whether a process is alive: they end with the processes that hold them."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zwizard.util import paths


def acquire(path: Path, *, shared: bool = False) -> int | None:
    """A descriptor that locks a file (made if missing) or directory; None if it is held.

    ``shared`` locks go together. Whoever holds a file alone may delete it.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    while True:
        descriptor = paths.private(str(path), flags)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def share(descriptor: int) -> None:
    """Make a lock a shared one. Another process may hold it alone in between."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Wait for the lock on ``directory`` (made if missing), and hold it."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock on ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def claim(workspace: Path, remove: Callable[[Path], None] | None = None) -> int:
    """Make the directory ``workspace`` and return a descriptor that locks it.

    ``remove`` is called for each directory beside it that nobody holds: what a killed process
    left.
    """
    with alone(workspace.parent):  # nothing beside it is made and not locked yet
        while remove and workspace.exists() and is_held(workspace):
            time.sleep(0.02)  # its last owner is just ending
        for entry in list(workspace.parent.iterdir()):
            if remove and not is_held(entry):
                remove(entry)
        workspace.mkdir()
        descriptor = acquire(workspace)
        assert descriptor is not None
        return descriptor
