"""Directories that zwizard writes to: what is wrong with one, its space, and how to move it."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.text import size

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ALMOST_FULL = 1 << 20  # bytes
_PLACE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ELOOP)
ELSEWHERE = "Free some space there, or choose another directory."


def obstacle(directory: Path) -> str:
    """Why nothing can be written to ``directory``, which may have to be made, or ""."""
    place = existing(directory)
    if reason := dangling(place):
        return reason
    if not place.is_dir():
        return f"{place} is not a directory"
    if os.access(place, os.W_OK | os.X_OK):
        return ""
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return f"{directory} is on a read-only file system"
    return f"you cannot write to {directory}"


def dangling(path: Path) -> str:
    """How ``path``, or its nearest parent that exists, is a link to nothing, or ""."""
    place = existing(path)
    if not place.is_symlink() or place.exists():
        return ""
    return f"{place} is a link to {place.readlink()}, which does not exist"


def lack_of_space(directory: Path, needs: int) -> str:
    """How ``directory`` has less than ``needs`` bytes free, or no room for new files; or ""."""
    facts = os.statvfs(existing(directory))
    if facts.f_files and not facts.f_favail:
        return f"{directory} has no room for new files (inodes)"
    if (free := free_space(directory)) >= needs:
        return ""
    return f"{directory} has {size(free)} free, and this needs about {size(needs)}"


def problem(directory: Path, needs: int) -> str:
    """Why ``needs`` bytes cannot be written to ``directory``, or ""."""
    return obstacle(directory) or (lack_of_space(directory, needs) if needs else "")


def require(needs: dict[Path, int]) -> None:
    """Raise ZwizardError unless so many bytes can be written to each of these directories."""
    for directory, count in needs.items():
        if reason := problem(directory, count):
            raise ZwizardError(reason, remedy(directory))


def existing(path: Path) -> Path:
    """``path``, or its nearest parent that exists; a link counts, wherever it leads."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def free_space(path: Path) -> int:
    """Bytes free for this user on the file system of ``path``."""
    return shutil.disk_usage(existing(path)).free


def own() -> dict[Path, str]:
    """The directories that zwizard chooses itself, with how to make room in each or move it."""
    return {
        paths.cache(): "Free some space (zwizard clean), or move the cache with XDG_CACHE_HOME.",
        paths.state(): "Delete old builds (zwizard rm BUILD), or move them with XDG_STATE_HOME.",
        paths.preferences().parent: "Free some space, or move it with XDG_CONFIG_HOME.",
    }


def remedy(path: Path) -> str:
    """How to make room for ``path``, or move it."""
    if path == temporary():
        return "Free some space there, or name another directory: TMPDIR."
    for place, hint in own().items():
        if path.is_relative_to(place) or place.is_relative_to(path):
            return hint
    return ELSEWHERE


def temporary() -> Path:
    """Where temporary files are made."""
    return Path(tempfile.gettempdir())


def explained(error: OSError | ZwizardError, needs: int = 0) -> ZwizardError:
    """An error of the system, such as a full disk, with what to do; one of zwizard's as it is.

    ``needs``: the bytes that were to be written, if known.
    """
    if isinstance(error, ZwizardError):
        return error
    message = error.strerror or str(error)
    if error.errno in _FULL:
        return _full(error, message, f", and this needs {size(needs)}" if needs else "")
    if not error.filename:
        return ZwizardError(message)
    path = Path(os.fsdecode(error.filename))
    if error.errno in _PLACE:
        reason = dangling(path) or obstacle(path.parent) or f"{path}: {message}"
        return ZwizardError(reason, remedy(path))
    return ZwizardError(
        f"{path}: {message}", "Make sure that it is there and that you may use it."
    )


def _full(error: OSError, message: str, needs: str) -> ZwizardError:
    if error.filename:
        path = Path(os.fsdecode(error.filename))
        free = size(free_space(path))
        return ZwizardError(f"{path}: {message} ({free} free{needs})", remedy(path))
    full = [place for place in (*own(), temporary()) if free_space(place) < _ALMOST_FULL]
    names = ", ".join(map(str, full))
    hints = " ".join(remedy(place) for place in full)
    return ZwizardError(f"{names}: {message}" if full else message, hints or ELSEWHERE)
