"""The checklist on a real Debian VM: good as it is, and broken in each rule's way by that rule."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.checks.rules.test_first_boot import BROKEN as BROKEN_GUEST
from tests.support import disks
from tests.support.disks import Part
from tests.support.executables import bzimage, cpio, cpio_member, program
from tests.support.faults import (
    ARCHIVES,
    BYTES,
    FLIST,
    MEMBERS,
    NAMES,
    Fault,
    appended,
    emptied,
    link,
    remove,
    wrapped,
    write,
)
from zwizard.checks import Mode, Outcome, Report, Severity, all_rules, check

pytestmark = pytest.mark.real

EXPLAINED = {"setuid-files"}
"""What even a good Debian fails in: its sudo and su lose their bits on any flist."""


@pytest.fixture(scope="session")
def unpacked(vm_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The archive's tree; the tests link to its files and never write them."""
    root = tmp_path_factory.mktemp("unpacked") / "debian"
    root.mkdir()
    disks.run("tar", "-xpf", vm_archive, "-C", root)
    yield root
    wrong = {f.slug for f in check(root, mode="vm").findings if f.wrong}
    shutil.rmtree(root)
    assert wrong <= EXPLAINED, f"a test changed the tree that it shares: {wrong}"


@pytest.fixture(scope="session")
def linked(unpacked: Path) -> Path:
    """A second tree of hard links to the first."""
    own = unpacked.with_name("own")
    disks.run("cp", "-al", unpacked, own)
    return own


@pytest.fixture
def root(unpacked: Path, linked: Path) -> Iterator[Path]:
    """A tree to break; afterwards only what differs is linked anew, which is faster than all."""
    yield linked
    _restore(linked, unpacked)


def _restore(own: Path, whole: Path) -> None:
    """Make the directory ``own`` again what ``whole`` is: the same files by hard links."""
    wanted = {item.name: item for item in os.scandir(whole)}
    for item in os.scandir(own):
        other = wanted.get(item.name)
        if other is not None and _same(item, other):
            continue
        remove(item.name)(own)
    for name, item in wanted.items():
        path = own / name
        if item.is_dir(follow_symlinks=False):
            path.mkdir(exist_ok=True)
            path.chmod(item.stat().st_mode)
            _restore(path, whole / name)
        elif not os.path.lexists(path):
            os.link(item.path, path, follow_symlinks=False)


def _same(one: os.DirEntry[str], two: os.DirEntry[str]) -> bool:
    if one.is_dir(follow_symlinks=False):
        return two.is_dir(follow_symlinks=False)
    return one.inode() == two.inode()


def kernel(root: Path) -> str:
    return f"boot/{(root / 'boot/vmlinuz').readlink()}"


def initrd(root: Path) -> str:
    return f"boot/{(root / 'boot/initrd.img').readlink()}"


GRUB_CFG = """\
set timeout=0
menuentry 'Debian' {{
	linux	/{kernel} root=UUID={uuid} ro  loglevel=3 console=tty console=ttyS0
	initrd	/{initrd}
}}
"""


def for_disk(root: Path) -> None:
    """A menu as grub-mkconfig makes it, and virtio_blk in the initramfs, as disk images have."""
    menu = GRUB_CFG.format(kernel=kernel(root), initrd=initrd(root), uuid=disks.ROOT_UUID)
    write("boot/grub/grub.cfg", menu.encode())(root)
    (driver,) = root.glob("usr/lib/modules/*/kernel/drivers/block/virtio_blk.ko")
    lists = root.glob("usr/lib/modules/*/modules.*")
    files = {str(path.relative_to(root)): path.read_bytes() for path in (driver, *lists)}
    files["conf/modules"] = b"virtiofs\nvirtio_pci\nvirtio_blk\next4\n"
    followed(cpio(files))(root)


def compare_guests(image: Report, vm: Report) -> None:
    """The same guest has the same findings in a disk image and as a VM."""
    for rule in all_rules():
        own = rule.slug.startswith(("archive", "mode", "flist", "fstab"))
        if {Mode.VM, Mode.IMAGE} <= rule.modes and not own:
            one, two = image.finding(rule.slug), vm.finding(rule.slug)
            assert one.outcome is two.outcome, rule.slug
            if rule.slug != "initrd-root":  # which says on what the root is
                assert one.evidence == two.evidence


