"""Everything that reads what strangers made, each with good inputs to change at random."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import struct
import subprocess
import tempfile
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

from hypothesis import strategies as st

from tests.support import disks, oci
from tests.support.executables import MICROCODE, PACKERS, bzimage, elf, initramfs
from tests.support.flist_bytes import database, packed_flist, small
from tests.support.limits import bounds
from tests.support.trees import tarred, vm_tree
from zwizard.checks import Report, check
from zwizard.engine.redact import hide_secrets
from zwizard.image import FlistTree, UnreadableError
from zwizard.image.archive.byte_stream import ArchiveError, plain
from zwizard.image.disk.disk_image import DiskImage
from zwizard.image.disk.ext4 import Ext4Tree
from zwizard.image.disk.fat import FatTree
from zwizard.image.disk.gpt import read_gpt
from zwizard.image.disk.ranges import FileRange
from zwizard.image.executables.initramfs import read_initramfs
from zwizard.image.executables.kernel import read_kernel
from zwizard.image.oci import OciError, layered_tree, read_oci
from zwizard.image.tree import EntryType, FileTree
from zwizard.plan import targets
from zwizard.recipe.fields import Container, System
from zwizard.recipe.model import Recipe
from zwizard.treetools.untar import MemberFilter, RefusedMemberError, sift
from zwizard.tui.widgets import ansi
from zwizard.util.errors import UsageError
from zwizard.util.text import sanitise

_LARGEST = 4 << 20  # what an edit may make of an input by repeating a part of it
_GRANULE = 16


@dataclass(frozen=True)
class Edit:
    """One change at ``share`` of what is not zeros: ``put`` over it, or ``cut`` out of it.

    With ``times``, ``put`` is put in so often instead, or if it is empty, the ``cut`` bytes there.
    """

    share: float
    put: bytes = b""
    cut: int = 0
    times: int = 0


_share = st.floats(0, 1, exclude_max=True)
_numbers = st.builds(
    lambda value, size, order: (value % (1 << 8 * size)).to_bytes(size, order),
    st.one_of(st.sampled_from([0, 1, -1]), st.integers(0, 63).map(lambda bit: (1 << bit) - 1),
              st.integers(0, 63).map(lambda bit: 1 << bit)),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(["little", "big"]),
)  # fmt: skip
_repeated = st.one_of(st.sampled_from([b"\n", b" ", b"\0", b"\xff", b"\n ", b"["]),
                      st.binary(min_size=1, max_size=40))  # fmt: skip
_times = st.sampled_from([2, 100, 10_000, 1 << 20])
edits = st.lists(
    st.one_of(
        st.builds(Edit, _share, put=st.binary(min_size=1, max_size=12)),
        st.builds(Edit, _share, put=_numbers),
        st.builds(Edit, _share, cut=st.integers(1, 3000)),
        st.builds(Edit, _share, put=_repeated, times=_times),
        st.builds(Edit, _share, cut=st.integers(1, 200), times=_times),
    ),
    min_size=1,
    max_size=6,
)


def places(data: bytes) -> array[int]:
    """Where ``data`` is not zeros, by granules: file systems are mostly empty."""
    empty = bytes(_GRANULE)
    return array("q", (at for at in range(0, len(data), _GRANULE)
                       if data[at : at + _GRANULE] != empty[: len(data) - at]))  # fmt: skip


def offset(share: float, where: array[int]) -> int:
    """The byte at ``share`` of what is not zeros."""
    number, inside = divmod(int(share * len(where) * _GRANULE), _GRANULE)
    return where[number] + inside


def mutated(data: bytes, where: array[int], changes: list[Edit]) -> bytes:
    """``data`` with every edit made."""
    for edit in changes:
        at = offset(edit.share, where)
        put, passed = edit.put, len(edit.put) or edit.cut
        if edit.times and at < len(data):
            put = put or data[at : at + edit.cut]
            put *= max(1, min(edit.times, _LARGEST // len(put)))
            passed = 0
        data = data[:at] + put + data[at + passed :]
    return data


@dataclass(frozen=True)
class Target:
    """One reader: ``good`` is an input it takes, ``feed`` gives it another one.

    ``feed`` gets a directory of its own to write to, and raises what the reader should not.
    """

    good: bytes
    feed: Callable[[Path, bytes], None]
    where: array[int]

    def run(self, place: Path, changes: list[Edit]) -> None:
        """Feed it the good input with these changes, within bounds."""
        data = mutated(self.good, self.where, changes)
        with bounds():
            self.feed(place, data)


# --- archives -----------------------------------------------------------------------------------


@cache
def _tar() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        return tarred(vm_tree(Path(place) / "root"))


@cache
def _tar_of(*options: str) -> bytes:
    """The same by GNU tar, with long names and holes."""
    with tempfile.TemporaryDirectory() as place:
        root = vm_tree(Path(place) / "root")
        (root / ("long" * 40)).symlink_to("long" * 40)
        with (root / "etc/holes").open("wb") as file:
            for at in (0, 1 << 20, 2 << 20, 3 << 20, 4 << 20, 5 << 20):
                file.seek(at)
                file.write(b"data")
        command = ["tar", "-c", "--numeric-owner", *options, "-C", str(root), "."]
        return subprocess.run(command, capture_output=True, check=True).stdout


def _judged(path: Path, mode: str = "vm") -> Report | None:
    try:
        report = check(path, mode=mode, disk_size=5 << 30)
    except UnreadableError:
        return None
    report.to_json()
    return report


def _gzip(place: Path, data: bytes) -> None:
    """Ready only if it unpacks to the very same."""
    path = place / "image.tar.gz"
    path.write_bytes(data)
    report = _judged(path)
    if report is not None and report.ready:
        assert gzip.decompress(data) == _tar()


def _in_gzip(place: Path, data: bytes) -> None:
    """Ready only if tar takes it too."""
    path = place / "image.tar.gz"
    path.write_bytes(gzip.compress(data, 1))
    report = _judged(path)
    if report is not None and report.ready:
        subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True)


# --- kernels ------------------------------------------------------------------------------------


def _packed_kernel(form: str) -> bytes:
    return bzimage(PACKERS[form](elf()))


def _packed_initramfs(form: str) -> bytes:
    return MICROCODE[:2048] + PACKERS[form](initramfs())


def _kernel(place: Path, data: bytes) -> None:
    read_kernel(io.BytesIO(data))


def _initramfs(place: Path, data: bytes) -> None:
    read_initramfs(io.BytesIO(data)).close()


# --- disks --------------------------------------------------------------------------------------


def _walk(view: FileTree) -> None:
    for number, entry in enumerate(view.entries()):
        view.resolve(entry.path)
        if entry.kind is EntryType.FILE and number < 200:
            view.read(entry.path, 1 << 20)


def _volume(make: Callable[[Path, FileRange], FileTree]) -> Callable[[Path, bytes], None]:
    def feed(place: Path, data: bytes) -> None:
        with contextlib.suppress(UnreadableError):
            _walk(make(place, FileRange(io.BytesIO(data), 0, len(data))))

    return feed


@cache
def _fat(size: int, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        files = {
            **disks.LOADER,
            "EFI/debian/A long name, even.cfg": b"x" * 3000,
            "b.txt": b"y",
        }
        return disks.fat(Path(place) / "fat", size, files, *options).read_bytes()


@cache
def _ext(*options: str) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "tree"
        (tree / "etc").mkdir(parents=True)
        (tree / "etc/large").write_bytes(b"0123456789abcdef" * 20000)
        (tree / "etc/inline").write_bytes(b"y" * 120)
        (tree / "etc/long").symlink_to("./" * 40 + "large")
        (tree / "etc/short").symlink_to("large")
        (tree / "many").mkdir()
        for number in range(100):
            (tree / f"many/a name that is rather long, number {number}").write_bytes(b"z")
        return disks.ext(Path(place) / "ext", 4, tree, *options).read_bytes()


@cache
def _table() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "disk"
        disks.partition(path, disks.Part(disks.ESP_TYPE, 1, 2),
                        disks.Part(disks.ROOT_TYPE, 2, 3), size=4)  # fmt: skip
        return path.read_bytes()


def _gpt(place: Path, data: bytes) -> None:
    disk = DiskImage(place, io.BytesIO(data), len(data))
    read_gpt(disk.raw)
    assert len(disk.volumes) <= 128


def _gpt_summed(place: Path, data: bytes) -> None:
    """Correct the checksums of header and table, so that their content is read."""
    head = bytearray(data[512:1024].ljust(512, b"\0"))
    table, count, entry = struct.unpack_from("<QII", head, 72)
    size = min(count * entry, 1 << 20)
    if table < 1 << 40:
        entries = data[table * 512 : table * 512 + size]
        struct.pack_into("<I", head, 88, zlib.crc32(entries))
    head[16:20] = bytes(4)
    (length,) = struct.unpack_from("<I", head, 12)
    struct.pack_into("<I", head, 16, zlib.crc32(head[: min(length, 512)]))
    _gpt(place, data[:512] + bytes(head) + data[1024:])


@cache
def _whole() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        tree = disks.image_tree(Path(place) / "tree")
        return disks.disk(Path(place) / "image.raw", tree).read_bytes()


def _disk(place: Path, data: bytes) -> None:
    path = place / "image.raw"
    with path.open("wb") as file:
        _write_sparsely(file, data)
    _judged(path, "image")
    path.unlink()


def _write_sparsely(file: BinaryIO, data: bytes) -> None:
    block = 1 << 20
    for at in range(0, len(data), block):
        piece = data[at : at + block]
        if piece.count(0) != len(piece):
            file.seek(at)
            file.write(piece)
    file.truncate(len(data))


# --- settings -----------------------------------------------------------------------------------

SETTINGS = {
    "etc/ssh/sshd_config": b"Include /etc/ssh/sshd_config.d/*.conf\nAllowUsers root@*\n",
    "etc/fstab": b"UUID=1234-ABCD /boot/efi vfat defaults,nofail 0 1\n",
    "etc/shadow": b"root:$y$j9T$abc$def:19518:0:99999:7:::\n",
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "etc/resolv.conf": b"# by hand\nnameserver 1.1.1.1\n",
    "etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
    "etc/cloud/cloud.cfg.d/zz-own.cfg": b"datasource_list: [NoCloud]\nsystem_info:\n  network:\n"
    b"    renderers: [netplan,\n      eni]\nnetwork: {config: disabled}\n"
    b"datasource: {NoCloud: {fs_label: own}}\n",
    "etc/cloud/ds-identify.cfg": b"policy: enabled\ndatasource: NoCloud\n",
    "etc/netplan/01.yaml": b"x:\n  match:\n    macaddress: '52:54:00:12:34'\n",
    "etc/environment": b"export HTTPS_PROXY=\n",
    "etc/apt/apt.conf.d/01proxy": b'Acquire::http::Proxy "DIRECT";\n',
    "etc/ssl/private/own.key": b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
    "etc/tmpfiles.d/setuid.conf": b"z /usr/sbin/sudo 4755 root root\n",
    "etc/kernel/postinst.d/zz": b"#!/bin/sh\nextract-vmlinux $2\n",
    "etc/pacman.conf": b"[options]\nIgnorePkg = linux\n",
    "var/lib/dpkg/status": b"Package: linux-image-6.1\nStatus: hold ok installed\n\n",
    "etc/apt/preferences.d/kernel": b"Package: linux-image-*\nPin: release *\nPin-Priority: -1\n",
    "usr/lib/systemd/system/cloud-init.service": b"[Unit]\nWants=cloud-config.service\n",
    "usr/lib/python3/dist-packages/cloudinit/version.py": b'__VERSION__ = "22.4.2"\n',
    ".startup.toml": b'[startup.entry]\nname = "x"\n[startup.entry.args]\nname = "/app"\n',
    "usr/lib/systemd/systemd": b"#!/usr/bin/env -S node\n",
}
"""The files whose text is read, each with what is nearly found in it."""


def _settings(name: str) -> Callable[[Path, bytes], None]:
    def feed(place: Path, data: bytes) -> None:
        root = _tree()
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(data[: 1 << 20])  # more of it is refused
        try:
            for mode in ("vm", "container"):
                check(root, mode=mode).to_json()
        finally:
            path.unlink() if before is None else path.write_bytes(before)

    return feed


@cache
def _tree() -> Path:
    place = Path(tempfile.mkdtemp(prefix="zwizard-settings-"))
    _places.append(place)
    return vm_tree(place / "root")


_places: list[Path] = []


def forget() -> None:
    """Remove what the targets share."""
    while _places:
        shutil.rmtree(_places.pop())
    _tree.cache_clear()


# --- what is imported --------------------------------------------------------------------------


@cache
def _oci() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        layout = oci.Layout(Path(place) / "image")
        base = [("bin/sh", (0o755, 0, 0, b"\x7fELF")), ("etc/old", b"x"), ("etc/link", "old")]
        layout.image(base, [("etc/.wh.old", b""), ("opt/.wh..wh..opq", b"")]).nested()
        return oci.packed(Path(place) / "image", Path(place) / "image.tar").read_bytes()


def _image(place: Path, data: bytes) -> None:
    path = place / "image.tar"
    path.write_bytes(data)
    for read in (read_oci, layered_tree):
        with contextlib.suppress(OciError):
            read(path)


def _flist(place: Path, data: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        _walk(FlistTree(packed_flist(place / "image.flist", data)))


def _unpacked(place: Path, data: bytes) -> None:
    with contextlib.suppress(ArchiveError, RefusedMemberError):
        sift(plain(io.BytesIO(data)), io.BytesIO(), MemberFilter(1 << 40, 1000, 1000))


RECIPE = Recipe(system=System(run=("echo 'a'\n",)), container=Container(env={"A": "b"})).to_toml()


def _recipe(place: Path, data: bytes) -> None:
    path = place / "recipe.toml"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        targets.make(Recipe.load(path))


LOG = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07 a\rb\tc \xe2\x80\xae\n$ curl -u a:b http://a:b@c/?d=e\n"


def _log(place: Path, data: bytes) -> None:
    shown = data[: 1 << 18].decode("utf-8", "replace")
    hide_secrets(shown)
    for line in shown.split("\n")[:1000]:
        text = ansi.parse(line).plain
        assert sanitise(text) == text


# --- all ----------------------------------------------------------------------------------------

_PLAIN = ("-O", "^metadata_csum")  # sums would catch most changes before they are looked at
_FORMS: dict[str, tuple[Callable[[], bytes], Callable[[Path, bytes], None]]] = {
    "gzip": (lambda: gzip.compress(_tar(), 1, mtime=0), _gzip),
    "tar": (_tar, _in_gzip),
    "tar-gnu-sparse": (lambda: _tar_of("--format=gnu", "--sparse"), _in_gzip),
    "tar-pax-sparse": (lambda: _tar_of("--format=posix", "--sparse"), _in_gzip),
    "tar-pax-sparse-0.1": (
        lambda: _tar_of("--format=posix", "--sparse", "--sparse-version=0.1"), _in_gzip),
    "tar-ustar": (lambda: _tar_of("--format=v7", "--exclude=long*"), _in_gzip),
    "elf": (lambda: elf(configuration="CONFIG_X=y"), _kernel),
    **{f"bzimage-{form}": (partial(_packed_kernel, form), _kernel)
       for form in PACKERS},
    "initramfs": (lambda: MICROCODE[:2048] + initramfs(), _initramfs),
    **{f"initramfs-{form}": (partial(_packed_initramfs, form), _initramfs)
       for form in PACKERS},
    "gpt": (_table, _gpt),
    "gpt-summed": (_table, _gpt_summed),
    "fat12": (lambda: _fat(2, "-F", "12"), _volume(FatTree)),
    "fat16": (lambda: _fat(20, "-F", "16"), _volume(FatTree)),
    "fat32": (lambda: _fat(34, "-F", "32", "-s", "1"), _volume(FatTree)),
    "ext2": (lambda: _ext("-t", "ext2", "-b", "1024"), _volume(Ext4Tree)),
    "ext4": (lambda: _ext("-t", "ext4", *_PLAIN), _volume(Ext4Tree)),
    "ext4-inline": (
        lambda: _ext("-t", "ext4", "-I", "512", "-O", "^metadata_csum,inline_data"),
        _volume(Ext4Tree)),
    "ext4-sums": (lambda: _ext("-t", "ext4"), _volume(Ext4Tree)),
    "disk": (_whole, _disk),
    "oci": (_oci, _image),
    "flist": (lambda: database(small()), _flist),
    "untar": (_tar, _unpacked),
    "recipe": (RECIPE.encode, _recipe),
    "log": (partial(bytes, LOG), _log),
    **{f"settings-{name}": (partial(bytes, text), _settings(name))
       for name, text in SETTINGS.items()},
}  # fmt: skip
NAMES = tuple(_FORMS)


@cache
def target(name: str) -> Target:
    """The reader called ``name``."""
    make, feed = _FORMS[name]
    good = make()
    return Target(good, feed, places(good))
