"""Initramfs images: any number of cpio archives in a row, each in any compression, streamed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream, plain
from zwizard.image.archive.compression import CompressionError, Stream, detect
from zwizard.image.magic import HEAD, file_type

# Limits against hostile files. A machine must hold all of it in memory to boot.
_UNPACKED = 768 << 20
_ENTRIES = 500_000
_NAME = 4096
_PARTS = 64

_MAGIC = (b"070701", b"070702")
_HEADER = 110
_TRAILER = "TRAILER!!!"
_MODULE = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(?:.*/)?([^/]+)\.ko(?:\.(?:gz|xz|zst))?")


@dataclass(slots=True)
class Initramfs:
    """What an initramfs holds, as far as starting a machine depends on it.

    ``compressions`` names that of each part in order ("" is none); ``entries`` counts names;
    ``init`` is whether ``/init`` is in it; ``modules`` maps a kernel version to its
    modules' names, dashes as underscores. ``fault`` is why it could not be read to the end, ""
    if it could; ``bounded`` whether a limit of ours, not an error in it, is the reason.
    """

    compressions: list[str] = field(default_factory=list)
    entries: int = 0
    init: bool = False
    modules: dict[str, set[str]] = field(default_factory=dict)
    fault: str = ""
    bounded: bool = False

    def has(self, module: str) -> bool:
        """Whether a module of that name is in it, for whichever kernel."""
        return any(module in names for names in self.modules.values())


def read_initramfs(file: BinaryIO) -> Initramfs:
    """What is in the initramfs in ``file`` (docs.kernel.org, "initramfs buffer format").

    Never fails on contents: what is wrong is in ``fault``. Memory stays within some 50 MiB.
    """
    found = Initramfs()
    try:
        _read_parts(file, found)
    except ArchiveError as error:
        found.fault, found.bounded = str(error), error.bounded
    except CompressionError as error:
        unsupported = found.compressions[-1:] == ["lzo"]
        found.fault, found.bounded = str(error), unsupported
    return found


def _read_parts(file: BinaryIO, found: Initramfs) -> None:
    size = file.seek(0, io.SEEK_END)
    place, room = 0, _UNPACKED
    while (place := _skip_padding(file, place)) < size:
        if len(found.compressions) == _PARTS:
            raise ArchiveError(f"it has more than {_PARTS} parts", bounded=True)
        file.seek(place)
        head = file.read(8)
        form = detect(head)
        if form is not None:
            found.compressions.append(form.name)
            stream = Stream(form, file, place)
            source = _bounded(stream, room)
            while source.skip_zeros():
                _read_archive(source, found)
            room -= source.position
            place = stream.end
        elif head.startswith(_MAGIC):
            found.compressions.append("")
            file.seek(place)
            archive = _bounded(plain(file).pieces(), room)
            _read_archive(archive, found)
            room -= archive.position
            place += archive.position
        else:
            file.seek(place)
            other = file_type(file.read(HEAD))
            raise ArchiveError(f"at byte {place} there is {other}, not a cpio archive")


def _read_archive(source: ByteStream, found: Initramfs) -> None:
    """One cpio archive, to its trailer (newc and crc formats, all numbers 8 hex digits)."""
    while True:
        header = source.take(_HEADER)
        if len(header) < _HEADER:
            raise ArchiveError("truncated: a cpio archive ends without its trailer")
        size, length = _sizes(header)
        name = source.take(length).partition(b"\x00")[0].decode("utf-8", "surrogateescape")
        source.skip(-source.position % 4)
        if name == _TRAILER:
            return
        _note(name, found)
        if source.skip(size) < size:
            raise ArchiveError(f"truncated inside {name}")
        source.skip(-source.position % 4)


def _sizes(header: bytes) -> tuple[int, int]:
    try:
        size, length = int(header[54:62], 16), int(header[94:102], 16)
    except ValueError:
        size = length = -1
    if not header.startswith(_MAGIC) or not 0 < length <= _NAME or size < 0:
        raise ArchiveError("a cpio member's header is damaged")
    return size, length


def _note(name: str, found: Initramfs) -> None:
    found.entries += 1
    if found.entries > _ENTRIES:
        raise ArchiveError(f"it holds more than {_ENTRIES} files", bounded=True)
    name = name.removeprefix("./").lstrip("/")
    if name == "init":
        found.init = True
    elif module := _MODULE.fullmatch(name):
        names = found.modules.setdefault(module[1], set())
        names.add(module[2].replace("-", "_"))


def _bounded(pieces: Iterable[bytes], room: int) -> ByteStream:
    """The bytes of ``pieces``, which may be ``room`` bytes in all."""

    def counted() -> Iterator[bytes]:
        left = room
        for piece in filter(None, pieces):
            left -= len(piece)
            if left < 0:
                raise ArchiveError(f"it unpacks to more than {_UNPACKED >> 20} MiB", bounded=True)
            yield piece

    return ByteStream(counted())


def _skip_padding(file: BinaryIO, place: int) -> int:
    """The offset of the first byte from ``place`` on that is not zero."""
    file.seek(place)
    stream = plain(file)
    stream.skip_zeros()
    return place + stream.position