def edited(name: Callable[[Path], str], change: Callable[[bytes], bytes]) -> Fault:
    """A file whose name holds the version, changed."""

    def breaks(root: Path) -> None:
        before = (root / name(root)).read_bytes()
        after = change(before)
        assert after != before
        write(name(root), after)(root)

    return breaks


def version(old: bytes, new: bytes) -> Fault:
    return edited(kernel, lambda data: data.replace(b"Linux version " + old,
                                                    b"Linux version " + new))  # fmt: skip


def without_module(name: str) -> Fault:
    """The real initramfs with a module under another name."""
    return replaced_inside(f"{name}.ko".encode(), b"x" * len(name) + b".ko")


def replaced_inside(old: bytes, new: bytes) -> Fault:
    """The real initramfs with other words in it, as many bytes."""

    def changed(data: bytes) -> bytes:
        inside = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        return zstandard.compress(inside.replace(old, new), 1)

    return edited(initrd, changed)


def followed(archive: bytes) -> Fault:
    """The real initramfs with another archive behind it, whose files replace its own."""
    return edited(initrd, lambda data: data + zstandard.compress(archive))


def modules(pattern: str) -> Fault:
    """No module of that name in /lib/modules."""

    def breaks(root: Path) -> None:
        found = list((root / "usr/lib/modules").rglob(pattern))
        assert found
        for path in found:
            path.unlink()

    return breaks


def beyond(data: bytes) -> bytes:
    """An ELF whose first segment says that it goes on behind the file's end."""
    (table,) = struct.unpack_from("<Q", data, 32)
    (start,) = struct.unpack_from("<Q", data, table + 8)
    return data[: table + 32] + struct.pack("<Q", len(data) - start + 1) + data[table + 40 :]


# The note of a PVH entry: sizes, type 0x12, owner.
XEN = re.compile(rb"(\x04\x00\x00\x00[\x04\x08]\x00\x00\x00)(\x12\x00\x00)(\x00)Xen\x00")

