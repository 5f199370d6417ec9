"""What a program in the image is: an ELF for some processor, or a script for an interpreter."""

from __future__ import annotations

from dataclasses import dataclass

from zwizard.image.executables.elf import Elf, read_elf
from zwizard.image.magic import HEAD, file_type
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
    """A program: ``elf`` if it is one; ``description`` is ``ELF64, x86-64`` or a file type.

    ``interpreter`` is what must be there to run it: that of a script, or an ELF's loader; "" for
    a static program. ``argument`` is what a script's first line passes to it.
    """

    description: str
    elf: Elf | None = None
    interpreter: str = ""
    argument: str = ""

    @property
    def x86_64(self) -> bool:
        """It is a 64-bit ELF for x86-64."""
        return self.elf is not None and self.elf.x86_64

    @property
    def runs(self) -> bool:
        """The kernel can start it."""
        return self.elf is not None or self.interpreter != ""


def identify(tree: FileTree, entry: Entry) -> Program:
    """What the file ``entry`` is; raises UnreadableError."""
    with tree.open_entry(entry) as file:
        head = file.read(HEAD)
        if elf := read_elf(file):
            return Program(elf.words, elf, elf.loader)
    if head.startswith(b"#!"):
        line = head[2:_LINE].split(b"\n")[0].decode("utf-8", "surrogateescape").split()
        # env takes -S and settings before the program's name.
        words = [word for word in line[1:] if not word.startswith("-") and "=" not in word]
        return Program("a script", None, "".join(line[:1]), "".join(words[:1]))
    return Program(file_type(head))


def find_program(tree: FileTree, name: str) -> Entry | None:
    """The executable file that a shell would find for ``name`` (the usual PATH), or None."""
    for directory in _PATH:
        found = tree.resolve(f"{directory}/{name}").file
        if found is not None and found.mode & 0o111 and found.size:
            return found
    return None
