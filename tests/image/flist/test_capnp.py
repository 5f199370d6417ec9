"""Cap'n Proto messages: segments, far and double-far pointers, and hostile ones."""

from __future__ import annotations

import struct

import pytest

from tests.support.flist_bytes import (
    BYTES,
    COMPOSITE,
    DOUBLE,
    LIST,
    STRUCT,
    far,
    message,
    pointer,
    shape,
    text,
    words,
)
from zwizard.image.flist.capnp import Message, MessageError

ROOT = pointer(0, 1, STRUCT, shape(1, 1))  # word 1: a number, word 2: a pointer
NAME = words(b"name\0")


def test_a_struct_has_numbers_and_pointers() -> None:
    root = Message(message([ROOT, 0x1234 | 7 << 32, text(2, 3, b"name\0"), *NAME])).root
    assert (root.number(0, 2), root.number(4, 4)) == (0x1234, 7)
    assert root.text(0, 255) == b"name"


def test_what_an_older_writer_left_out_is_zero() -> None:
    root = Message(message([ROOT, 1, 0])).root
    assert (root.number(8, 8), root.text(0, 9), root.text(5, 9)) == (0, b"", b"")
    assert (root.structs(5), root.struct(0)) == ([], None)


def test_numbers_may_be_negative() -> None:
    root = Message(message([ROOT, (1 << 64) - 3, 0])).root
    assert root.number(0, 8, signed=True) == -3


def test_a_far_pointer_leads_to_another_segment() -> None:
    landing = [text(0, 1, b"name\0"), *NAME]
    root = Message(message([ROOT, 0, far(1, 0)], landing)).root
    assert root.text(0, 255) == b"name"


def test_a_double_far_pointer_leads_to_a_third_segment() -> None:
    tag = LIST | (BYTES | 5 << 3) << 32
    root = Message(message([ROOT, 0, far(1, 1, DOUBLE)], [0, far(2, 1), tag], [0, *NAME])).root
    assert root.text(0, 255) == b"name"


def test_a_list_of_structs_in_another_segment() -> None:
    structs = [pointer(0, 1, LIST, COMPOSITE | 4 << 3), 2 << 2 | shape(2, 0) << 32, 1, 2, 3, 4]
    found = Message(message([ROOT, 0, far(1, 0)], structs)).root.structs(0)
    assert [(each.number(0, 8), each.number(8, 8)) for each in found] == [(1, 2), (3, 4)]


LOOP = [pointer(0, 1, STRUCT, shape(0, 1)), pointer(1, 1, STRUCT, shape(0, 1))]


def test_a_struct_that_holds_itself_is_left_after_as_much_as_the_message_has() -> None:
    found = Message(message(LOOP)).root
    assert found.struct(0)
    assert found.struct(0)
    with pytest.raises(MessageError, match="more than once"):
        found.struct(0)


def test_many_pointers_to_one_large_text_are_refused_early() -> None:
    count, large = 100, words(bytes(1 << 16))
    head = [pointer(0, 1, STRUCT, shape(0, 1)), pointer(1, 2, LIST, COMPOSITE | count << 3),
            count << 2 | shape(0, 1) << 32]  # fmt: skip
    pointers = [text(3 + n, 3 + count, bytes(1 << 16)) for n in range(count)]
    structs = Message(message([*head, *pointers, *large])).root.structs(0)
    assert structs[0].text(0, 1 << 16)
    with pytest.raises(MessageError, match="more than once"):
        structs[1].text(0, 1 << 16)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        struct.pack("<II", 0, 5),  # a segment that is not there
        struct.pack("<II", 0xFFFFFFFF, 0),
        struct.pack("<II", 1 << 20, 0) + bytes(64),
        message([]),
        message([0]),
        message([far(7, 0)]),
        message([far(0, 0)]),  # to itself
        message([far(0, 9)]),
        message([far(0, 1, DOUBLE), ROOT, 0]),
        message([far(0, 1, DOUBLE), far(0, 1, DOUBLE), 0]),
        message([pointer(0, 1, STRUCT, shape(9, 0))]),
        message([pointer(0, -9, STRUCT, shape(1, 0)), 0]),
        message([pointer(0, 1, LIST, BYTES)]),
        message([ROOT | 3]),
    ],
)
def test_a_message_that_no_writer_makes_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        assert Message(data).root


@pytest.mark.parametrize(
    "at",
    [
        pointer(2, 3, STRUCT, shape(1, 0)),
        pointer(2, 3, LIST, BYTES | 9 << 3),
        pointer(2, 3, LIST, COMPOSITE | 1 << 3),  # its tag claims more
        pointer(2, 3, LIST, COMPOSITE | 1 << 20),
        pointer(2, -2000, LIST, COMPOSITE),
        far(0, 2),
    ],
)
def test_a_list_that_no_writer_makes_is_refused(at: int) -> None:
    root = Message(message([ROOT, 0, at, 9 << 2 | shape(1, 0) << 32, 0])).root
    with pytest.raises(MessageError):
        root.structs(0)


def test_structs_of_no_size_are_refused() -> None:
    tag = 0x1FFFFFFF << 2
    root = Message(message([ROOT, 0, pointer(2, 3, LIST, COMPOSITE), tag])).root
    with pytest.raises(MessageError):
        root.structs(0)


def test_a_text_that_is_too_long_is_refused() -> None:
    root = Message(message([ROOT, 0, text(2, 3, b"name\0"), *NAME])).root
    with pytest.raises(MessageError, match="3 bytes"):
        root.text(0, 2)
