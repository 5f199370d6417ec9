"""Change files of a tree that anybody may have made; no link in it can lead a change out of it."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from zwizard.util.errors import ZwizardError

_UNSAFE = "A root file system with such a link cannot be changed safely."


@contextmanager
def parent(root: Path, path: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
    """An open descriptor of the directory of ``path`` in the tree ``root``, and the name in it.

    Reached one directory at a time and never through a link: that raises ZwizardError. A missing
    directory is made, or raises FileNotFoundError without ``make``.
    """
    *directories, name = path.strip("/").split("/")
    with ExitStack() as opened:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        opened.callback(os.close, descriptor)
        for directory in directories:
            descriptor = _descend(descriptor, directory, path, make=make)
            opened.callback(os.close, descriptor)
        yield descriptor, name


def write(root: Path, path: str, text: str, mode: int) -> None:
    """Make ``path`` a file with ``text`` and ``mode``, whatever was there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with parent(root, path) as (directory, name):
        _clear(directory, name)
        with os.fdopen(os.open(name, flags, mode, dir_fd=directory), "wb") as file:
            file.write(text.encode())
            os.fchmod(file.fileno(), mode)


def append(root: Path, path: str, text: str) -> None:
    """Add ``text`` to the file ``path``, made if it is missing."""
    # Not blocking: in a tree by anyone the file may be a pipe that nobody reads.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    with parent(root, path) as (directory, name):
        try:
            descriptor = os.open(name, flags, 0o644, dir_fd=directory)
        except OSError as error:
            raise ZwizardError(f"{path} is not a file: {error.strerror}", _UNSAFE) from None
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())


def link(root: Path, path: str, target: str) -> None:
    """Make ``path`` a symbolic link to ``target``, whatever was there."""
    with parent(root, path) as (directory, name):
        _clear(directory, name)
        os.symlink(target, name, dir_fd=directory)


def make_directory(root: Path, path: str, mode: int) -> None:
    """Make ``path`` a directory with ``mode``, unless it is one."""
    with parent(root, path) as (directory, name):
        if not stat.S_ISDIR(_mode(directory, name)):
            _clear(directory, name)
            os.mkdir(name, mode, dir_fd=directory)
            os.chmod(name, mode, dir_fd=directory)


def remove(root: Path, patterns: tuple[str, ...]) -> None:
    """Remove what ``patterns`` match; one ``*`` in a last part stands for anything."""
    for pattern in patterns:
        with suppress(FileNotFoundError), parent(root, pattern, make=False) as (directory, name):
            for entry in os.listdir(directory):  # noqa: PTH208 - a descriptor
                if _matches(entry, name):
                    _clear(directory, entry)


def _descend(descriptor: int, directory: str, path: str, *, make: bool) -> int:
    """Open ``directory`` below ``descriptor``, never through a link."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o755, dir_fd=descriptor)
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        return os.open(directory, flags, dir_fd=descriptor)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise ZwizardError(
            f"{path}: {directory} is not a directory of this tree (a link, or a file)",
            _UNSAFE,
        ) from None


def _matches(name: str, pattern: str) -> bool:
    """Whether ``name`` is ``pattern``, in which only one ``*`` means anything."""
    before, star, after = pattern.partition("*")
    if not star:
        return name == pattern
    whole = len(name) >= len(before) + len(after)
    return whole and name.startswith(before) and name.endswith(after)


def _mode(directory: int, name: str) -> int:
    """The mode of ``name``; 0 if it is missing."""
    try:
        return os.lstat(name, dir_fd=directory).st_mode
    except FileNotFoundError:
        return 0


def _clear(directory: int, name: str) -> None:
    """Remove ``name`` from ``directory``, whatever it is."""
    mode = _mode(directory, name)
    if stat.S_ISDIR(mode):
        # Python's own way gives up in a deep tree.
        place = f"/proc/self/fd/{directory}"
        subprocess.run(["rm", "-rf", "--", f"./{name}"], cwd=place, check=True)
    elif mode:
        os.unlink(name, dir_fd=directory)
