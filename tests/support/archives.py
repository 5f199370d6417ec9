"""Small tar archives of imported root file systems, member by member."""

from __future__ import annotations

import io
import tarfile

from tests.support.executables import program
from tests.support.faults import member

DEBIAN = b'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
MINT = b'ID=linuxmint\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Linux Mint 22"\n'
ALPINE = b"ID=alpine\nPRETTY_NAME='Alpine Linux v3.20'\n"

Entry = tuple[tarfile.TarInfo, bytes]


def file(name: str, data: bytes = b"x") -> Entry:
    info = member(name)
    info.size, info.mode = len(data), 0o755
    return info, data


def entry(name: str, kind: bytes, target: str = "") -> Entry:
    return member(name, kind, target), b""


def tar(*entries: Entry) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


LINK, HARD, DIRECTORY = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
DEVICE, FIFO = tarfile.CHRTYPE, tarfile.FIFOTYPE


def system(release: bytes = DEBIAN, *more: Entry, inside: str = "") -> bytes:
    """The archive of a small system; all of it in the directory ``inside``, if that is given."""
    entries = (
        entry(f"{inside}etc", DIRECTORY),
        entry(f"{inside}etc/os-release", LINK, "../usr/lib/os-release"),
        file(f"{inside}usr/bin/bash", program()),
        file(f"{inside}usr/lib/os-release", release),
        *more,
    )
    return tar(*entries)
