"""Functions that each break an image, a directory or an archive, in one way."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import zwizard
from tests.support.executables import VERSION
from tests.support.trees import CONFIG

CONFIG_FILE = f"boot/config-{VERSION}"

Fault = Callable[[Path], None]


def write(name: str, data: bytes) -> Fault:
    def breaks(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        own(root / name)
        (root / name).write_bytes(data)

    return breaks


def own(path: Path) -> None:
    """Make a file of the tree's own of one that it may share with another by a hard link."""
    if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
        data, bits = path.read_bytes(), path.stat().st_mode
        path.unlink()
        path.write_bytes(data)
        path.chmod(bits)


def link(name: str, target: str) -> Fault:
    def breaks(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)

    return breaks


def directory(name: str) -> Fault:
    return lambda root: (root / name).mkdir(exist_ok=True)


def move(name: str, to: str) -> Fault:
    def breaks(root: Path) -> None:
        (root / name).rename(root / to)

    return breaks


def remove(*names: str) -> Fault:
    def breaks(root: Path) -> None:
        for name in names:
            path = root / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return breaks


def configured(old: str, new: str) -> Fault:
    return write(CONFIG_FILE, CONFIG.replace(old, new).encode())


def both(*breakages: Fault) -> Fault:
    def breaks(root: Path) -> None:
        for breakage in breakages:
            breakage(root)

    return breaks


def wrapped(root: Path) -> None:
    inner = root / "ubuntu"
    others = list(root.iterdir())
    inner.mkdir()
    for path in others:
        path.rename(inner / path.name)


def emptied(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def executable(name: str, text: str) -> Fault:
    def breaks(root: Path) -> None:
        write(name, text.encode())(root)
        mode(name, 0o755)(root)

    return breaks


def own_hook(root: Path) -> None:
    """The hook that zwizard itself puts into the VMs it builds."""
    files = Path(zwizard.__file__).parent / "steps/scripts"
    executable("etc/kernel/postinst.d/zz-zos-kernel", (files / "zz-zos-kernel").read_text())(root)


def packages(*paragraphs: str) -> Fault:
    return write("var/lib/dpkg/status", "\n\n".join(paragraphs).encode())


def mode(name: str, bits: int) -> Fault:
    def breaks(root: Path) -> None:
        own(root / name)
        (root / name).chmod(bits)

    return breaks


def replaced(name: str, old: str, new: str) -> Fault:
    def breaks(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        write(name, text.replace(old, new).encode())(root)

    return breaks


def sparse(name: str, size: int) -> Fault:
    """A file that is one hole."""

    def breaks(root: Path) -> None:
        write(name, b"")(root)
        os.truncate(root / name, size)

    return breaks


LATIN = os.fsdecode(b"caf\xe9")
FLIST: list[tuple[str, str, Fault]] = [
    ("flist-directory-size", "/own needs", sparse("own/large", 32 << 30)),
    ("flist-directory-size", "/own needs",
     both(*(sparse(f"own/{number}", 655 << 19) for number in range(100)))),
    ("flist-directory-segments", "the largest, /own, needs", sparse("own/large", 21 << 30)),
    ("flist-file-size", "/own/large loses its last 100 of", sparse("own/large", (3 << 30) + 100)),
    ("flist-file-size", "/own/large loses its last 1 of", sparse("own/large", (16 << 20) + 1)),
    ("flist-names", r"1: /own/caf\xe9", write(f"own/{LATIN}", b"")),
    ("flist-names", r"1: /own -> caf\xe9", link("own", LATIN)),
]  # fmt: skip
"""What any image can have and a flist cannot hold: rule, evidence, how."""


# --- archives -----------------------------------------------------------------------------------


def cut(share: float) -> Fault:
    """The archive without what is behind ``share`` of it."""

    def breaks(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(int(path.stat().st_size * share))

    return breaks


def damaged(path: Path) -> None:
    """A few bytes in the middle of the archive are others."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff\x00\xff\x00")


def followed(path: Path) -> None:
    """Something stands behind the archive's end."""
    with path.open("ab") as file:
        file.write(b"more")


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", owner: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.uname = kind, target, owner
    return info


def appended(*members: tarfile.TarInfo) -> Fault:
    """Members behind the last one, as tar --append puts them."""

    def breaks(path: Path) -> None:
        whole = path.rename(path.with_suffix(".whole"))
        with tarfile.open(whole) as archive:
            last = max(archive, key=lambda info: info.offset_data)
            left = last.offset_data + (last.size + 511) // 512 * 512
        with gzip.open(whole) as source, gzip.open(path, "wb", 1) as packed:
            while left:
                data = source.read(min(1 << 20, left))
                packed.write(data)
                left -= len(data)
            packed.writelines(info.tobuf(tarfile.GNU_FORMAT) for info in members)
            packed.write(bytes(1024))
        whole.unlink()

    return breaks


BYTES: list[tuple[str, str, Fault]] = [
    ("archive-readable", "truncated", cut(0.5)),
    ("archive-readable", "truncated", cut(0.999)),
    ("archive-readable", "", damaged),
    ("archive-readable", "other data follows", followed),
]
"""What breaks an archive: rule, evidence, how."""

MEMBERS: list[tuple[str, str, tarfile.TarInfo]] = [
    ("archive-paths", "is absolute", member("/etc/absolute")),
    ("archive-paths", "climbs out with ..", member("../outside")),
    ("archive-paths", "which is missing", member("etc/h", tarfile.LNKTYPE, "./etc/nothing")),
    ("archive-paths", "bin/sh/beneath lies beneath /", member("bin/sh/beneath")),
    ("archive-duplicates", "duplicates: /etc/hosts", member("./etc/hosts")),
    ("archive-owners", "1 members have names: joe:", member("./etc/owned", owner="joe")),
]
"""What should not be in the archive of a system that has /etc/hosts and /bin/sh."""

ARCHIVES = [*BYTES, *((slug, evidence, appended(info)) for slug, evidence, info in MEMBERS)]
"""All of these, each by itself."""

NAMES = [
    ("archive-name", "a.tgz"),
    ("archive-name", "a.TAR.GZ"),
    ("archive-name-survives", "a b.tar.gz"),
    ("path-colon", "a:b.tar.gz"),
]
"""Names that an archive should not have, and the rule that says so."""
