"""Files that appear when they are complete: a kill or a power cut leaves no half."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(
    path: Path,
    mode: int,
    finish: Callable[[int], object],
    replacing: Callable[[], object] = lambda: None,
) -> Iterator[BinaryIO]:
    """A file that is at ``path``, and replaces what is there, once it has been written.

    ``finish`` gets its descriptor before it has a name, ``replacing`` is called before another
    file loses it. Until then the file has no name where the file system can do that.
    """
    name, part = path.name, f".zwizard-{secrets.token_hex(8)}"
    flags = os.O_RDWR | os.O_CLOEXEC
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            made = os.open(".", flags | os.O_TMPFILE, mode, dir_fd=directory)
            named = False
        except OSError:
            made = os.open(part, flags | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory)
            named = True
        with os.fdopen(made, "w+b") as file:
            yield file
            file.flush()
            finish(made)
            if not named:
                named = not _link(made, name, part, directory)
            if named:
                replacing()
                os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=directory)
        os.close(directory)


def _link(made: int, name: str, part: str, directory: int) -> bool:
    """Whether the unnamed file has its name; ``part`` if that is another's."""
    unnamed = f"/proc/self/fd/{made}"
    try:
        os.link(unnamed, name, dst_dir_fd=directory)
    except FileExistsError:
        os.link(unnamed, part, dst_dir_fd=directory)
        return False
    return True


def sync_directory(directory: Path) -> None:
    """Bring the names in the directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
