"""Whether a flist holds what an archive holds: every entry, and every block of every file."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zwizard.image.archive.block_digest import BlockDigest
from zwizard.image.flist.tree import FlistTree
from zwizard.image.tarball import TarballTree
from zwizard.image.tree import Entry, EntryType, UnreadableError

_NAMED = 1000
_U32 = 0xFFFFFFFF  # seconds are stored so
_SPECIAL = "special file"
_PLAIN = {EntryType.FILE, EntryType.DIRECTORY, EntryType.LINK}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which an entry differs: its values in the archive and in the flist."""

    path: str
    what: str
    archive: str
    flist: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many ``entries`` were compared, in how much they differ, and the ``first`` of it."""

    entries: int
    blocks: int
    count: int
    first: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        return self.count == 0

    def to_json(self) -> dict[str, Any]:
        """As ``zwizard verify --json`` gives it."""
        return {
            "equal": self.equal,
            "entries": self.entries,
            "blocks": self.blocks,
            "count": self.count,
            "differences": [asdict(difference) for difference in self.first],
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """What the hub counts of an archive: hard links are files, with their size."""

    regular: int
    symlink: int
    special: int
    fullsize: int


@dataclass(frozen=True, slots=True)
class ReadArchive:
    """An archive after one pass: its tree, the keys of its blocks, and its SHA-256."""

    tree: TarballTree
    digest: BlockDigest

    def counts(self) -> Counts:
        """As the hub counts."""
        entries = list(self.tree.entries())
        kinds = [entry.kind for entry in entries]
        special = sum(kind not in _PLAIN for kind in kinds)
        size = sum(entry.size for entry in entries if entry.kind is EntryType.FILE)
        return Counts(kinds.count(EntryType.FILE), kinds.count(EntryType.LINK), special, size)


def read_archive(
    path: Path, key_bytes: int = 16, progress: Callable[[int, int], None] | None = None
) -> ReadArchive:
    """Read the archive at ``path`` once; raises UnreadableError if it is damaged.

    ``progress`` gets (bytes read, bytes in all).
    """
    digest = BlockDigest(key_bytes)
    tree = TarballTree(path, progress=progress, digest=digest)
    if tree.fault:
        tree.close()
        raise UnreadableError(f"{path}: {tree.fault}", "Pack it again, or copy the whole file.")
    return ReadArchive(tree, digest)


def compare(archive: ReadArchive, flist: FlistTree) -> Comparison:
    """Compare every entry of both; raises UnreadableError if the flist was not read whole.

    What a flist does not have is left out: owner and mode of the root, mode and time of links,
    sizes of directories, the kinds of special files. Of a directory that the archive only
    implies, the hub makes up owner, mode and time.
    """
    if flist.fault:
        raise UnreadableError(f"{flist.path}: {flist.fault}", "Check the flist.")
    paths = sorted({entry.path for tree in (archive.tree, flist) for entry in tree.entries()})
    differences = _Differences(archive, flist)
    count = 0
    first: list[Difference] = []
    for difference in differences.all(paths):
        count += 1
        if len(first) < _NAMED:
            first.append(difference)
    return Comparison(len(paths), differences.blocks, count, tuple(first))


class _Differences:
    """In what an archive and a flist differ; ``blocks`` counts those that are equal."""

    def __init__(self, archive: ReadArchive, flist: FlistTree) -> None:
        self._archive = archive
        self._flist = flist
        self.blocks = 0

    def all(self, paths: list[str]) -> Iterator[Difference]:
        for lost in self._flist.lost.first:
            path, _, why = lost.partition(" (")
            yield Difference(path, "listing", "whole", f"damaged ({why}")
        for path in paths:
            one, two = self._archive.tree.node(path), self._flist.node(path)
            if one is None or two is None:
                yield Difference(path, "entry", *(_shown(entry) for entry in (one, two)))
            else:
                for what, here, there in self._of(one, two):
                    if here != there:
                        yield Difference(path, what, here, there)

    def _of(self, one: Entry, two: Entry) -> Iterator[tuple[str, str, str]]:
        yield "type", _shown(one), _shown(two)
        if one.kind is two.kind is EntryType.LINK:
            yield "target", one.target, two.target
        implied = one.kind is EntryType.DIRECTORY and not one.inode
        if not implied:
            yield "owner", f"{one.uid}:{one.gid}", f"{two.uid}:{two.gid}"
        if not implied and EntryType.LINK not in {one.kind, two.kind}:
            yield "mode", f"{one.mode:o}", f"{two.mode:o}"
            yield "time", str(one.mtime & _U32), str(two.mtime & _U32)
        if one.kind is two.kind is EntryType.FILE:
            yield "size", str(one.size), str(two.size)
            if one.size == two.size:
                yield "content", *self._contents(one, two)

    def _contents(self, one: Entry, two: Entry) -> tuple[str, str]:
        """How many blocks each has, or the first that differs; equal texts if none does."""
        here = self._archive.digest.keys.get(one.inode, b"")
        there = self._flist.blocks.get(two.path, b"")
        size = self._flist.key_bytes
        if here == there:
            self.blocks += len(here) // size
            return "", ""
        if len(here) != len(there):
            return f"{len(here) // size} blocks", f"{len(there) // size} blocks"
        places = range(0, len(here), size)
        at = next(at for at in places if here[at : at + size] != there[at : at + size])
        number = f"block {at // size + 1} of {len(places)} has the key"
        return f"{number} {here[at : at + size].hex()}", f"{number} {there[at : at + size].hex()}"


def _shown(entry: Entry | None) -> str:
    if entry is None:
        return "missing"
    return entry.kind.value if entry.kind in _PLAIN else _SPECIAL
