"""Write Cap'n Proto messages of one or many segments, as zflist's library (c-capnproto) does."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

WORD = 8  # bytes


@dataclass(frozen=True)
class Place:
    """Something in a message; lengths and positions are words."""

    segment: int
    start: int
    data: int = 0  # of a struct
    pointers: int = 0
    bits: int = 0  # what a pointer to it has in its upper half, and its kind in the lowest bits


class Message:
    """A message: each object goes into the last segment that has room, else into a new one.

    A pointer into another segment is a far pointer to a landing pad beside its target; without
    room there it is a double-far pointer to a pad of two words anywhere.
    """

    def __init__(self, segment: int = 501) -> None:
        self.size = segment  # words of a segment, unless one object needs more
        self.segments: list[bytearray] = []
        self.room: list[int] = []  # words that are left in each segment
        self.root = self._allocate(1)

    def struct(self, data: bytes, pointers: int) -> Place:
        words = len(data) // WORD
        place = self._allocate(words + pointers)
        self._write(place.segment, place.start, data)
        return Place(place.segment, place.start, words, pointers, _struct_bits(words, pointers))

    def structs(self, rows: Sequence[bytes], pointers: int) -> tuple[Place, list[Place]]:
        """A composite list of structs with this data: the list, and its structs."""
        words = len(rows[0]) // WORD if rows else 3
        each = words + pointers
        place = self._allocate(1 + each * len(rows))
        tag = len(rows) << 2 | _struct_bits(words, pointers)
        self._write(place.segment, place.start, struct.pack("<Q", tag))
        structs = []
        for number, data in enumerate(rows):
            start = place.start + 1 + number * each
            self._write(place.segment, start, data)
            structs.append(Place(place.segment, start, words, pointers))
        bits = 1 | 7 << 32 | each * len(rows) << 35
        return Place(place.segment, place.start, bits=bits), structs

    def data(self, value: bytes) -> Place:
        place = self._allocate(-(-len(value) // WORD))
        self._write(place.segment, place.start, value)
        return Place(place.segment, place.start, bits=1 | 2 << 32 | len(value) << 35)

    def text(self, value: bytes) -> Place:
        return self.data(value + b"\0")

    def point(self, source: Place, number: int, target: Place) -> None:
        """Let pointer ``number`` of the struct ``source`` lead to ``target``."""
        self._point(source.segment, source.start + source.data + number, target)

    def finish(self, target: Place) -> bytes:
        """The bytes of the message with ``target`` as its root struct."""
        self._point(0, 0, target)
        sizes = [len(segment) // WORD for segment in self.segments]
        header = struct.pack(f"<{len(sizes) + 1}I", len(sizes) - 1, *sizes)
        header += bytes(-len(header) % WORD)
        return header + b"".join(self.segments)

    def _point(self, segment: int, word: int, target: Place) -> None:
        if segment == target.segment:
            offset = target.start - word - 1
            pointer = target.bits | (offset & 0x3FFFFFFF) << 2
        elif self.room[target.segment]:
            pad = self._allocate(1, target.segment)
            self._point(pad.segment, pad.start, target)
            pointer = _far(pad)
        else:
            pad = self._allocate(2)
            self._write(pad.segment, pad.start, struct.pack("<2Q", _far(target), target.bits))
            pointer = _far(pad) | 4
        self._write(segment, word, struct.pack("<Q", pointer))

    def _allocate(self, words: int, segment: int = -1) -> Place:
        if not self.segments or self.room[segment] < words:
            self.segments.append(bytearray())
            self.room.append(max(words, self.size))
            segment = -1
        segment %= len(self.segments)
        start = len(self.segments[segment]) // WORD
        self.segments[segment] += bytes(words * WORD)
        self.room[segment] -= words
        return Place(segment, start)

    def _write(self, segment: int, word: int, value: bytes) -> None:
        self.segments[segment][word * WORD : word * WORD + len(value)] = value


def _struct_bits(data: int, pointers: int) -> int:
    return data << 32 | pointers << 48


def _far(place: Place) -> int:
    return 2 | place.start << 3 | place.segment << 32
