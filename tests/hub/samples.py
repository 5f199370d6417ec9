"""Archives to upload."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

from tests.hub.flist import PIECE

TIME = 1_700_000_000


def entry(name: str, kind: bytes = tarfile.REGTYPE, **facts: object) -> tarfile.TarInfo:
    """A member of an archive; ``facts`` are attributes of a TarInfo."""
    member = tarfile.TarInfo(name)
    member.type, member.mtime = kind, TIME
    for key, value in facts.items():
        setattr(member, key, value)
    return member


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def packed(
    *members: tuple[tarfile.TarInfo, bytes],
    compress: Callable[[bytes], bytes] = gzipped,
) -> bytes:
    """An archive of members and their contents; the same bytes each time."""
    data = io.BytesIO()
    with tarfile.open(mode="w", fileobj=data) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return compress(data.getvalue())


# An entry of every kind; a file of three pieces is the last file, so that each fault of a
# flist's content can be in it.
SAMPLE = packed(
    (entry("./", tarfile.DIRTYPE, mode=0o755), b""),
    (entry("./dev", tarfile.DIRTYPE, mode=0o755), b""),
    (entry("./dev/fifo", tarfile.FIFOTYPE), b""),
    (entry("./dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
    (entry("./empty", tarfile.DIRTYPE, mode=0o1777, mtime=TIME + 1), b""),
    (entry("./etc", tarfile.DIRTYPE, mode=0o755), b""),
    (entry("./etc/hello", uid=12345, gid=54321), b"hello\n"),
    (entry("./etc/hard", tarfile.LNKTYPE, linkname="./etc/hello"), b""),
    (entry("./etc/zero", mode=0o600), b""),
    (entry("./link", tarfile.SYMTYPE, linkname="etc/hello", mode=0o777), b""),
    (entry("./usr", tarfile.DIRTYPE, mode=0o755), b""),
    (entry("./usr/su", mode=0o4755, uid=33, gid=33), b"su" * 1000),
    (entry("./usr/\xfcnicode", mode=0o640), b"x"),
    (entry("./usr/\udce9", mode=0o644), b"not UTF-8"),
    (entry("./var", tarfile.DIRTYPE, mode=0o700), b""),
    (entry("./var/three"), b"1" * PIECE + b"2" * PIECE + b"3"),
)
