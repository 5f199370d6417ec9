"""Where zwizard keeps builds, layers, preferences and the draft; atomic writes."""

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import platformdirs

from zwizard.util.errors import naming
from zwizard.util.new_file import new_file


def state() -> Path:
    """Builds and the draft (XDG_STATE_HOME moves it)."""
    return platformdirs.user_state_path("zwizard")


def cache() -> Path:
    """Layers and downloads (XDG_CACHE_HOME moves it)."""
    return platformdirs.user_cache_path("zwizard")


def preferences() -> Path:
    """The user's preferences (XDG_CONFIG_HOME moves it)."""
    return platformdirs.user_config_path("zwizard") / "preferences.toml"


def draft() -> Path:
    """The draft: answers that are not built yet."""
    return state() / "draft.json"


def numbered(name: str) -> Iterator[str]:
    """``name``, ``name-2``, ``name-3`` and so on, to find one that is free."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


_USERS_MASK = [0o022]  # what the user's own files are made with


def keep_private() -> None:
    """Make files from now on, and these directories, so that only this user can read them."""
    _USERS_MASK[0] = os.umask(0o077)
    for home in (state(), cache()):
        with contextlib.suppress(OSError):  # it does not exist yet, or is another user's
            home.chmod(0o700)


def for_users(mode: int) -> int:
    """The ``mode`` that a file for the user gets, by the user's own umask."""
    return mode & ~_USERS_MASK[0]


def private(path: str, flags: int) -> int:
    """An opener for ``open``: only the owner of the directory can read the file that it makes."""
    made = os.open(path, flags | os.O_CLOEXEC, 0o600)
    if flags & os.O_CREAT:
        _give(made, Path(path).parent)
    return made


def _give(made: int, directory: Path) -> None:
    """Give what root makes in a directory of the user of sudo to that user."""
    owner = directory.stat()
    if os.geteuid() == 0 != owner.st_uid:
        os.fchown(made, owner.st_uid, owner.st_gid)


def write_atomically(path: Path, text: str, *, lasting: bool = True) -> None:
    """Write ``text`` so that ``path`` holds either what it held or all of ``text``.

    ``lasting``: not before it is on the disk, where it outlives a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def finish(made: int) -> None:
        _give(made, path.parent)
        if lasting:
            os.fsync(made)

    with naming(path), new_file(path, 0o600, finish) as file:
        file.write(text.encode())
