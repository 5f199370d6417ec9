"""The rules about disk images: a good one of real tools, and one fault for each."""

from __future__ import annotations

import gzip
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.rules.test_first_boot import BROKEN as BROKEN_GUEST
from tests.image.disk.test_disk_image import PLACES
from tests.support import disks
from tests.support.disks import (
    DATA_TYPE,
    ESP_PART,
    GRUB_CFG,
    MIB,
    ROOT_PART,
    ROOT_UUID,
    SEARCH,
    Part,
    efi,
    grub_loader,
)
from tests.support.executables import NAME, VERSION, bzimage, elf, initramfs
from tests.support.limits import bounds
from tests.support.trees import numbers
from zwizard.checks import Group, Mode, Outcome, Report, Severity, all_rules, check
from zwizard.image import UnreadableError

pytestmark = pytest.mark.usefixtures("_tools")
DISK = 5 << 30
INITRD = f"/boot/initrd.img-{VERSION}"

Fault = Callable[[Path], None]


@pytest.fixture(scope="module")
def _tools() -> None:
    disks.need_tools(*disks.TOOLS, "debugfs", "mdel", "cp")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.image_tree(tmp_path_factory.mktemp("disk") / "tree")


@pytest.fixture(scope="module")
def whole(tree: Path) -> Path:
    return disks.disk(tree.parent / "whole.raw", tree)


@pytest.fixture
def image(whole: Path, tmp_path: Path) -> Path:
    path = tmp_path / "image.raw"
    disks.run("cp", "--sparse=always", whole, path)
    return path


def judged(path: Path) -> Report:
    return check(path, disk_size=DISK)


def edit(offset: int, data: bytes) -> Fault:
    def breaks(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return breaks


def truncate(change: int) -> Fault:
    def breaks(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size + change)

    return breaks


def header(offset: int, form: str, value: int) -> Fault:
    """Another number in the GPT's header, its checksum made right again."""

    def breaks(path: Path) -> None:
        with path.open("rb") as file:
            data = bytearray(file.read(1024)[512:])
        struct.pack_into(form, data, offset, value)
        data[16:20] = bytes(4)
        struct.pack_into("<I", data, 16, zlib.crc32(data[:92]))
        edit(512, bytes(data))(path)

    return breaks


def on_root(*commands: str) -> Fault:
    """debugfs on the root file system, which it finds by its offset."""

    def breaks(path: Path) -> None:
        for command in commands:
            target = f"{path}?offset={ROOT_PART.start * MIB}"
            done = subprocess.run(["debugfs", "-w", "-R", command, target], capture_output=True,
                                  text=True, check=True)  # fmt: skip
            assert "File not found" not in done.stderr, done.stderr

    return breaks


def remove(*names: str) -> Fault:
    return on_root(*(f"rm {name}" for name in names))


def write(name: str, text: str) -> Fault:
    def breaks(path: Path) -> None:
        content = path.with_suffix(".content")
        content.write_text(text, "latin-1")
        subprocess.run(["debugfs", "-w", "-R", f"rm {name}",
                        f"{path}?offset={ROOT_PART.start * MIB}"],
                       capture_output=True, check=True)  # fmt: skip
        on_root(f"write {content} {name}")(path)
        content.unlink()

    return breaks


def grub(old: str, new: str) -> Fault:
    assert old in GRUB_CFG
    return write("/boot/grub/grub.cfg", GRUB_CFG.replace(old, new))


def defaults(old: str, new: str) -> Fault:
    assert old in disks.DEFAULTS
    return write("/etc/default/grub", disks.DEFAULTS.replace(old, new))


def on_esp(files: dict[str, bytes], *options: str, end: int = ESP_PART.end) -> Fault:
    """Another EFI system partition in its place."""

    def breaks(path: Path) -> None:
        part = Part(ESP_PART.type, ESP_PART.start, end)
        edit(MIB, bytes(4 * MIB))(path)
        disks.put(path, part, disks.fat(path.with_suffix(".esp"), end - 1, files, *options))

    return breaks


def boot_on_esp(path: Path) -> None:
    """Kernel and settings lie on the ESP, which is mounted at /boot; GRUB sees no /boot there."""
    files = {NAME: bzimage(b""), "initrd.img-6.1.0-50-cloud-amd64": b"x"}
    remove(f"/boot/{NAME}", "/boot/initrd.img-6.1.0-50-cloud-amd64")(path)
    on_esp({**disks.LOADER, **files, "grub/grub.cfg": GRUB_CFG.encode()})(path)
    esp = f"UUID={disks.ESP_SERIAL[:4]}-{disks.ESP_SERIAL[4:]}"
    write(
        "/etc/fstab",
        f"UUID={disks.ROOT_UUID} / ext4 defaults 0 1\n{esp} /boot vfat defaults 0 2\n",
    )(path)


def table(*parts: Part, label: str = "gpt", size: int = disks.SIZE) -> Fault:
    """Another partition table; what is on the disk stays."""

    def breaks(path: Path) -> None:
        other = path.with_suffix(".table")
        disks.partition(other, *parts, label=label, size=size)
        data = other.read_bytes()
        edit(0, data[:17408])(path)
        edit(len(data) - 16896, data[-16896:])(path)
        other.unlink()

    return breaks


def squeezed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()[: 2 * MIB], 1))


