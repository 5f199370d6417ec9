"""Tar archives read once from front to back: ustar, pax and GNU tar, sparse files included."""

import functools
import itertools
import math
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream
from zwizard.image.magic import file_type
from zwizard.image.tree import EntryType

BLOCK = 512
_ZEROS = bytes(BLOCK)
# Long names and pax records are kept whole, so they are bounded; no path is longer than 4 KiB.
_RECORDS = 1 << 20
# So is the map of a sparse file: 64 Ki holes are more than a file system's tools make.
_EXTENTS = 1 << 16

# POSIX.1-1988 ustar with the fields GNU tar keeps in the prefix's place left in it.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_KINDS = {
    b"0": EntryType.FILE, b"\x00": EntryType.FILE, b"7": EntryType.FILE, b"S": EntryType.FILE,
    b"2": EntryType.LINK, b"3": EntryType.CHARACTER, b"4": EntryType.BLOCK,
    b"5": EntryType.DIRECTORY, b"D": EntryType.DIRECTORY, b"6": EntryType.FIFO,
}  # fmt: skip
_WITHOUT_DATA = b"123456"
# Attributes that tar refuses where they are no numbers.
_WHOLE = re.compile(r"\d{1,20}", re.ASCII).fullmatch
_TIME = re.compile(r"-?\d{1,20}(?:\.\d*)?", re.ASCII).fullmatch
_NUMBERS = {"uid": _WHOLE, "gid": _WHOLE, "size": _WHOLE,
            "atime": _TIME, "ctime": _TIME, "mtime": _TIME}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name and target as stored, numbers decoded, ``mtime`` in whole seconds.

    ``hard`` marks a hard link, whose ``target`` is the other member's name. ``size`` is the
    file's, ``stored`` what the archive holds of it from ``offset`` (unpacked bytes) on;
    they differ for sparse files, whose data lies at ``extents`` (offset, length); None means
    that the map stands before the data (pax sparse 1.0). ``named`` is its owner and group by
    name, "" if it has only numbers.
    """

    name: str
    kind: EntryType
    mode: int
    uid: int
    gid: int
    size: int
    stored: int
    offset: int
    target: str = ""
    hard: bool = False
    named: str = ""
    extents: tuple[tuple[int, int], ...] | None = ()
    mtime: int = 0


@dataclass(slots=True)
class _Extras:
    """What the records before a header say about it."""

    records: dict[str, str] = field(default_factory=dict)
    holes: list[tuple[str, str]] = field(default_factory=list)


def members(source: ByteStream) -> Iterator[Member]:
    """Every member of the archive, to its end marker and the padding behind it.

    Between two members the caller may take the current one's data with `contents`. Raises
    ArchiveError where the archive is damaged, ends without its marker, or has data behind it.
    """
    everywhere = _Extras()
    while (found := _next_header(source, everywhere)) is not None:
        header, extras = found
        member = _member(source, header, extras)
        yield member
        rest = member.offset + _padded(member.stored) - source.position
        if source.skip(rest) < rest:
            raise ArchiveError(f"truncated inside {member.name}")
    _expect_end(source)


def contents(source: ByteStream, member: Member) -> Iterator[tuple[int, bytes]]:
    """The data of the member just read, as (offset in the file, bytes); holes are left out."""
    extents = member.extents
    if extents is None:
        extents = _leading_map(source, member)
    for offset, length in extents or ((0, member.stored),):
        if offset < 0 or length < 0 or offset + length > member.size:
            raise ArchiveError(f"the map of the sparse file {member.name} is wrong")
        end = member.offset + member.stored
        for piece in source.pieces(min(length, end - source.position)):
            yield offset, piece
            offset += len(piece)
            length -= len(piece)
        if length:
            raise ArchiveError(f"truncated inside {member.name}")


def _next_header(source: ByteStream, everywhere: _Extras) -> tuple[bytes, _Extras] | None:
    """The next header that is a member's, with what stood before it; None at the end marker."""
    extras = _Extras(dict(everywhere.records))
    while True:
        place = source.position
        header = source.take(BLOCK)
        if len(header) < BLOCK:
            raise ArchiveError("truncated: the tar archive ends without its end marker")
        if header == _ZEROS:
            return None
        _check(header, place)
        kind = header[156:157]
        if kind in b"xgLKVN" and kind:
            data = _records(source, header)
        if kind == b"x":
            _read_pax(data, extras, place)
        elif kind == b"g":
            _read_pax(data, everywhere, place)
            extras.records = everywhere.records | extras.records
        elif kind == b"L":
            extras.records["path"] = _text(data)
        elif kind == b"K":
            extras.records["linkpath"] = _text(data)
        elif kind == b"M":
            raise ArchiveError("it is one volume of a multi-volume archive")
        elif kind not in b"VN":
            return header, extras


