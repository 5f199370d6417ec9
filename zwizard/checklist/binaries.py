"""What a program in the image is: an ELF for some processor, or a script for an interpreter."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zwizard.artefact.content import HEAD, what

if TYPE_CHECKING:
    from typing import BinaryIO

    from zwizard.artefact.view import Entry, View

READS = (
    "/sbin/init", "/lib/systemd/systemd", "/bin/systemd", "/bin/busybox", "/bin/sh", "/bin/bash",
    "/bin/dash", "/sbin/openrc-init", "/sbin/zinit",
)  # fmt: skip
"""The programs that usually start first, and their interpreters."""

_LINE = 256  # the kernel reads no more of a script's first line (BINPRM_BUF_SIZE)
_X86_64 = 62
_MACHINES = {3: "x86 (32-bit)", 40: "ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V", 21: "POWER"}
_PATH = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """A program: ``bits`` and ``machine`` of its ELF header, 0 if it is none.

    ``interpreter`` is what has to be there to run it: a script's, or an ELF's loader; "" for a
    static program. ``argument`` is what a script's first line gives it. ``what`` says what it is
    if it is neither.
    """

    bits: int
    machine: int
    interpreter: str
    what: str
    argument: str = ""

    @property
    def elf(self) -> bool:
        """It is an ELF."""
        return self.bits > 0

    @property
    def x86_64(self) -> bool:
        """It is a 64-bit ELF for x86-64."""
        return self.bits == 64 and self.machine == _X86_64

    @property
    def runs(self) -> bool:
        """The kernel knows how to start it."""
        return self.elf or self.interpreter != ""


def identify(view: View, entry: Entry) -> Program:
    """What the file ``entry`` is; raises UnreadableError."""
    with view.open_entry(entry) as file:
        head = file.read(HEAD)
        if head.startswith(b"\x7fELF") and len(head) >= 64:
            return _elf(file, head)
    if head.startswith(b"#!"):
        line = head[2:_LINE].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        # env takes -S and settings before the program's name.
        words = [word for word in line[1:] if not word.startswith("-") and "=" not in word]
        return Program(0, 0, "".join(line[:1]), "a script", "".join(words[:1]))
    return Program(0, 0, "", what(head))


def describe(program: Program) -> str:
    """``program`` in words: ``ELF64, x86-64``."""
    if program.elf:
        machine = _MACHINES.get(program.machine, f"processor {program.machine}")
        return f"ELF{program.bits}, {machine}"
    return program.what


def _elf(file: BinaryIO, head: bytes) -> Program:
    order = ">" if head[5] == 2 else "<"
    bits = 64 if head[4] == 2 else 32
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    return Program(bits, machine, _loader(file, head, order, bits), "an ELF program")


def _loader(file: BinaryIO, head: bytes, order: str, bits: int) -> str:
    """What PT_INTERP says (System V ABI, “Program Interpreter”)."""
    if bits == 64:
        (start,) = struct.unpack_from(f"{order}Q", head, 32)
        size, count = struct.unpack_from(f"{order}HH", head, 54)
    else:
        (start,) = struct.unpack_from(f"{order}I", head, 28)
        size, count = struct.unpack_from(f"{order}HH", head, 42)
    for number in range(min(count, 64)):
        header = _at(file, start + number * size, 56 if bits == 64 else 32)
        if len(header) < 32 or struct.unpack_from(f"{order}I", header)[0] != 3:
            continue
        if bits == 64:
            offset, length = (struct.unpack_from(f"{order}Q", header, at)[0] for at in (8, 32))
        else:
            offset, length = (struct.unpack_from(f"{order}I", header, at)[0] for at in (4, 16))
        name = _at(file, offset, min(length, _PATH)).partition(b"\x00")[0]
        return name.decode("utf-8", "surrogateescape")
    return ""


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 1 << 62:
        return b""
    file.seek(offset)
    return file.read(size)
