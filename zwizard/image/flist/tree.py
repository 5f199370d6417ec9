"""The tree of a flist: names and everything else but contents, of which it has only hashes."""

import io
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO

from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.compression import GZIP
from zwizard.image.archive.gzip_stream import GzipStream
from zwizard.image.archive.tar_reader import contents, members
from zwizard.image.examples import Examples
from zwizard.image.flist import directories, rfs
from zwizard.image.flist.database import Database
from zwizard.image.tree import Entry, UnreadableError, state, unreadable
from zwizard.image.tree_index import IndexedTree, IndexFullError

DATABASE = "flistdb.sqlite3"
_LARGEST = 512 << 20  # bytes of a database: more than the largest index needs
_METADATA = 100
_SQLITE = b"SQLite format 3\0"
_FIRST = 3  # members: the directory, the database


class NotInFlistError(UnreadableError):
    """Contents that were asked for, which no flist has."""


class FlistTree(IndexedTree):
    """The tree of a flist of the hub (.flist) or of rfs 2 (.fl).

    ``fault`` is why not all of it could be read, "" if it was; ``lost`` are the directories
    that are damaged. ``blocks`` are the keys of the blocks of each file, by its path, each of
    ``key_bytes``: the hash of what the block holds. ``metadata`` is what the hub knows of it.
    ``stored``, if asked for, are the ids under which the hub's store has the blocks.
    """

    def __init__(self, path: Path, *, stored: bool = False) -> None:
        super().__init__()
        self.path = path
        self.blocks: dict[str, bytes] = {}
        self.stored: set[bytes] | None = set() if stored else None
        self.metadata: dict[str, str] = {}
        self.fault = ""
        self.lost = Examples()
        self.key_bytes = directories.KEY_BYTES
        self._state = state(path)
        try:
            with path.open("rb") as file, tempfile.NamedTemporaryFile() as copy:
                if file.read(len(_SQLITE)) == _SQLITE:
                    self._read(Database(path, path))
                else:
                    file.seek(0)
                    _unpack(path, file, copy)
                    self._read(Database(Path(copy.name), path))
        except OSError as error:
            raise unreadable(path, error) from error

    def _read(self, database: Database) -> None:
        try:
            if {"inode", "block", "extra"} <= database.tables:
                self.key_bytes = rfs.KEY_BYTES
                self._index(rfs.Inodes(database))
            elif "entries" in database.tables:
                self._index(directories.Directories(database, self.stored))
            else:
                raise UnreadableError(f"{self.path} is no flist", "Check the file.")
            if "metadata" in database.tables:
                rows = database.rows("SELECT key, value FROM metadata LIMIT ?", _METADATA)
                texts = ((k, v) for k, v in rows if isinstance(k, bytes) and isinstance(v, bytes))
                self.metadata = {k.decode("utf-8", "replace"): v.decode("utf-8", "replace")
                                 for k, v in texts}  # fmt: skip
        finally:
            database.close()

    def _index(self, source: directories.Directories | rfs.Inodes) -> None:
        self.lost = source.lost
        try:
            for entry, keys in source.entries():
                if self._put(entry) is not None:
                    self.lost.add(f"{entry.path} (it is in the flist twice)")
                if keys:
                    self._spend(len(keys))
                    self.blocks[entry.path] = keys
        except IndexFullError:
            self.fault = "it has more entries than can be checked"

    def open_entry(self, entry: Entry) -> BinaryIO:
        """What is in an empty file; of any other raises NotInFlistError."""
        if not entry.size:
            return io.BytesIO()
        raise NotInFlistError(
            f"{entry.path} was not read: a flist has no contents",
            "Check the archive that the flist was made of.",
        )


def is_flist(file: BinaryIO) -> bool:
    """Whether ``file`` is a flist: a database, or a .tar.gz of nothing but one."""
    here = file.tell()
    try:
        head = file.read(len(_SQLITE))
        if head == _SQLITE or not head.startswith(GZIP.magic):
            return head == _SQLITE
        file.seek(here)
        first = islice(members(GzipStream(file)), _FIRST)
        return any(Path(member.name).name == DATABASE for member in first)
    except ArchiveError:
        return False
    finally:
        file.seek(here)


def require_contents(path: Path) -> None:
    """Raise UnreadableError if ``path`` is a flist."""
    with suppress(OSError), path.open("rb") as file:
        if is_flist(file):
            raise UnreadableError(
                f"{path} is a flist, which has no contents",
                "Name the archive that the flist was made of.",
            )


def _unpack(path: Path, file: BinaryIO, copy: IO[bytes]) -> None:
    """Copy the database out of the archive ``file``; raises UnreadableError."""
    source = GzipStream(file)
    try:
        for member in islice(members(source), _FIRST):
            if Path(member.name).name != DATABASE:
                continue
            if member.size > _LARGEST:
                raise UnreadableError(
                    f"{path} has a database of {member.size} bytes", "Check the file."
                )
            for offset, piece in contents(source, member):
                copy.seek(offset)
                copy.write(piece)
            source.skip(_LARGEST)  # the hub writes no end marker; the checksum comes last
            copy.flush()
            return
    except ArchiveError as error:
        raise UnreadableError(f"{path} is damaged: {error}", "Download it again.") from error
    raise UnreadableError(f"{path} is no flist: {DATABASE} is missing", "Check the file.")
