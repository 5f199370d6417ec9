"""Each rule for VMs: a good VM passes it, and an image with just that fault fails it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from tests.support.executables import (
    MICROCODE,
    NAME,
    PACKERS,
    VERSION,
    bzimage,
    cpio,
    cpio_member,
    elf,
    initramfs,
    note,
    program,
)
from tests.support.faults import (
    CONFIG_FILE,
    Fault,
    both,
    configured,
    directory,
    emptied,
    executable,
    link,
    mode,
    move,
    own_hook,
    packages,
    remove,
    wrapped,
    write,
)
from tests.support.trees import packed, vm_tree
from zwizard.checks import Mode, Outcome, Report, Severity, check

INITRD = f"boot/initrd.img-{VERSION}"
MODULES = f"usr/lib/modules/{VERSION}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "image")


def outcome(report: Report, slug: str) -> Outcome:
    return report.finding(slug).outcome


def test_a_good_vm_is_ready_as_directory_and_as_tarball(root: Path, tmp_path: Path) -> None:
    for path in (root, packed(root, tmp_path / "image.tar.gz")):
        report = check(path, mode="vm")
        assert report.ready
        wrong = [finding for finding in report.findings if finding.wrong]
        assert wrong == []


# What breaks each rule: how, and a word of the evidence.

# As Debian's GRUB has them.
GRUB_HOOK = both(
    own_hook,
    executable("etc/kernel/postinst.d/zz-update-grub", "exec update-grub"),
    executable("usr/sbin/update-grub", "exec grub-mkconfig -o /boot/grub/grub.cfg"),
)
IMAGE_PACKAGE = f"Package: linux-image-{VERSION}\nStatus: install ok installed"
HELD_PACKAGE = f"Package: linux-image-{VERSION}\nStatus: hold ok installed"
META_PACKAGE = "Package: linux-image-cloud-amd64\nStatus: install ok installed"
REMOVED_PACKAGE = "Package: linux-image-5.10\nStatus: deinstall ok config-files"

BROKEN: list[tuple[str, str, Fault]] = [
    ("archive-root", "everything is inside /ubuntu/", wrapped),
    ("archive-root", "the archive is empty", emptied),
    ("mode", "rejects it: /boot/vmlinuz is a directory",
     both(remove("boot/vmlinuz"), directory("boot/vmlinuz"))),
    ("mode", "rejects it: /boot/vmlinuz is a loop of links", link("boot/vmlinuz", "vmlinuz")),
    ("mode", "container: /boot/vmlinuz does not exist; found instead: /boot/vmlinuz-6",
     remove("boot/vmlinuz")),
    ("mode", "starts it as a container: the link /boot/vmlinuz -> /boot/vmlinuz-6",
     link("boot/vmlinuz", f"/boot/{NAME}")),
    ("mode", "starts it as a VM from a disk image: /image.raw exists",
     write("image.raw", b"x")),
    ("mode-single", "both /image.raw and /boot/vmlinuz exist", write("image.raw", b"x")),
    ("kernel-resolves", "/boot/vmlinuz does not exist; found instead", remove("boot/vmlinuz")),
    ("kernel-resolves", "leads to /boot/vmlinuz-gone, which does not exist",
     link("boot/vmlinuz", "vmlinuz-gone")),
    ("kernel-resolves", "is a loop of links", link("boot/vmlinuz", "vmlinuz")),
    ("kernel-resolves", f"/boot/{NAME} is empty", write(f"boot/{NAME}", b"")),
    ("kernel-link-relative", "on the path /boot/vmlinuz: /boot/vmlinuz -> /boot/",
     link("boot/vmlinuz", f"/boot/{NAME}")),
    ("kernel-link-relative", "on the path /boot/initrd.img: /boot/initrd.img -> /boot/",
     link("boot/initrd.img", f"/{INITRD}")),
    ("kernel-link-relative", "/boot/vmlinuz -> ../../boot/",
     link("boot/vmlinuz", f"../../boot/{NAME}")),
    ("kernel-link-relative", "/boot -> /start",
     both(move("boot", "start"), link("boot", "/start"))),
    ("kernel-elf", "a compressed kernel (bzImage: 6.1.0-50-cloud-amd64, zstd)",
     write(f"boot/{NAME}", bzimage(PACKERS["zstd"](elf())))),
    ("kernel-elf", "it is a text file", write(f"boot/{NAME}", b"no kernel\n")),
    ("kernel-elf", "32-bit", write(f"boot/{NAME}", elf(bits=1))),
    ("kernel-elf", "another processor", write(f"boot/{NAME}", elf(machine=183))),
    ("kernel-elf", "nothing to load", write(f"boot/{NAME}", elf(load=False))),
    ("kernel-pvh", "no note Xen 0x12; found: GNU 0x3",
     write(f"boot/{NAME}", elf(notes=note(b"GNU\x00", 3, bytes(20))))),
    ("kernel-pvh", "no notes at all", write(f"boot/{NAME}", elf(notes=b""))),
    ("kernel-whole", "a segment ends at byte", write(f"boot/{NAME}", elf()[:-4])),
    ("kernel-version", "the kernel is 6.2.0, the initramfs has modules for 6.1.0",
     write(f"boot/{NAME}", elf(version="6.2.0"))),
    ("kernel-version", f"the kernel is {VERSION}, the initramfs has modules for 6.0.0",
     write(INITRD, initramfs(version="6.0.0"))),
    ("kernel-version", "but /lib/modules has no modules", remove("usr/lib/modules")),
    ("kernel-version", "has no modules.dep", remove(f"{MODULES}/modules.dep")),
    ("kernel-recent", "5.9.0", write(f"boot/{NAME}", elf(version="5.9.0"))),
    ("kernel-drivers", "missing: virtio_blk", remove(f"{MODULES}/kernel/virtio_blk.ko")),
    ("kernel-drivers", "missing: nls_cp850", configured("CODEPAGE=437", "CODEPAGE=850")),
    ("kernel-drivers", "missing: nls_utf8", configured('"ascii"', '"utf8"')),
    ("kernel-drivers", "/etc/modprobe.d/x.conf has: blacklist virtio-net",
     write("etc/modprobe.d/x.conf", b"blacklist virtio-net\n")),
    ("kernel-drivers", "has: install vfat /bin/true",
     write("etc/modprobe.d/x.conf", b"install vfat /bin/true\n")),
    ("kernel-drivers", "missing: 8250 console",
     configured("CONFIG_SERIAL_8250_CONSOLE=y", "# CONFIG_SERIAL_8250_CONSOLE is not set")),
    ("kernel-btrfs", "btrfs is missing", remove(f"{MODULES}/kernel/btrfs.ko")),
    ("kernel-upgrades", f"not held: linux-image-{VERSION}", packages(IMAGE_PACKAGE)),
    ("kernel-upgrades", "postinst.d/zz-update-grub fails without a disk",
     both(packages(IMAGE_PACKAGE), GRUB_HOOK, write("boot/grub/grub.cfg", b""))),
    ("kernel-upgrades", f"not held: linux-image-{VERSION}",  # run-parts leaves it out
     both(packages(IMAGE_PACKAGE), executable("etc/kernel/postinst.d/zos.sh", "extract-vmlinux"))),
    ("kernel-upgrades", "not held: linux-image-cloud-amd64", packages(HELD_PACKAGE, META_PACKAGE)),
    ("kernel-upgrades", "not in IgnorePkg: linux",
     write("var/lib/pacman/local/linux-6.1.arch1-1/desc", b"")),
    ("initrd-resolves", "leads to /boot/gone, which does not exist",
     link("boot/initrd.img", "gone")),
    ("initrd-resolves", "is empty", write(INITRD, b"")),
    ("initrd-resolves", "not built into the kernel: virtiofs, virtio_pci",
     remove("boot/initrd.img")),
    ("initrd-readable", "zstd data ends too early",
     write(INITRD, zstandard.compress(initramfs())[:40] + b"junk" * 30)),
    ("initrd-readable", "but no /init", write(INITRD, MICROCODE)),
    ("initrd-readable", "compressed with zstd, which this kernel cannot decompress",
     configured("CONFIG_RD_ZSTD=y", "# CONFIG_RD_ZSTD is not set")),
    ("initrd-readable", "there is a text file", write(INITRD, b"no archive\n")),
    ("initrd-virtiofs", "virtiofs is neither built in nor in the initramfs",
     write(INITRD, initramfs(modules=("virtio_pci",)))),
    ("initrd-virtiofs", "without its dependencies: fuse, virtio",
     write(INITRD, cpio(dict.fromkeys(["init", f"{MODULES}/virtiofs.ko"], b"x")))),
    ("initrd-virtio-pci", "virtio_pci is neither built in nor in the initramfs",
     write(INITRD, initramfs(modules=("virtiofs",)))),
    ("initrd-virtio-pci", "without its dependencies: virtio",
     write(INITRD, cpio(dict.fromkeys(["init", f"{MODULES}/virtio_pci.ko"], b"x")))),
    ("initrd-init", "/init needs /bin/bash does not exist",
     write(INITRD, initramfs(others={"init": b"#!/bin/bash\n"}))),
    ("initrd-init", "not executable (mode 644)",
     write(INITRD, cpio_member("init", program(), 0o100644))),
    ("initrd-root", "made by dracut: dracut's module virtiofs is not in it",
     write(INITRD, initramfs(others={"usr/lib/dracut/hooks/cmdline/10.sh": b"x"}))),
    ("initrd-root", "made by initramfs-tools: /scripts/local does not exist",
     write(INITRD, initramfs().replace(b"scripts/local", b"scripts/lacol"))),
    ("init-present", "leads to /lib/systemd/systemd, which does not exist",
     both(remove("usr/lib/systemd"), remove("lib"))),
    ("init-present", "/sbin/init leads to /usr/sbin/init, which does not exist",
     remove("usr/sbin/init")),
    ("init-present", "not executable (mode 644)",
     mode("usr/lib/systemd/systemd", 0o644)),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "evidence", "breaks"), BROKEN)
def test_a_broken_image_fails_in_its_rule_as_directory_and_as_tarball(
    root: Path, tmp_path: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(root)
    tarball = packed(root, tmp_path / "image.tar.gz")
    one, two = check(root, mode="vm"), check(tarball, mode="vm")
    finding = one.finding(slug)
    assert finding.outcome is Outcome.FAIL
    assert evidence in finding.evidence
    assert finding.fix
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and one.ready)
    assert [(f.slug, f.outcome) for f in one.findings] == [
        (f.slug, f.outcome) for f in two.findings
    ]
    assert two.finding(slug).evidence == finding.evidence


@pytest.mark.parametrize(
    ("slug", "breaks"),
    [
        ("kernel-upgrades", packages(HELD_PACKAGE, REMOVED_PACKAGE)),
        ("kernel-upgrades", packages("Package: bash\nStatus: install ok installed")),
        ("kernel-upgrades", both(
            packages(IMAGE_PACKAGE),
            executable("etc/kernel/postinst.d/zz-vmlinux", "extract-vmlinux $2"))),
        ("kernel-upgrades", both(packages(IMAGE_PACKAGE), own_hook)),
        ("kernel-upgrades", both(packages(IMAGE_PACKAGE), GRUB_HOOK)),
        ("kernel-upgrades", both(
            packages(IMAGE_PACKAGE),
            write("etc/apt/preferences.d/kernel",
                  b"Package: linux-image-*\nPin: release *\nPin-Priority: -1\n"))),
        ("kernel-upgrades", both(
            write("var/lib/pacman/local/linux-6.1.arch1-1/desc", b""),
            write("etc/pacman.conf", b"[options]\nIgnorePkg = linux\n"))),
        ("initrd-resolves", both(
            remove("boot/initrd.img"),
            configured("VIRTIO_FS=m\nCONFIG_VIRTIO_PCI=m", "VIRTIO_FS=y\nCONFIG_VIRTIO_PCI=y"))),
        ("initrd-virtiofs", both(
            write(INITRD, initramfs(modules=("virtio_pci",))),
            write(f"{MODULES}/modules.builtin", b"kernel/fs/fuse/virtiofs.ko\n"))),
        ("kernel-version", both(
            remove("usr/lib/modules", "boot/initrd.img"),
            write(f"boot/{NAME}", elf(configuration="CONFIG_MODULES is not set\n")))),
        ("kernel-drivers", write("etc/modprobe.d/x.conf", b"blacklist vfat\nblacklist pcspkr\n")),
        ("kernel-drivers", both(
            write("etc/modprobe.d/x.conf", b"blacklist virtio_net\n"),
            write("etc/modules", b"virtio_net\n"))),
        ("kernel-drivers", both(
            remove(CONFIG_FILE),
            write(f"{MODULES}/kernel/nls_iso8859-1.ko", b"x"))),
        ("initrd-readable", write(INITRD, PACKERS["lz4"](initramfs()))),
    ],
)  # fmt: skip
def test_correct_variants_pass(root: Path, slug: str, breaks: Fault) -> None:
    breaks(root)
    assert outcome(check(root, mode="vm"), slug) is Outcome.PASS


@pytest.mark.parametrize(
    ("slug", "breaks"),
    [
        ("kernel-version", write(f"boot/{NAME}", elf(version="x"))),
        ("kernel-recent", write(f"boot/{NAME}", elf(version="x"))),
        ("initrd-readable", write(INITRD, b"\x89LZO" + bytes(20))),
        ("kernel-upgrades", write("var/lib/rpm/rpmdb.sqlite", b"")),
    ],
)
def test_undecidable_rules_are_unknown(root: Path, slug: str, breaks: Fault) -> None:
    breaks(root)
    report = check(root, mode="vm")
    assert outcome(report, slug) is Outcome.UNKNOWN
    assert not (report.finding(slug).blocks and report.ready)


def test_an_unreadable_kernel_is_unknown_and_never_ready(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("zwizard.image.tarball.KEEP_FILE", 1000)
    report = check(packed(root, tmp_path / "image.tar.gz"), mode="vm")
    assert outcome(report, "kernel-elf") is Outcome.UNKNOWN
    assert "too large to be looked at" in report.finding("kernel-elf").evidence
    assert not report.ready


# Archive rules, on archives


@pytest.mark.parametrize(
    ("name", "holds", "survives", "flist"),
    [
        ("debian-12.tar.gz", True, True, "debian-12.flist"),
        ("a_b.tar.gz", True, True, "a_b.flist"),
        ("debian.tgz", False, True, "debian.tgz.flist"),
        ("debian.TAR.GZ", False, True, "debian.TAR.GZ.flist"),
        ("debian.tar.gz.part", False, False, "debian.part.flist"),
        ("ubuntu:jammy.tar.gz", True, False, "ubuntujammy.flist"),
        ("my image (1).tar.gz", True, False, "my_image_1.flist"),
        ("a+b~c.tar.gz", True, False, "abc.flist"),
        (".hidden.tar.gz", True, False, "hidden.flist"),
        ("_x.tar.gz", True, False, "x.flist"),
        ("имя.tar.gz", True, False, "tar.gz.flist"),
        (".tar.gz", False, False, "tar.gz.flist"),
    ],
)
def test_names_are_checked_as_the_hub_rewrites_them(
    root: Path, name: str, holds: bool, survives: bool, flist: str
) -> None:
    report = check(root, mode="vm", planned_name=name)
    assert (outcome(report, "archive-name") is Outcome.PASS) is holds
    assert (outcome(report, "archive-name-survives") is Outcome.PASS) is survives
    assert flist in report.finding("archive-name-survives").evidence


def test_a_truncated_archive_is_not_ready(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "image.tar.gz")
    path.write_bytes(path.read_bytes()[:-9])
    report = check(path, mode="vm")
    assert report.finding("archive-readable").outcome is Outcome.FAIL
    assert not report.ready


def test_an_archive_not_read_to_the_end_is_unknown(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zwizard.image.archive.gzip_stream.BOMB_BYTES", 1)
    monkeypatch.setattr("zwizard.image.archive.gzip_stream.BOMB_RATIO", 0)
    report = check(packed(root, tmp_path / "image.tar.gz"), mode="vm")
    assert report.finding("archive-readable").outcome is Outcome.UNKNOWN
    assert not report.ready


def test_a_single_directory_without_a_system_is_not_a_wrapper(tmp_path: Path) -> None:
    (tmp_path / "image/app").mkdir(parents=True)
    (tmp_path / "image/app/server").write_bytes(b"x")
    (tmp_path / "image2/usr/lib").mkdir(parents=True)
    (tmp_path / "image3/own").mkdir(parents=True)
    (tmp_path / "image3/own/server").write_bytes(b"x")
    for name, entrypoint in (("image", None), ("image2", None), ("image3", "/own/server")):
        report = check(tmp_path / name, entrypoint=entrypoint)
        assert outcome(report, "archive-root") is Outcome.PASS
    assert outcome(check(tmp_path / "image3"), "archive-root") is Outcome.FAIL


# Mode


def test_without_a_mode_the_files_in_the_image_decide(root: Path) -> None:
    assert check(root).mode is Mode.VM
    (root / "boot/vmlinuz").unlink()
    (root / "boot/vmlinuz").symlink_to(f"/boot/{NAME}")
    report = check(root)
    assert report.mode is Mode.VM
    assert outcome(report, "mode") is Outcome.FAIL
    assert not report.ready


def test_a_container_with_a_stray_kernel_has_to_be_stated(root: Path) -> None:
    (root / "boot/vmlinuz").unlink()
    report = check(root)
    assert report.mode is Mode.CONTAINER
    assert outcome(report, "mode") is Outcome.UNKNOWN
    assert f"/boot/{NAME}" in report.finding("mode").evidence
    assert outcome(check(root, mode="container"), "mode") is Outcome.PASS


@pytest.mark.parametrize("name", ["Image.raw", "disk.raw", "x/image.raw", "image.qcow2"])
def test_near_misses_of_the_disk_image_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    report = check(tmp_path / "image", mode="image")
    assert outcome(report, "image-name") is Outcome.FAIL
    assert f"found instead: /{name}" in report.finding("image-name").evidence
    assert outcome(report, "mode") is Outcome.FAIL
    assert outcome(check(tmp_path / "image"), "mode") is Outcome.UNKNOWN


def test_a_disk_image_with_unread_contents_is_never_ready(tmp_path: Path) -> None:
    (tmp_path / "image.raw").write_bytes(gzip.compress(b"x"))
    report = check(tmp_path)
    assert report.mode is Mode.IMAGE
    assert outcome(report, "image-name") is Outcome.PASS
    assert not report.ready


@pytest.mark.parametrize(
    ("breaks", "evidence"),
    [
        (link("image.raw", "other"), "/image.raw is a link"),
        (write("image.raw", b""), "/image.raw is empty"),
    ],
)
def test_the_disk_image_is_a_non_empty_file(tmp_path: Path, breaks: Fault, evidence: str) -> None:
    breaks(tmp_path)
    report = check(tmp_path, mode="image")
    assert report.finding("image-name").evidence == evidence
