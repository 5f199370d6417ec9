"""What a program in the image is: an ELF for some processor, or a script for an interpreter."""

import re
from dataclasses import dataclass

from zwizard.image.executables.elf import Elf, read_elf
from zwizard.image.magic import HEAD, file_type
from zwizard.image.tree import Entry, FileTree

READS = (
    "/sbin/init", "/lib/systemd/systemd", "/bin/systemd", "/bin/busybox", "/bin/sh", "/bin/bash",
    "/bin/dash", "/sbin/openrc-init", "/sbin/zinit",
)  # fmt: skip
"""The programs that usually start first, and their interpreters."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are searched for if nothing else is set."""

_LINE = 256  # the kernel reads no more of a script's first line (BINPRM_BUF_SIZE)
_BLANK = b" \t"


@dataclass(frozen=True, slots=True)
class Program:
    """A program: ``elf`` if it is one; ``description`` is ``ELF64, x86-64`` or a file type.

    ``interpreter`` is what must be there to run it: that of a script, or an ELF's loader; "" for
    a static program. ``argument`` is the rest of a script's first line, which the interpreter
    gets as one argument.
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
        interpreter, argument = _first_line(head[:_LINE])
        return Program("a script", None, interpreter, argument)
    if head.startswith(b"\xef\xbb\xbf#!"):
        return Program("a script behind a byte order mark, which the kernel does not start")
    return Program(file_type(head))


def _first_line(head: bytes) -> tuple[str, str]:
    """Interpreter and argument as the kernel reads them; "" if it does not (binfmt_script.c)."""
    line, newline, _ = head[2:].partition(b"\n")
    words = line.strip(_BLANK)
    if not newline and len(head) == _LINE and not re.search(rb"[ \t\x00]", line.lstrip(_BLANK)):
        return "", ""  # the interpreter's path may go on behind what was read
    found = re.match(rb"([^ \t\x00]*)[ \t]*([^\x00]*)", words)
    assert found is not None
    interpreter, argument = (part.decode("utf-8", "surrogateescape") for part in found.groups())
    return interpreter, argument


def find_program(tree: FileTree, name: str) -> Entry | None:
    """The executable file that a shell would find for ``name`` (the usual PATH), or None."""
    for directory in PATH.split(":"):
        found = tree.resolve(f"{directory}/{name}").file
        if found is not None and found.mode & 0o111 and found.size:
            return found
    return None
