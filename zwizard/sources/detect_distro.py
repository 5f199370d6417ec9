"""The distribution of a root file system, by its os-release and one of its programs."""

import errno
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zwizard import distros
from zwizard.distros.unknown import OTHER
from zwizard.image.archive.decompress import decompressed
from zwizard.image.archive.tar_reader import contents, members
from zwizard.image.executables.elf import read_elf
from zwizard.image.tarball import inside
from zwizard.image.tree import EntryType
from zwizard.steps import programs
from zwizard.util.text import one_line

_RELEASES = ("/usr/lib/os-release", "/etc/os-release")
_PROGRAMS = tuple(
    f"{place}/{name}" for name in ("dash", "bash", "busybox") for place in ("/usr/bin", "/bin")
)
_INITS = ("/sbin/init", "/usr/sbin/init")
_MOST = 64 << 10  # bytes of an os-release, and of a program's head


@dataclass(frozen=True)
class DetectedDistro:
    """What a tree is: ``distro`` as recipes name it, ``title`` for people.

    ``machine`` is what its programs are for where that is not x86-64, else "". ``init``: an init
    was found; where the distribution is known, the search may have ended before.
    """

    distro: str
    title: str
    machine: str = ""
    init: bool = False


def detect_distro(path: Path) -> DetectedDistro:
    """What the directory or tar archive at ``path`` is.

    An archive is read only as far as it takes. Raises ArchiveError for what is none, and OSError.
    """
    return _detect(dict(_in_directory(path) if path.is_dir() else _in_archive(path)))


def parse_release(text: str) -> dict[str, str]:
    """The settings in the text of an os-release."""
    pairs = (line.partition("=")[::2] for line in text.splitlines())
    return {key: value.strip("\"'") for key, value in pairs}


def distro_of(release: dict[str, str]) -> str:
    """The distribution that an os-release means, or is like: the first word that is known."""
    words = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    return next((word for word in words if word in distros.KNOWN), OTHER.name)


def _detect(found: dict[str, bytes]) -> DetectedDistro:
    text = next(filter(None, map(found.get, _RELEASES)), b"").decode("utf-8", "replace")
    release = parse_release(text)
    elves = [read_elf(io.BytesIO(found[name])) for name in _PROGRAMS if name in found]
    foreign = next((elf.words for elf in elves if elf and not elf.x86_64), "")
    return DetectedDistro(
        distro_of(release),
        one_line(release.get("PRETTY_NAME", "")),
        foreign,
        any(name in found for name in _INITS),
    )


def _in_directory(path: Path) -> Iterator[tuple[str, bytes]]:
    root = path.resolve()
    for name in (*_RELEASES, *_PROGRAMS, *_INITS):
        if name in _INITS and os.path.lexists(f"{path}{name}"):
            yield name, b""
        place = Path(f"{path}{name}").resolve()
        if place.is_relative_to(root) and place.is_file():  # no link has led out of it
            with place.open("rb") as file:
                yield name, file.read(_MOST)


def _in_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Also where all of it is inside one directory; ends when both are known."""
    release = program = False
    with path.open("rb") as file:
        source = decompressed(file)
        for member in members(source):
            name = _sought(inside(member.name)[0])
            if not name:
                continue
            if name in _INITS or member.kind is not EntryType.FILE or member.hard:
                yield name, b""
                continue
            data = next((piece for _, piece in contents(source, member)), b"")[:_MOST]
            yield name, data
            release |= name in _RELEASES and _is_known(data)
            program |= name in _PROGRAMS
            if release and program:
                return


def _sought(path: str) -> str:
    """The path that is searched for, also one directory deeper; "" for any other."""
    paths = (*_RELEASES, *_PROGRAMS, *_INITS)
    if path in paths:
        return path
    deeper = path[path.find("/", 1) :]
    return deeper if deeper in paths else ""


def _is_known(data: bytes) -> bool:
    return _detect({_RELEASES[0]: data}).distro != OTHER.name


def tree_sum(directory: Path) -> str:
    """What changes when anything in ``directory`` does: 64 hexadecimal digits.

    By the function that the import verifies it with; raises OSError for what may not be read.
    """
    script = f'{programs.script("import.sh")}\ntree_sum "$1"'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script, "-", directory],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(errno.EACCES, one_line(done.stderr.strip().splitlines()[-1]))
    return done.stdout.strip()