def seventeen(path: Path) -> None:
    table(*(Part(DATA_TYPE, 1 + 2 * n, 3 + 2 * n) for n in range(17)))(path)


SHIM = efi(_data=b"UEFI SHIM\n$Version: 16.1 $ grub")
SIGNED = grub_loader("normal (memdisk)/grub.cfg\n", "/EFI/debian")
SEARCHING = SEARCH.encode() + b"configfile $prefix/grub.cfg\n"
MINE = Part(DATA_TYPE, ESP_PART.start, ESP_PART.end)
XFS = edit(ROOT_PART.start * MIB, b"XFSB" + bytes(4096))

BROKEN: list[tuple[str, str, Fault]] = [
    ("image-is-raw", "it is a qcow2 disk image", edit(0, b"QFI\xfb\x00\x00\x00\x03")),
    ("image-is-raw", "it is a vhd disk image", edit(disks.SIZE * MIB - 512, b"conectix")),
    ("image-is-raw", "it is a vmdk disk image", edit(0, b"KDMV")),
    ("image-is-raw", "it is an ISO 9660 image", edit(32769, b"CD001")),
    ("image-is-raw", "it is a gzip file", squeezed),
    ("image-gpt", "the checksum of its header is wrong", edit(512 + 56, b"X")),
    ("image-gpt", "the checksum of its table is wrong", edit(1024 + 60, b"X")),
    ("image-gpt", "its first usable sector is 33, below 34", header(40, "<Q", 33)),
    ("image-gpt", "17 partitions, more than 16", seventeen),
    ("image-gpt", "it has an MBR partition table and no GPT",
     table(Part("83", 1, 95), label="dos")),
    ("image-gpt-backup", "the image is truncated", truncate(-MIB)),
    ("image-gpt-backup", "the image's last is", truncate(MIB)),
    (
        "esp-present",
        "no partition has the type of an ESP; partition 1 is FAT",
        table(MINE, ROOT_PART),
    ),
    ("esp-present", "no partition has the type of an ESP", table(ROOT_PART)),
    ("esp-fat", "it is not a FAT file system", edit(MIB, bytes(4096))),
    ("esp-fat", "laid out as FAT32", on_esp({}, "-F", "32", "-s", "1", end=21)),
    ("esp-fat", "it is ext4", lambda path: disks.put(path, ESP_PART, _other(path))),
    ("esp-loader", "/EFI/BOOT/BOOTX64.EFI does not exist; found instead: /EFI/debian",
     on_esp({"EFI/debian/grubx64.efi": efi()})),
    ("esp-loader", "is for another processor (machine 0xaa64)",
     on_esp({"EFI/BOOT/BOOTX64.EFI": efi(0xAA64)})),
    ("esp-loader", "is not an EFI program", on_esp({"EFI/BOOT/BOOTX64.EFI": b"grub\n"})),
    ("esp-loader", "names /vmlinuz, which does not exist",
     on_esp({"loader/loader.conf": b"", "loader/entries/arch.conf": b"linux /vmlinuz\n"})),
    ("loader-files", "BOOTX64.EFI is shim, and /EFI/BOOT/grubx64.efi does not exist",
     on_esp({"EFI/BOOT/BOOTX64.EFI": SHIM})),
    ("loader-files", "/EFI/BOOT/grubx64.efi is not an EFI program",
     on_esp({"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": b"grub"})),
    ("loader-files", "is GRUB and reads /EFI/debian/grub.cfg, which is missing on the ESP",
     on_esp({"EFI/BOOT/BOOTX64.EFI": SIGNED})),
    ("loader-files",
     "grubx64.efi is GRUB and reads /EFI/debian/grub.cfg, which is missing on the ESP",
     on_esp({"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": SIGNED})),
    ("loader-files", "ESP/EFI/debian/grub.cfg looks for the file system 1-2, which is not in",
     on_esp({"EFI/BOOT/BOOTX64.EFI": SIGNED,
             "EFI/debian/grub.cfg": b"search.fs_uuid 1-2 root\nset prefix=($root)'/grub'\n"})),
    ("loader-files", "BOOTX64.EFI looks for the file system 1-2, which is not in the image",
     on_esp({"EFI/BOOT/BOOTX64.EFI": grub_loader(SEARCH.replace(ROOT_UUID, "1-2"))})),
    ("loader-files", "leads GRUB to partition 2, where /boot/grub/grub.cfg does not exist",
     remove("/boot/grub/grub.cfg")),
    ("loader-files", "partition 2, where /boot/grub/x86_64-efi/normal.mod does not exist",
     on_esp({"EFI/BOOT/BOOTX64.EFI": grub_loader(SEARCH, modules=b"")})),
    ("loader-files", "which has the feature casefold, that GRUB cannot read",
     on_root("feature casefold")),
    ("loader-known", "is systemd-boot",
     on_esp({"EFI/BOOT/BOOTX64.EFI": efi(_sdmagic=b"#### LoaderInfo: systemd-boot 252 ####")})),
    ("loader-known", "is an unknown boot loader",
     on_esp({"EFI/BOOT/BOOTX64.EFI": efi(_text=b"my own grub, systemd-boot")})),
    ("loader-known", "Ubuntu 24.04: it will most probably not start",
     write("/usr/lib/os-release", 'ID=ubuntu\nVERSION_ID="24.04"\n')),
    ("esp-room", "another kernel and initramfs need 30",
     on_esp({**disks.LOADER, "vmlinuz-linux": bytes(10 * MIB),
             "initramfs-linux.img": bytes(20 * MIB)})),
    ("grub-kernel", f"loads /boot/{NAME}, which does not exist", remove(f"/boot/{NAME}")),
    ("grub-kernel", f"loads /boot/{NAME}, which is an ELF program, not a bzImage",
     write(f"/boot/{NAME}", elf().decode("latin-1"))),
    ("grub-kernel", "loads /boot/initrd.img-7, which does not exist",
     grub("/boot/initrd.img-6.1.0-50-cloud-amd64", "/boot/initrd.img-7")),
    ("grub-kernel", f"loads /boot/{NAME}, which does not exist", boot_on_esp),
    ("grub-root", "root=/dev/mapper/loop0p2 is not in the image",
     grub(f"UUID={ROOT_UUID}", "/dev/mapper/loop0p2")),
    ("grub-root", "root= is missing", grub(f"root=UUID={ROOT_UUID}", "")),
    ("initrd-root", "virtio_blk is neither built in nor in the initramfs",
     write(INITRD, initramfs(modules=("virtiofs", "virtio_pci")).decode("latin-1"))),
    ("grub-cmdline", "quiet is set", grub("loglevel=3", "quiet")),
    ("grub-cmdline", "console=ttyS0 is missing", grub(" console=ttyS0", "")),
    ("grub-cmdline", "root=/dev/loop0p2 is not in the image",
     grub(f"root=UUID={disks.ROOT_UUID} ro  ", "root=/dev/loop0p2 ro ")),
    ("grub-cmdline", "root= is missing", grub(f"root=UUID={disks.ROOT_UUID} ro  ", "ro ")),
    ("grub-cmdline", "the next grub-mkconfig adds it again", defaults("loglevel=3", "quiet")),
    ("grub-cmdline", "the next grub-mkconfig removes it", defaults(" console=ttyS0", "")),
    ("grub-timeout", "GRUB_TIMEOUT=5", defaults("TIMEOUT=0", "TIMEOUT=5")),
    ("grub-timeout", "/boot/grub/grub.cfg has timeout=5", grub("set timeout=0", "set timeout=5")),
    ("root-partition-last", "the root is partition 2, and partition 3 is behind it",
     table(ESP_PART, ROOT_PART, Part(DATA_TYPE, 96, 97), size=98)),
    ("image-multiple", "512 bytes more than a multiple", truncate(512)),
    ("growpart", "not installed: growpart", remove("/usr/sbin/growpart")),
    ("growpart", "not installed: resize2fs", remove("/usr/sbin/resize2fs")),
    ("services-enabled", "nothing starts an SSH server",
     remove("/etc/systemd/system/multi-user.target.wants/ssh.service")),
    ("services-enabled", "nothing starts a network service",
     remove("/usr/lib/systemd/system-generators/netplan")),
    ("services-enabled", "nothing starts a resolver", write("/etc/resolv.conf", "# none\n")),
    ("filesystem-clean", "it is not marked clean", on_root("dirty")),
    ("filesystem-clean", "the journal must be replayed", on_root("feature needs_recovery")),
    ("fstab", "/dev/loop0p2 / ext4", write("/etc/fstab", "/dev/loop0p2 / ext4 defaults 0 1\n")),
    ("fstab-mounts", "UUID=99 / ext4", write("/etc/fstab", "UUID=99 / ext4 defaults 0 1\n")),
    ("fstab", "UUID=99 / ext4", write("/etc/fstab", "UUID=99 / ext4 defaults 0 1\n")),
    ("init-present", "which does not exist", remove("/usr/lib/systemd/systemd")),
    ("cloud-init-clean", "/var/lib/cloud/instance",
     on_root("mkdir /var", "mkdir /var/lib", "mkdir /var/lib/cloud",
             "symlink /var/lib/cloud/instance /var/lib/cloud/instances/i")),
    ("machine-id", "/etc/machine-id has 0123", write("/etc/machine-id", "0123456789abcdef" * 2)),
    ("build-leftovers", "/proc/1 exists", on_root("mkdir /proc/1")),
]  # fmt: skip


