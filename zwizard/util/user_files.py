"""Files that zwizard writes for the user, such as an archive or a report; none of others is lost.

Everything outside of zwizard's own directories is written here. A small table remembers what was
written: only a file that is still as zwizard left it is replaced, any other only once the user
allows it. The same table knows the SHA-256 of a file for as long as the file is not changed.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from zwizard.util import paths
from zwizard.util.errors import UsageError, naming
from zwizard.util.new_file import new_file, sync_directory

State = Literal["same", "changed", "missing"]
FileState = tuple[int, int, int]  # inode, bytes, nanoseconds since 1970 of the last change
_MOST = 8  # states of one file that are remembered: some are of runs that were killed
_CHUNK = 1 << 26


class ForeignFileError(UsageError):
    """A file that zwizard did not write is where it wants to write."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} {what}", "Name another place, or replace it: --replace.")


@dataclass(frozen=True)
class _Seen:
    """A file as it once was; ``sha256`` is "" until it is read.

    ``ours``: zwizard wrote it, or may replace it.
    """

    inode: int
    size: int
    modified: int  # nanoseconds since 1970
    sha256: str
    ours: bool

    def is_state_of(self, found: os.stat_result) -> bool:
        """Whether the file is still as it was then."""
        return _state(found) == (self.inode, self.size, self.modified)


@dataclass(frozen=True)
class UserFiles:
    """The files that zwizard writes for the user; ``table`` is the directory of what it wrote."""

    table: Path

    def foreign(self, path: Path) -> str:
        """What is at ``path`` that zwizard did not leave there, in words; "" if nothing is."""
        found = _lstat(path)
        if found is None or any(seen.ours for seen in self._seen(path, found)):
            return ""
        if stat.S_ISDIR(found.st_mode):
            return "is a directory"
        if stat.S_ISLNK(found.st_mode):
            return "is a symbolic link, which zwizard did not make"
        if not stat.S_ISREG(found.st_mode):
            return "is not a regular file"
        written = any(seen.ours for seen in self._seen(path))
        return "was changed since zwizard wrote it" if written else "was not written by zwizard"

    def require(self, *places: Path) -> None:
        """Raise ForeignFileError unless a file can be written at each of these paths."""
        for path in places:
            if what := self.foreign(path):
                raise ForeignFileError(path, what)

    def claim(self, *places: Path, replace: bool) -> None:
        """The same; with ``replace``, what is there now may be replaced."""
        self.table.mkdir(parents=True, exist_ok=True)  # by this user, not by sudo's
        if replace:
            self.allow(*places)
        self.require(*places)

    def allow(self, *places: Path) -> None:
        """Let what is at these paths now be replaced; a link is, never what it leads to."""
        for path in places:
            found = _lstat(path)
            if self.foreign(path) and found:
                if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                    what = f"{path} {self.foreign(path)}, which cannot be replaced"
                    raise UsageError(what, "Name another place.")
                known = next((seen.sha256 for seen in self._seen(path, found)), "")
                self._remember(path, found, known, ours=True)

    def write(self, path: Path, data: str | bytes, *, mode: int = 0o666) -> None:
        """Write a file; at ``path`` is either what was there, or all of ``data``."""
        with naming(path), self._new(path, mode) as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def copy(self, source: Path, path: Path) -> None:
        """Write a copy of ``source``, which shares no inode with it, only blocks if possible."""
        with naming(path), self._new(path, 0o666) as file, source.open("rb") as original:
            try:
                while os.copy_file_range(original.fileno(), file.fileno(), _CHUNK):
                    pass
            except OSError as error:  # of different file systems, on an old kernel
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                original.seek(0)
                file.seek(0)
                shutil.copyfileobj(original, file)

    @contextmanager
    def _new(self, path: Path, mode: int) -> Iterator[BinaryIO]:
        """A file that appears at ``path`` once it is complete and on the disk."""
        for missing in reversed([place for place in path.parents if not place.exists()]):
            missing.mkdir(exist_ok=True)
            missing.chmod(paths.for_users(0o777))

        def finish(made: int) -> None:
            os.fchmod(made, paths.for_users(mode))
            os.fsync(made)
            # First, so that a run that is killed here recognises its file.
            self._remember(path, os.fstat(made), "", ours=True)

        with new_file(path, mode, finish, lambda: self.require(path)) as file:
            yield file
        sync_directory(path.parent)

    # --- the bytes of a file ---

    def state(self, path: Path, sha256: str) -> State:
        """Whether the file at ``path`` is as it was when it had this SHA-256; reads none of it."""
        found = _lstat(path)
        if found is None:
            return "missing"
        sums = {seen.sha256 for seen in self._seen(path, found)}
        return "same" if sha256 and sha256 in sums else "changed"

    def digest(self, path: Path) -> str:
        """The SHA-256 of all that is in the file now, which :meth:`state` then knows."""
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
        link = _lstat(path)
        if link and (link.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns):
            ours = any(
                seen.ours and (seen.sha256 == sha256 or seen.is_state_of(after))
                for seen in self._seen(path)
            )
            self._remember(path, after, sha256, ours=ours)
        return sha256

    # --- the table ---

    def record(self, path: Path) -> Path:
        """The file of the table about ``path``."""
        name = hashlib.sha256(os.fsencode(path.parent.resolve() / path.name)).hexdigest()
        return self.table / f"{name[:32]}.json"

    def _seen(self, path: Path, found: os.stat_result | None = None) -> list[_Seen]:
        """The states of the file that are remembered; only those that ``found`` is still in."""
        try:
            states = json.loads(self.record(path).read_text("utf-8"))["states"]
            seen = [_Seen(**state) for state in states]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [one for one in seen if found is None or one.is_state_of(found)]

    def _remember(self, path: Path, found: os.stat_result, sha256: str, *, ours: bool) -> None:
        now = _Seen(found.st_ino, found.st_size, found.st_mtime_ns, sha256, ours)
        others = [seen for seen in self._seen(path) if not seen.is_state_of(found)]
        states = [asdict(seen) for seen in (now, *others)][:_MOST]
        text = json.dumps({"path": str(path), "states": states})
        paths.write_atomically(self.record(path), text)


def here() -> UserFiles:
    """Those of this user."""
    return UserFiles(paths.state() / "user-files")


def state_of(path: Path) -> FileState | None:
    """What is another once the file at ``path`` is; None if there is none."""
    found = _lstat(path)
    return found and _state(found)


def _state(found: os.stat_result) -> FileState:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
