"""Archives with members beneath links: whether tar unpacks them, and where.

Measured with GNU tar 1.34 (Debian 12), with which the hub unpacks: `tar -xpf`;
tests/truth/test_archives.py measures it again.
"""

from __future__ import annotations

import tarfile

from tests.support.trees import member

Members = list[tarfile.TarInfo]


def directory(name: str) -> tarfile.TarInfo:
    return member(name, tarfile.DIRTYPE)


def link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.SYMTYPE, target)


USR = directory("usr/lib")
LIB = link("lib", "usr/lib")

UNPACKED: dict[str, Members] = {
    "relative": [USR, LIB, member("lib/z")],
    "with dots and slashes": [USR, link("lib", "./usr//lib/"), member("lib/z")],
    "directory after link": [LIB, USR, member("lib/z")],
    "directories made on the way": [USR, LIB, member("lib/a/b/z")],
    "link to a link": [directory("s/lib"), link("usr", "s"), LIB, member("lib/z")],
    "link below a link": [
        directory("d/e"), link("d/a", "e"), link("l", "d"), member("l/a/z"),
    ],
    "to its own directory": [link("l", "."), member("l/l/z")],
    "a link": [USR, LIB, link("lib/k", "x")],
    "a directory": [USR, LIB, directory("lib/k")],
    "a directory instead of the link": [USR, LIB, directory("lib"), member("lib/z")],
    "hard link to it": [USR, LIB, member("usr/lib/z"), member("h", tarfile.LNKTYPE, "lib/z")],
    "hard link": [USR, LIB, member("q"), member("lib/h", tarfile.LNKTYPE, "q")],
}  # fmt: skip
REFUSED: dict[str, Members] = {
    "absolute": [USR, link("lib", "/usr/lib"), member("lib/z")],
    "climbing": [USR, link("a/lib", "../usr/lib"), member("a/lib/z")],
    "link to an absolute link": [
        directory("s/lib"), link("usr", "/s"), LIB, member("lib/z"),
    ],
    "to nothing": [LIB, member("lib/z")],
    "directory too late": [LIB, member("lib/z"), USR],
    "to itself": [link("l", "l"), member("l/z")],
    "beneath a file": [member("f"), member("f/z")],
}  # fmt: skip