def _check(header: bytes, place: int) -> None:
    """The header's checksum: unsigned, or signed as some old programs made it."""
    stored = _number(header[148:156])
    kept = header[:148] + b"        " + header[156:]
    total = sum(kept)
    if stored == total or stored == total - 256 * sum(byte > 127 for byte in kept):
        return
    if place == 0:
        raise ArchiveError(f"the compressed data is {file_type(header)}, not a tar archive")
    raise ArchiveError(f"the member header at unpacked byte {place} is damaged")


def _records(source: ByteStream, header: bytes) -> bytes:
    size = _number(header[124:136])
    if not 0 <= size <= _RECORDS:
        raise ArchiveError(f"a member's name or attributes take {size} bytes")
    data = source.take(_padded(size))
    if len(data) < _padded(size):
        raise ArchiveError("truncated inside a member's name or attributes")
    return data[:size]


def _read_pax(data: bytes, extras: _Extras, place: int) -> None:
    """``length key=value`` records (POSIX.1-2001, pax Interchange Format)."""
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = data[position:space]
        if space < 0 or not length.isdigit():
            raise ArchiveError(f"the member attributes at unpacked byte {place} are damaged")
        end = position + int(length)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        whole = space < end <= len(data) and data[end - 1 : end] == b"\n"
        if not equals or b"\0" in key or not whole:
            raise ArchiveError(f"the member attributes at unpacked byte {place} are damaged")
        name, text = _text(key), os.fsdecode(value)
        if name in _NUMBERS and not _NUMBERS[name](text):
            raise ArchiveError(f"the {name} at unpacked byte {place} is not a number")
        if name in {"GNU.sparse.offset", "GNU.sparse.numbytes"}:
            extras.holes.append((name, text))
        else:
            extras.records[name] = text
        position = end


def _member(source: ByteStream, header: bytes, extras: _Extras) -> Member:
    (name, mode, uid, gid, size, mtime, _, kind, target, magic, uname, gname, _, _, prefix) = (
        _HEADER.unpack(header)
    )
    records = extras.records
    path = records.get("path") or _path(name, prefix, magic)
    stored = _decimal(records["size"]) if "size" in records else _number(size)
    extents: tuple[tuple[int, int], ...] | None = ()
    real = stored
    if kind == b"S":
        real, extents = _old_sparse(source, header)
    elif (records and any(key.startswith("GNU.sparse.") for key in records)) or extras.holes:
        path = records.get("GNU.sparse.name", path)
        real, extents = _pax_sparse(extras)
    hard = kind == b"1"
    sort = EntryType.FILE if hard else _KINDS.get(kind, EntryType.FILE)
    if sort is EntryType.FILE and path.endswith("/") and not hard:
        sort = EntryType.DIRECTORY  # how archives from before POSIX mark one
    if kind in _WITHOUT_DATA:
        stored = real = 0
    if stored < 0 or real < 0:
        raise ArchiveError(f"the size of {path} is negative")
    return Member(
        path, sort, _number(mode) & 0o7777, _owner(records, "uid", uid),
        _owner(records, "gid", gid), real, stored, source.position,
        records.get("linkpath") or (_text(target) if kind in b"12" else ""), hard,
        _names(records, uname, gname), extents, _mtime(records, mtime),
    )  # fmt: skip


def _path(name: bytes, prefix: bytes, magic: bytes) -> str:
    if magic[:6] == b"ustar\x00" and prefix[0]:
        return f"{_text(prefix)}/{_text(name)}"
    return _text(name)