def _other(path: Path) -> Path:
    empty = path.parent / "empty"
    empty.mkdir()
    return disks.ext(path.with_suffix(".esp"), ESP_PART.end - ESP_PART.start, empty)


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "evidence", "breaks"), BROKEN)
def test_a_broken_disk_fails_in_its_rule(
    image: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(image)
    report = judged(image)
    finding = report.finding(slug)
    assert finding.outcome is Outcome.FAIL
    assert evidence in finding.evidence
    assert finding.fix
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and report.ready)


def test_every_rule_on_disks_alone_is_broken_and_every_must_twice() -> None:
    broken_rules = [slug for slug, _, _ in (*BROKEN, *BROKEN_GUEST)]
    below = {"image-fits-disk", "image-root"}
    elsewhere = {"image-name"}  # in test_rules
    for rule in all_rules():
        if rule.modes == {Mode.IMAGE} and rule.slug not in below | elsewhere:
            assert broken_rules.count(rule.slug) >= (2 if rule.severity is Severity.MUST else 1), (
                rule.slug
            )


@pytest.mark.slow
def test_a_good_disk_is_ready_alone_in_a_directory_and_in_a_tarball(
    image: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    disks.run("cp", "--sparse=always", image, directory / "image.raw")
    plain, sparse = tmp_path / "plain.tar.gz", tmp_path / "sparse.tar.gz"
    with tarfile.open(plain, "w:gz", compresslevel=1) as archive:
        archive.add(image, "image.raw", filter=numbers)
    disks.run("tar", "-czSf", sparse, "--numeric-owner", "-C", image.parent, "image.raw")
    for path in (image, directory, plain, sparse):
        report = judged(path)
        assert [finding for finding in report.findings if finding.wrong] == [], path
        assert report.ready


@pytest.mark.slow
def test_the_guest_is_judged_like_the_same_tree_in_a_directory(tree: Path, image: Path) -> None:
    one, two = judged(image), check(tree, mode="vm")
    for rule in all_rules():
        if {Mode.VM, Mode.IMAGE} <= rule.modes and not rule.slug.startswith(
            ("archive", "flist", "mode")
        ):
            finding, other = one.finding(rule.slug), two.finding(rule.slug)
            # These ask for other things of the two.
            if rule.slug not in {"fstab", "fstab-mounts", "initrd-root"}:
                assert finding.outcome is other.outcome, rule.slug
                assert finding.evidence == other.evidence


@pytest.mark.slow
def test_the_size_is_compared_with_the_rented_disk(image: Path) -> None:
    size = image.stat().st_size
    assert check(image, disk_size=size).ready
    small = check(image, disk_size=size - 1)
    assert small.finding("image-fits-disk").outcome is Outcome.FAIL
    assert "image size is bigger than disk" in small.finding("image-fits-disk").evidence
    unsaid = check(image)
    assert unsaid.finding("image-fits-disk").outcome is Outcome.UNKNOWN
    assert "--disk-size" in unsaid.finding("image-fits-disk").fix
    assert not small.ready
    assert not unsaid.ready


@pytest.mark.slow
def test_a_fat16_esp_is_a_warning(image: Path) -> None:
    on_esp(disks.LOADER, "-F", "16")(image)
    report = judged(image)
    finding = report.finding("esp-fat")
    assert (finding.outcome, finding.severity) == (Outcome.FAIL, Severity.SHOULD)
    assert report.finding("esp-loader").outcome is Outcome.PASS
    assert report.ready
    on_esp({}, "-F", "16")(image)
    assert judged(image).finding("esp-loader").outcome is Outcome.FAIL
    assert not judged(image).ready


def test_an_unreadable_root_is_unknown_and_never_ready(image: Path) -> None:
    XFS(image)
    report = judged(image)
    assert report.finding("image-gpt").outcome is Outcome.PASS
    for slug in ("init-present", "cloud-init-installed", "services-enabled"):
        finding = report.finding(slug)
        assert finding.outcome is Outcome.UNKNOWN
        assert "partition 2 is xfs, which cannot be read here" in finding.evidence
        assert finding.cause == "image-root"
    assert report.finding("init-starts").cause == "image-root"
    assert report.finding("image-root") in report.under(Group.ERROR)
    assert not report.ready


@pytest.mark.slow
@pytest.mark.parametrize("name", ["debian.raw", "Image.raw"])
def test_a_disk_under_another_name_is_read_and_has_to_be_renamed(image: Path, name: str) -> None:
    report = judged(image.rename(image.with_name(name)))
    assert report.mode is Mode.IMAGE
    assert report.finding("image-name").outcome is Outcome.FAIL
    assert report.finding("image-gpt").outcome is Outcome.PASS
    assert not report.ready


def test_a_qcow2_is_recognised_under_any_name(tmp_path: Path) -> None:
    for name in ("image.raw", "debian.qcow2"):
        path = tmp_path / name
        path.write_bytes(b"QFI\xfb\x00\x00\x00\x03" + bytes(1 << 16))
        report = check(path)
        assert report.finding("image-is-raw").evidence == "it is a qcow2 disk image"
        assert not report.ready
    other = tmp_path / "notes"
    other.write_text("hello")
    with pytest.raises(UnreadableError, match="a text file, not a directory"):
        check(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        {"EFI/BOOT/BOOTX64.EFI": SIGNED, "EFI/debian/grub.cfg": SEARCHING},
        {"EFI/BOOT/BOOTX64.EFI": SIGNED, "EFI/BOOT/grub.cfg": SEARCHING},
        {"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": SIGNED,
         "EFI/debian/grub.cfg": SEARCHING},
        {"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/fbx64.efi": efi()},
        {"EFI/BOOT/BOOTX64.EFI": SIGNED, "EFI/debian/grub.cfg": b"menuentry x {\n}\n"},
        {"EFI/BOOT/BOOTX64.EFI": grub_loader("search --label x --set=root\n")},
        {"EFI/BOOT/BOOTX64.EFI": grub_loader(prefix="(,gpt2)/boot/grub")},
        {"EFI/BOOT/BOOTX64.EFI": efi(_sdmagic=b"systemd-boot")},
        {"EFI/BOOT/BOOTX64.EFI": efi(_linux=b"x")},
    ],
)  # fmt: skip
def test_a_loader_with_what_it_starts_is_good(image: Path, files: dict[str, bytes]) -> None:
    on_esp(files)(image)
    assert judged(image).finding("loader-files").outcome is Outcome.PASS


