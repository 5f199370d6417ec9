"""Cap'n Proto messages, as far as flists use them; any bytes are read in bounded time."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_WORD = 8
_SEGMENTS = 1 << 16
_POINTER = struct.Struct("<iI")
_STRUCT, _LIST, _FAR = 0, 1, 2
_BYTES, _COMPOSITE = 2, 7  # sizes of a list's elements


class MessageError(ValueError):
    """Bytes that are no message, or one that no writer makes."""


class Message:
    """A message in the stream framing that is not packed.

    No writer refers to an object twice, so what is followed in all may not exceed the message:
    pointers that lead in circles, or many to one object, end in a MessageError.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = len(data)
        count = 1 + int.from_bytes(data[:4], "little")
        start = (4 + 4 * count + 7) // _WORD * _WORD
        if len(data) < start or count > _SEGMENTS:
            raise MessageError("the table of its segments is damaged")
        self._segments = []
        for words in struct.unpack_from(f"<{count}I", data, 4):
            self._segments.append((start, start + words * _WORD))
            start += words * _WORD
        if start > len(data):
            raise MessageError("it is truncated")

    @property
    def root(self) -> Struct:
        """The struct that the message is."""
        found = self.struct(0, self._place(0, 0, _WORD))
        if found is None:
            raise MessageError("it is empty")
        return found

    def struct(self, segment: int, place: int) -> Struct | None:
        """The struct that the pointer at ``place`` leads to; None for a null pointer."""
        found = self._follow(segment, place)
        if found is None:
            return None
        segment, start, kind, upper = found
        if kind != _STRUCT:
            raise MessageError("a pointer leads to a list where a struct is expected")
        return self._struct(segment, start, upper)

    def structs(self, segment: int, place: int) -> list[Struct]:
        """The structs of the list that the pointer at ``place`` leads to."""
        found = self._follow(segment, place)
        if found is None:
            return []
        segment, start, kind, upper = found
        if kind != _LIST or upper & 7 != _COMPOSITE:
            raise MessageError("a pointer leads to something else than a list of structs")
        words = upper >> 3
        self._spend(segment, start, (words + 1) * _WORD)
        tag, sizes = _POINTER.unpack_from(self._data, start)
        data, pointers = (sizes & 0xFFFF) * _WORD, sizes >> 16
        count, each = (tag & 0xFFFFFFFF) >> 2, data + pointers * _WORD
        if tag & 3 != _STRUCT or each == 0 or count * each > words * _WORD:
            raise MessageError("the size of a list is wrong")
        first = start + _WORD
        return [
            Struct(self, segment, first + number * each, data, pointers) for number in range(count)
        ]

    def number(self, place: int, size: int, *, signed: bool) -> int:
        """The whole number of ``size`` bytes at ``place``."""
        return int.from_bytes(self._data[place : place + size], "little", signed=signed)

    def content(self, segment: int, place: int, limit: int) -> bytes:
        """The bytes that the pointer at ``place`` leads to, at most ``limit``."""
        found = self._follow(segment, place)
        if found is None:
            return b""
        segment, start, kind, upper = found
        size = upper >> 3
        if kind != _LIST or upper & 7 != _BYTES or size > limit:
            raise MessageError(f"a pointer leads to something else than {limit} bytes at most")
        self._spend(segment, start, size)
        return self._data[start : start + size]

    def _struct(self, segment: int, start: int, sizes: int) -> Struct:
        data, pointers = (sizes & 0xFFFF) * _WORD, sizes >> 16
        self._spend(segment, start, data + pointers * _WORD)
        return Struct(self, segment, start, data, pointers)

    def _follow(self, segment: int, place: int) -> tuple[int, int, int, int] | None:
        """Segment and place of an object, its kind, and the upper half of its pointer."""
        lower, upper = _POINTER.unpack_from(self._data, place)
        kind = lower & 3
        if kind == _FAR:
            double = lower & 4
            segment, offset = upper, ((lower & 0xFFFFFFFF) >> 3) * _WORD
            place = self._place(segment, offset, _WORD * 2 if double else _WORD)
            lower, upper = _POINTER.unpack_from(self._data, place)
            kind = lower & 3
            if double:  # the first word says where the object is, the second what it is
                if kind != _FAR or lower & 4:
                    raise MessageError("a pointer to another segment is damaged")
                segment, offset = upper, ((lower & 0xFFFFFFFF) >> 3) * _WORD
                start = self._place(segment, offset, 0)
                lower, upper = _POINTER.unpack_from(self._data, place + _WORD)
                return segment, start, lower & 3, upper
            if kind == _FAR:
                raise MessageError("a pointer to another segment leads to one more")
        if lower == 0 and upper == 0:
            return None
        return segment, place + _WORD + (lower >> 2) * _WORD, kind, upper

    def _place(self, segment: int, offset: int, size: int) -> int:
        if segment >= len(self._segments):
            raise MessageError("a pointer leads to a segment that is missing")
        start, end = self._segments[segment]
        if start + offset + size > end:
            raise MessageError("a pointer leads out of its segment")
        return start + offset

    def _spend(self, segment: int, start: int, size: int) -> None:
        first, end = self._segments[segment]
        if not first <= start <= end - size:
            raise MessageError("a pointer leads out of its segment")
        self._left -= size
        if self._left < 0:
            raise MessageError("its pointers lead to the same place more than once")


@dataclass(slots=True)
class Struct:
    """A struct: numbers in its ``data`` bytes at ``start``, then ``pointers``.

    What is beyond its end, in one of an older writer, is zero.
    """

    message: Message
    segment: int
    start: int
    data: int
    pointers: int

    def number(self, offset: int, size: int, *, signed: bool = False) -> int:
        """The whole number of ``size`` bytes at ``offset``."""
        if offset + size > self.data:
            return 0
        return self.message.number(self.start + offset, size, signed=signed)

    def struct(self, number: int) -> Struct | None:
        """The struct of pointer ``number``; None for a null pointer."""
        place = self._pointer(number)
        return None if place is None else self.message.struct(self.segment, place)

    def structs(self, number: int) -> list[Struct]:
        """The structs of the list of pointer ``number``."""
        place = self._pointer(number)
        return [] if place is None else self.message.structs(self.segment, place)

    def content(self, number: int, limit: int) -> bytes:
        """The bytes of pointer ``number``, at most ``limit``."""
        place = self._pointer(number)
        return b"" if place is None else self.message.content(self.segment, place, limit)

    def text(self, number: int, limit: int) -> bytes:
        """The text of pointer ``number``, of at most ``limit`` bytes, without its end (NUL)."""
        return self.content(number, limit + 1).removesuffix(b"\0")

    def _pointer(self, number: int) -> int | None:
        if number >= self.pointers:
            return None
        return self.start + self.data + number * _WORD
