"""A static binary: the only program of its container."""

from pathlib import Path

from zwizard.image.executables.elf import Elf, read_elf
from zwizard.image.magic import HEAD, file_type
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.sources.base import InputReport, SourceKind
from zwizard.steps.actions import ROOT, Host, InstallBinary
from zwizard.steps.step import Step
from zwizard.util.text import one_line, size
from zwizard.util.units import MIB

_SIZE = 20 * MIB  # bytes that a program takes, and its archive
_FEW = 4  # libraries that are named
_STATIC = (
    "Link it statically (gcc -static, CGO_ENABLED=0 go build, a musl target of Rust), or use a"
    " distribution that has what it needs"
)

# What Zero-OS mounts over, and where its init writes: resolv.conf, hosts and root's keys.
DIRECTORIES = ("dev", "etc", "proc", "root", "run", "sys")


def _program(recipe: Recipe) -> tuple[Step, ...]:
    """The program, and the directories that Zero-OS expects around it."""
    source, (path, *_) = recipe.source, deployment.command(recipe)
    return (
        Step(
            "program",
            f"Put the program to {path}",
            (
                '"A container can be a single binary, or a complete filesystem. In general, the'
                ' first should be preferred"',
                "The image has no loader and no libraries, so the program must be static.",
            ),
            (
                Host(("install", "-d", *(f"{ROOT}/{name}" for name in DIRECTORIES))),
                Host(("install", "-d", "--mode=1777", f"{ROOT}/tmp")),  # noqa: S108 - the image's
                InstallBinary(source.location, source.sha256, path),
            ),
            answers=("source.location", "source.sha256", "container.entrypoint"),
            network="://" in source.location,
            size=_SIZE,
            unpacks=source.location,
        ),
    )


def inspect(file: Path) -> InputReport:
    """Whether ``file`` is a static program for x86-64; raises OSError."""
    if file.is_dir():
        return InputReport(wrong="a directory; a binary is one file")
    with file.open("rb") as opened:
        head = opened.read(HEAD)
        elf = read_elf(opened)
    if elf is None:
        return InputReport(wrong=_no_elf(head))
    if not elf.x86_64:
        return InputReport(
            wrong=f"it is {elf.words}; the nodes are x86-64. Build it for linux/amd64"
        )
    if not elf.runs:
        return InputReport(wrong="it is a part of a program (an object file), not one that runs")
    if elf.loader or elf.libraries:
        return InputReport(wrong=f"it is not static: {_needs(elf)}. {_STATIC}")
    if (length := file.stat().st_size) < elf.end:
        return InputReport(wrong=f"truncated: it has {length} of {elf.end} bytes")
    return InputReport(f"a static program for x86-64, {size(length)}")


def _no_elf(head: bytes) -> str:
    if head.startswith(b"#!"):
        interpreter = one_line(head[2:256].split(b"\n")[0].decode("utf-8", "replace").strip())
        return f"it is a script, which needs {interpreter}: use a distribution that has that"
    if head.startswith(b"MZ"):
        return "it is an EFI or Windows program; Zero-OS runs Linux. Build it for linux/amd64"
    return f"it is {file_type(head)}, and no program"


def _needs(elf: Elf) -> str:
    """The loader and the libraries without which it does not start."""
    more = len(elf.libraries) - _FEW
    names = [*filter(None, [elf.loader]), *elf.libraries[:_FEW]]
    return one_line(f"it needs {', '.join(names)}{f' and {more} more' if more > 0 else ''}")


SOURCE = SourceKind(
    title="A static binary",
    about={"container": "The image contains only this program."},
    tree={"container": _program},
    size=_SIZE,
    entrypoint="/app",
    file_title="Program",
    file_why="A file or a URL. The image has no libraries, so the program must be statically"
    " linked: gcc -static, CGO_ENABLED=0 go build, a musl target of Rust.",
    file_example="./server",
    inspect=inspect,
)