@pytest.mark.slow
def test_loader_entries_with_their_files_boot_too(image: Path) -> None:
    on_esp({
        "loader/loader.conf": b"", "vmlinuz": b"x", "initrd.img": b"x",
        "loader/entries/arch.conf":
            b"linux /vmlinuz\ninitrd /initrd.img\noptions root=/dev/vda2\n",
    })(image)  # fmt: skip
    report = judged(image)
    assert report.finding("esp-loader").outcome is Outcome.PASS
    assert report.finding("loader-known").outcome is Outcome.FAIL
    assert "console=ttyS0 is missing" in report.finding("grub-cmdline").evidence


@pytest.mark.slow
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(PLACES), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_a_mutated_disk_is_checked_in_time(
    image: Path, edits: list[tuple[tuple[int, int], float, bytes]]
) -> None:
    before: list[tuple[int, bytes]] = []
    with image.open("r+b") as file:
        for (start, size), part, patch in edits:
            offset = start + int(part * size)
            file.seek(offset)
            before.append((offset, file.read(len(patch))))
            file.seek(offset)
            file.write(patch)
    with bounds():
        report = judged(image)
    for finding in report.findings:
        assert not (finding.blocks and report.ready)
    with image.open("r+b") as file:
        for offset, data in reversed(before):
            file.seek(offset)
            file.write(data)
