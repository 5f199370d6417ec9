"""Rules about what a flist cannot hold: the hub loses it without a word."""

import os
import struct

from zwizard.checks.context import CheckContext
from zwizard.checks.rule import EVERY, must, should
from zwizard.checks.verdict import Severity, Verdict, failed, passed
from zwizard.image.archive.block_digest import BLOCK
from zwizard.image.examples import Examples
from zwizard.image.flist.tree import FlistTree
from zwizard.image.tree import Entry, EntryType, FileTree
from zwizard.util.text import size

LISTING = 4 << 20  # bytes of the buffer that a directory's listing is written to
_WARN = LISTING // 4 * 3
_SEGMENTS = 511  # those that the node's reader takes


@must(
    "The listing of every directory fits into a flist",
    EVERY,
    source="A directory's listing, with the blocks of its files, must fit 4 MiB; the hub writes a"
    " longer one as nothing and reports success, and the node finds the directory unreadable"
    " (0-flist, libflist_dirnode_commit; measured with 33,000 files and with an image.raw of"
    " 43 GiB).",
    fix="Spread the files over several directories, or pack them into one file; make an image.raw"
    " smaller than 31.9 GiB (the guest grows it to the size of its disk).",
    example="/srv/mail needs 5 MiB",
    keys=("disk.size", "system.run"),
)
def flist_directory_size(context: CheckContext) -> Verdict:
    """The entries of each directory need at most 4 MiB; from 3 MiB on it is a warning."""
    sizes = {path: listing.size for path, listing in context.listings.items()}
    largest = max(sizes, key=lambda path: sizes[path])
    over = sorted(path for path, needed in sizes.items() if needed > LISTING)
    if over:
        return failed(", ".join(f"{path} needs {size(sizes[path])}" for path in over[:5]))
    if sizes[largest] >= _WARN:
        return failed(
            f"{largest} needs {size(sizes[largest])} of the {size(LISTING)} that fit",
            "Leave room: with more or larger files the directory is lost.",
            Severity.SHOULD,
        )
    return passed(f"the largest, {largest}, needs {size(sizes[largest])}")


@should(
    "The node's reader takes every directory's listing",
    EVERY,
    source="The node refuses a listing of 512 or more segments of 4 KiB, 25,000 files or an"
    " image.raw of 20.7 GiB: the directory is unreadable (rfs 1.x reads it with capnp 0.14.11,"
    " SEGMENTS_COUNT_LIMIT; measured with that library, not on a node).",
    fix="Spread the files over several directories, or pack them into one file; make an image.raw"
    " smaller than 20.7 GiB (the guest grows it to the size of its disk).",
    example="the largest, /usr/share/doc, needs 600 segments",
    keys=("disk.size", "system.run"),
)
def flist_directory_segments(context: CheckContext) -> Verdict:
    """The listing of each directory has at most 511 segments."""
    counts = {path: listing.segments for path, listing in context.listings.items()}
    largest = max(counts, key=lambda path: counts[path])
    verdict = failed if counts[largest] > _SEGMENTS else passed
    return verdict(f"the largest, {largest}, needs {counts[largest]} segments")


@must(
    "Every file is kept to its last byte",
    EVERY,
    source="The hub counts a file's blocks of 512 KiB with single precision: of a file over 16 MiB"
    " whose size is just above a multiple, the last block is not stored, and the hub reports"
    " success (0-flist, zero_chunk.c; measured with 3 GiB + 100 bytes).",
    fix="Pad the file to a multiple of 512 KiB (truncate -s %512K FILE) where that does it no"
    " harm, or compress it.",
    example="/srv/data loses its last 512 of 17179869696 bytes",
    keys=("disk.size", "system.run"),
)
def flist_file_size(context: CheckContext) -> Verdict:
    """The number of blocks that the hub counts holds the whole file."""
    cut = Examples(
        f"{entry.path} loses its last {entry.size - _stored(context.tree, entry)}"
        f" of {entry.size} bytes"
        for entry in context.tree.entries()
        if entry.kind is EntryType.FILE and _stored(context.tree, entry) < entry.size
    )
    return failed(str(cut)) if cut else passed("every file is kept whole")


def _stored(tree: FileTree, entry: Entry) -> int:
    """The bytes of a file that its flist has, or will have."""
    if isinstance(tree, FlistTree):
        return len(tree.blocks.get(entry.path, b"")) // tree.key_bytes * BLOCK
    (rounded,) = struct.unpack("f", struct.pack("f", entry.size))
    return -(-int(rounded) // BLOCK) * BLOCK


@must(
    "Names and link targets are UTF-8",
    EVERY,
    source="One name or link target that is not UTF-8 makes its whole directory unreadable on the"
    " node, and the hub reports success (rfs 1.x, Dir::entries).",
    fix="Rename it: convmv -f latin1 -t utf8 -r --notest DIRECTORY",
    example="1: /etc/caf\xe9",
    keys=("system.run",),
)
def flist_names(context: CheckContext) -> Verdict:
    """Every name, and what every link says, is UTF-8."""
    wrong = Examples(
        _shown(entry.path) + (f" -> {_shown(entry.target)}" if entry.target else "")
        for entry in context.tree.entries()
        if not (_is_utf8(entry.name) and _is_utf8(entry.target))
    )
    return failed(f"{wrong.count}: {wrong}") if wrong else passed("all are")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    r"""``name`` with bytes that are not UTF-8 as ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