def _owner(records: dict[str, str], key: str, stored: bytes) -> int:
    return _decimal(records[key]) if key in records else _number(stored)


def _mtime(records: dict[str, str], stored: bytes) -> int:
    return math.floor(float(records["mtime"])) if "mtime" in records else _number(stored)


def _names(records: dict[str, str], uname: bytes, gname: bytes) -> str:
    user = records.get("uname", "") or (_text(uname) if uname[0] else "")
    group = records.get("gname", "") or (_text(gname) if gname[0] else "")
    return f"{user}:{group}" if user or group else ""


def _old_sparse(source: ByteStream, header: bytes) -> tuple[int, tuple[tuple[int, int], ...]]:
    """GNU tar's old sparse member: four extents in the header, more in blocks behind it."""
    extents = _extents(header, 386, 4)
    more = header[482]
    while more:
        block = source.take(BLOCK)
        if len(block) < BLOCK or len(extents) > _EXTENTS:
            raise ArchiveError("the map of a sparse file is damaged")
        extents += _extents(block, 0, 21)
        more = block[504]
    return _number(header[483:495]), tuple(extents) or ((0, 0),)


def _extents(block: bytes, start: int, count: int) -> list[tuple[int, int]]:
    places = range(start, start + 24 * count, 24)
    pairs = [(block[at : at + 12], block[at + 12 : at + 24]) for at in places]
    return [(_number(offset), _number(length)) for offset, length in pairs if offset[0]]


def _pax_sparse(extras: _Extras) -> tuple[int, tuple[tuple[int, int], ...] | None]:
    records = extras.records
    real = _decimal(records.get("GNU.sparse.realsize") or records.get("GNU.sparse.size", "0"))
    if records.get("GNU.sparse.major") == "1":
        return real, None
    numbers = (
        records["GNU.sparse.map"].split(",")
        if "GNU.sparse.map" in records
        else [value for _, value in extras.holes]
    )
    count = _decimal(records.get("GNU.sparse.numblocks", "0"))  # GNU tar refuses more than these
    if len(numbers) % 2 or len(numbers) > 2 * min(count, _EXTENTS):
        raise ArchiveError("the map of a sparse file is damaged")
    values = [_decimal(number) for number in numbers]
    return real, tuple(zip(values[::2], values[1::2], strict=True)) or ((0, 0),)


def _leading_map(source: ByteStream, member: Member) -> tuple[tuple[int, int], ...]:
    """The map before the data: a count, then offsets and lengths, a decimal line each."""
    lines = _lines(source, member)
    count = _decimal(next(lines, ""))
    if not 0 <= count <= _EXTENTS:
        raise ArchiveError(f"the map of the sparse file {member.name} is damaged")
    values = [_decimal(line) for line in itertools.islice(lines, 2 * count)]
    if len(values) < 2 * count:
        raise ArchiveError(f"the map of the sparse file {member.name} is damaged")
    return tuple(zip(values[::2], values[1::2], strict=True)) or ((0, 0),)


def _lines(source: ByteStream, member: Member) -> Iterator[str]:
    rest = b""
    while source.position < member.offset + member.stored:
        *lines, rest = (rest + source.take(BLOCK)).split(b"\n")
        if len(rest) > BLOCK:
            return
        yield from map(_text, lines)


def _expect_end(source: ByteStream) -> None:
    if source.take(BLOCK) != _ZEROS:
        raise ArchiveError("truncated: the tar archive's end marker is not whole")
    for piece in source.pieces():
        if piece.count(0) != len(piece):
            raise ArchiveError("other data follows the end of the tar archive")


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _text(data: bytes) -> str:
    return os.fsdecode(data.partition(b"\x00")[0])


@functools.lru_cache(maxsize=1 << 12)  # modes and owners repeat in every member
def _number(data: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set (GNU and star, for large values)."""
    if data[0] & 0x80:
        value = int.from_bytes(data, "big") & ((1 << (8 * len(data) - 1)) - 1)
        return value - (1 << (8 * len(data) - 1)) if data[0] & 0x40 else value
    digits = data.partition(b"\x00")[0].strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return -1


def _decimal(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