BROKEN_KERNEL: list[tuple[str, Fault]] = [
    ("archive-root", wrapped),
    ("archive-root", emptied),
    ("mode", remove("boot/vmlinuz")),
    ("mode", lambda root: link("boot/vmlinuz", f"/{kernel(root)}")(root)),
    ("mode-single", write("image.raw", b"x")),
    ("kernel-resolves", link("boot/vmlinuz", "vmlinuz-gone")),
    ("kernel-resolves", edited(kernel, lambda data: b"")),
    ("kernel-link-relative", lambda root: link("boot/vmlinuz", f"/{kernel(root)}")(root)),
    ("kernel-link-relative", lambda root: link("boot/initrd.img", f"/{initrd(root)}")(root)),
    ("kernel-elf", edited(kernel, lambda data: bzimage(zstandard.compress(data, 1)))),
    ("kernel-elf", edited(kernel, lambda data: data[:18] + b"\xb7" + data[19:])),
    ("kernel-pvh", edited(kernel, lambda data: XEN.sub(rb"\1\3\2Xen\3", data))),
    ("kernel-pvh", edited(kernel, lambda data: XEN.sub(rb"\1\2\3Xon\3", data))),
    ("kernel-whole", edited(kernel, lambda data: data[: len(data) // 2])),
    ("kernel-whole", edited(kernel, beyond)),
    ("kernel-version", version(b"6.", b"7.")),
    ("kernel-version", modules("modules.dep")),
    ("kernel-recent", version(b"6.", b"4.")),
    ("kernel-drivers", modules("virtio_net.ko*")),
    ("kernel-drivers", modules("vfat.ko*")),
    ("kernel-btrfs", modules("btrfs.ko*")),
    ("kernel-upgrades", remove("etc/kernel/postinst.d/zz-zos-kernel")),
    ("initrd-resolves", link("boot/initrd.img", "gone")),
    ("initrd-resolves", remove("boot/initrd.img")),
    ("initrd-readable", edited(initrd, lambda data: data[: len(data) // 2])),
    ("initrd-readable", edited(initrd, lambda data: cpio({"bin/sh": b"x"}))),
    ("initrd-virtiofs", without_module("virtiofs")),
    ("initrd-virtiofs", edited(initrd, lambda data: cpio({"init": b"x"}))),
    ("initrd-virtio-pci", without_module("virtio_pci")),
    ("initrd-virtio-pci", edited(initrd, lambda data: cpio({"init": b"x"}))),
    ("initrd-init", followed(cpio({"init": b"#!/bin/no\n"}))),
    ("initrd-init", followed(cpio_member("init", program(), 0o100644))),
    ("initrd-root", replaced_inside(b"scripts/local", b"scripts/lacol")),
    ("initrd-root", followed(cpio({"conf/conf.d/own": b"BOOT=nfs\n"}))),
    ("init-present", remove("usr/lib/systemd/systemd")),
    ("init-present", link("usr/sbin/init", "/bin/nothing")),
]  # fmt: skip
# What breaks the small tree and leaves Debian another way: scripts in /etc/init.d, ifupdown, a
# shell.
HARMLESS = {
    "the service cloud-config is missing",
    "uses eni, and networking is not enabled",
    "a script for /bin/sh does not exist",
}
MUTANTS = [
    *BROKEN_KERNEL,
    *((slug, breaks) for slug, evidence, breaks in BROKEN_GUEST if evidence not in HARMLESS),
    *((slug, breaks) for slug, _, breaks in FLIST),
]


class TestAGoodVm:
    def test_is_ready_with_only_the_expected_warnings(
        self, vm_archive: Path, unpacked: Path
    ) -> None:
        for path in (vm_archive, unpacked):
            report = check(path, mode="vm")
            assert report.ready
            wrong = {f.slug: f.evidence for f in report.findings if f.wrong}
            assert set(wrong) <= EXPLAINED, wrong

    def test_gives_the_same_findings_as_archive_and_as_directory(
        self, vm_archive: Path, unpacked: Path
    ) -> None:
        one, two = check(vm_archive, mode="vm"), check(unpacked, mode="vm")
        for a, b in zip(one.findings, two.findings, strict=True):
            assert a.outcome is b.outcome, a.slug
            if not a.slug.startswith(("archive", "path-colon")):
                assert a.evidence == b.evidence

    def test_gives_the_same_findings_of_its_guest_inside_a_disk_image(
        self, root: Path, tmp_path: Path
    ) -> None:
        disks.need_tools()
        for_disk(root)
        path = disks.disk(tmp_path / "image.raw", root, Part(disks.ROOT_TYPE, 41, 2047))
        compare_guests(check(path, disk_size=5 << 30), check(root, mode="vm"))


@pytest.mark.parametrize(
    ("slug", "breaks"), MUTANTS, ids=[f"{n}-{slug}" for n, (slug, _) in enumerate(MUTANTS)]
)
def test_a_broken_vm_fails_the_rule_that_covers_it(root: Path, slug: str, breaks: Fault) -> None:
    breaks(root)
    report = check(root, mode="vm")
    finding = report.finding(slug)
    assert finding.outcome is Outcome.FAIL, finding.evidence
    assert not (finding.severity is Severity.MUST and report.ready)


def test_every_vm_rule_is_broken_and_every_must_twice() -> None:
    told = [slug for slug, _ in (*MUTANTS, *NAMES)] + [slug for slug, _, _ in ARCHIVES]
    for rule in all_rules():
        if Mode.VM in rule.modes:
            wanted = 2 if rule.severity is Severity.MUST else 1
            assert told.count(rule.slug) >= wanted, rule.slug


class TestABrokenArchive:
    """The archive itself, where a copy of it is broken."""

    @pytest.mark.parametrize(("slug", "name"), NAMES)
    def test_its_name(self, unpacked: Path, slug: str, name: str) -> None:
        report = check(unpacked, mode="vm", planned_name=name)
        assert report.finding(slug).outcome is Outcome.FAIL

    @pytest.mark.parametrize(("slug", "evidence", "breaks"), BYTES)
    def test_its_bytes(
        self, vm_archive: Path, tmp_path: Path, slug: str, evidence: str, breaks: Fault
    ) -> None:
        path = tmp_path / "debian.tar.gz"
        shutil.copy(vm_archive, path)
        breaks(path)
        report = check(path, mode="vm")
        assert report.finding(slug).outcome is Outcome.FAIL
        assert evidence in report.finding(slug).evidence
        assert not (report.finding(slug).blocks and report.ready)

    def test_its_members(self, vm_archive: Path, tmp_path: Path) -> None:
        """All at once: each by itself is in the tests of containers, whose archives are small."""
        path = tmp_path / "debian.tar.gz"
        shutil.copy(vm_archive, path)
        appended(*(member for _, _, member in MEMBERS))(path)
        report = check(path, mode="vm")
        for slug, evidence, _ in MEMBERS:
            assert report.finding(slug).outcome is Outcome.FAIL
            assert evidence in report.finding(slug).evidence
        assert not report.ready
