"""What a program in the image is: an ELF for some processor, or a script for an interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zwizard.image.executables.elf import X86_64, Elf, read_elf
from zwizard.image.magic import HEAD, file_type

if TYPE_CHECKING:
    from zwizard.image.tree import Entry, FileTree

READS = (
    "/sbin/init", "/lib/systemd/systemd", "/bin/systemd", "/bin/busybox", "/bin/sh", "/bin/bash",
    "/bin/dash", "/sbin/openrc-init", "/sbin/zinit",
)  # fmt: skip
"""The programs that usually start first, and their interpreters."""

_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_LINE = 256  # the kernel reads no more of a script's first line (BINPRM_BUF_SIZE)


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
    description: str
    argument: str = ""

    @property
    def elf(self) -> bool:
        """It is an ELF."""
        return self.bits > 0

    @property
    def x86_64(self) -> bool:
        """It is a 64-bit ELF for x86-64."""
        return self.bits == 64 and self.machine == X86_64

    @property
    def runs(self) -> bool:
        """The kernel knows how to start it."""
        return self.elf or self.interpreter != ""


def identify(tree: FileTree, entry: Entry) -> Program:
    """What the file ``entry`` is; raises UnreadableError."""
    with tree.open_entry(entry) as file:
        head = file.read(HEAD)
        if found := read_elf(file):
            return Program(found.bits, found.machine, found.loader, "an ELF program")
    if head.startswith(b"#!"):
        line = head[2:_LINE].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        # env takes -S and settings before the program's name.
        words = [word for word in line[1:] if not word.startswith("-") and "=" not in word]
        return Program(0, 0, "".join(line[:1]), "a script", "".join(words[:1]))
    return Program(0, 0, "", file_type(head))


def describe(program: Program) -> str:
    """``program`` in words: ``ELF64, x86-64``."""
    if program.elf:
        return Elf(program.bits, program.machine, True, program.interpreter).words
    return program.description


def find_program(tree: FileTree, name: str) -> Entry | None:
    """The executable file that a shell would find for ``name`` (the usual PATH), or None."""
    for directory in _PATH:
        found = tree.resolve(f"{directory}/{name}").file
        if found is not None and found.mode & 0o111 and found.size:
            return found
    return None
