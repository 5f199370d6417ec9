"""The checklist on a disk image of a real Debian with its own GRUB: good, and broken by rule."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.checks.rules.test_disk import edit, header, truncate
from tests.real.test_check_container import MUTANTS as CONTAINER_MUTANTS
from tests.real.test_checklist import MUTANTS as VM_MUTANTS
from tests.real.test_checklist import compare_guests, for_disk
from tests.support import disks
from tests.support.disks import DATA_TYPE, DEFAULTS, ESP_PART, MIB, Part
from tests.support.executables import bzimage
from tests.support.faults import Fault
from zwizard.checks import Outcome, Report, Severity, all_rules, check

pytestmark = pytest.mark.real

RENTED = 5 << 30
ROOT = Part(disks.ROOT_TYPE, 41, 1023)
SIZE = 1024
# What is not judged in a disk image, and would only make every copy larger.
LEFT_OUT = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib/apt")
ON_ESP = f"search.fs_uuid {disks.ROOT_UUID} root\nset prefix=($root)/boot/grub\n"


@pytest.fixture(scope="module")
def tree(more_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The VM's tree, made one that GRUB starts: the document's settings, a compressed kernel."""
    disks.need_tools(*disks.TOOLS, "debugfs")
    root = tmp_path_factory.mktemp("tree") / "debian"
    root.mkdir()
    left_out = [f"--exclude=./{name}/*" for name in LEFT_OUT]
    disks.run("tar", "-xpf", more_archive, "-C", root, *left_out)
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    version = kernel.name.removeprefix("vmlinuz-")
    kernel.write_bytes(bzimage(zstandard.compress(kernel.read_bytes(), 1), version=version))
    for_disk(root)
    (root / "etc/default/grub").write_text(DEFAULTS)
    serial = f"{disks.ESP_SERIAL[:4]}-{disks.ESP_SERIAL[4:]}"
    (root / "etc/fstab").write_text(
        f"UUID={disks.ROOT_UUID} / ext4 defaults 0 1\n"
        f"UUID={serial} /boot/efi vfat umask=0077 0 1\n"
    )
    (root / "boot/efi").mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="module")
def esp(tree: Path) -> dict[str, bytes]:
    """Debian's own GRUB, where the firmware looks."""
    loader = (tree / "usr/lib/grub/x86_64-efi/monolithic/grubx64.efi").read_bytes()
    return {"EFI/BOOT/BOOTX64.EFI": loader, "EFI/debian/grub.cfg": ON_ESP.encode()}


@pytest.fixture(scope="module")
def whole(tree: Path, esp: dict[str, bytes]) -> Path:
    return disks.disk(tree.parent / "whole.raw", tree, ROOT, esp)


@pytest.fixture
def image(whole: Path, tmp_path: Path) -> Path:
    path = tmp_path / "image.raw"
    disks.run("cp", "--sparse=always", whole, path)
    return path


def judged(path: Path) -> Report:
    return check(path, disk_size=RENTED)


# --- ways to break it ---------------------------------------------------------------------------


def debugfs(*commands: str) -> Fault:
    def breaks(path: Path) -> None:
        for command in commands:
            disks.run("debugfs", "-w", "-R", command, f"{path}?offset={ROOT.start * MIB}")

    return breaks


def changed(name: str, change: Callable[[str], str]) -> Fault:
    """A text of the image's root file system, changed."""

    def breaks(path: Path) -> None:
        content = path.with_suffix(".content")
        debugfs(f"dump {name} {content}")(path)
        before = content.read_text()
        assert change(before) != before
        content.write_text(change(before))
        debugfs(f"rm {name}", f"write {content} {name}")(path)
        content.unlink()

    return breaks


def replaced(name: str, old: str, new: str) -> Fault:
    return changed(name, lambda text: text.replace(old, new))


def on_esp(change: Callable[[dict[str, bytes]], dict[str, bytes]], *options: str) -> Fault:
    """Another EFI system partition: what is on it now, changed, by other options of mkfs."""

    def breaks(path: Path) -> None:
        loader = path.with_suffix(".loader")
        disks.run("mcopy", "-i", f"{path}@@{MIB}", "::/EFI/BOOT/BOOTX64.EFI", loader)
        files = {"EFI/BOOT/BOOTX64.EFI": loader.read_bytes(), "EFI/debian/grub.cfg": b""}
        edit(MIB, bytes(4 * MIB))(path)
        size = ESP_PART.end - ESP_PART.start
        disks.put(path, ESP_PART, disks.fat(loader, size, change(files), *options))
        loader.unlink()

    return breaks


def loader(change: Callable[[bytes], bytes]) -> Fault:
    name = "EFI/BOOT/BOOTX64.EFI"
    return on_esp(lambda files: {**files, name: change(files[name])})


def for_arm(program: bytes) -> bytes:
    (at,) = struct.unpack_from("<I", program, 60)
    return program[: at + 4] + b"\x64\xaa" + program[at + 6 :]


def table(*parts: Part, label: str = "gpt", size: int = SIZE) -> Fault:
    """Another partition table; what is on the disk stays."""

    def breaks(path: Path) -> None:
        other = path.with_suffix(".table")
        disks.partition(other, *parts, label=label, size=size)
        with path.open("r+b") as file, other.open("rb") as made:
            file.truncate(size * MIB)
            for at, length in ((0, 17408), (size * MIB - 16896, 16896)):
                made.seek(at)
                file.seek(at)
                file.write(made.read(length))
        other.unlink()

    return breaks


def renamed(name: str) -> Fault:
    def breaks(path: Path) -> None:
        path.rename(path.with_name(name))
        path.mkdir()

    return breaks


def squeezed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()[: 2 * MIB], 1))


LINUX = re.compile(r"/boot/vmlinuz-\S+")
MUTANTS: list[tuple[str, str, Fault]] = [
    ("image-is-raw", "it is a qcow2 disk image", edit(0, b"QFI\xfb\x00\x00\x00\x03")),
    ("image-is-raw", "it is a gzip file", squeezed),
    ("image-gpt", "the checksum of its header is wrong", edit(512 + 56, b"X")),
    ("image-gpt", "the checksum of its table is wrong", edit(1024 + 60, b"X")),
    ("image-gpt", "below 34", header(40, "<Q", 33)),
    ("image-gpt", "MBR partition table and no GPT", table(Part("83", 1, 95), label="dos")),
    ("image-gpt-backup", "the image is truncated", truncate(-MIB)),
    ("image-gpt-backup", "the image's last is", truncate(MIB)),
    ("esp-present", "partition 1 is FAT",
     table(Part(DATA_TYPE, ESP_PART.start, ESP_PART.end), ROOT)),
    ("esp-present", "no partition has the type of an ESP", table(ROOT)),
    ("esp-fat", "it is not a FAT file system", edit(MIB, bytes(4096))),
    ("esp-fat", "it is not a FAT file system", edit(MIB + 32, bytes(4))),
    ("esp-loader", "/EFI/BOOT/BOOTX64.EFI does not exist; found instead: /EFI/debian",
     on_esp(lambda files: {"EFI/debian/grubx64.efi": files["EFI/BOOT/BOOTX64.EFI"]})),
    ("esp-loader", "is for another processor (machine 0xaa64)", loader(for_arm)),
    ("loader-known", "Ubuntu 24.04", changed("/usr/lib/os-release", lambda text:
     re.sub("VERSION_ID=.*", 'VERSION_ID="24.04"', text.replace("ID=debian", "ID=ubuntu")))),
    ("loader-known", "is systemd-boot", loader(lambda _: disks.efi(_sdmagic=b"systemd-boot"))),
    ("loader-files", "is GRUB and reads /EFI/debian/grub.cfg, which is missing on the ESP",
     on_esp(lambda files: {name: files[name] for name in disks.LOADER})),
    ("loader-files", "ESP/EFI/debian/grub.cfg looks for the file system 1-2, which is not in",
     on_esp(lambda files: {**files, "EFI/debian/grub.cfg":
            ON_ESP.replace(disks.ROOT_UUID, "1-2").encode()})),
    ("loader-files", "is shim, and /EFI/BOOT/grubx64.efi does not exist",
     loader(lambda _: disks.efi(_data=b"UEFI SHIM"))),
    ("esp-room", "another kernel and initramfs need 30",
     on_esp(lambda files: {**files, "vmlinuz-linux": bytes(10 * MIB),
                           "initramfs-linux.img": bytes(20 * MIB)})),
    ("grub-kernel", "which does not exist",
     changed("/boot/grub/grub.cfg", lambda text: LINUX.sub("/boot/vmlinuz-old", text))),
    ("grub-kernel", "not a bzImage",
     changed("/boot/grub/grub.cfg", lambda text: LINUX.sub("/usr/bin/busybox", text))),
    ("grub-root", "root=/dev/loop0p2 is not in the image",
     replaced("/boot/grub/grub.cfg", f"root=UUID={disks.ROOT_UUID}", "root=/dev/loop0p2")),
    ("grub-root", "root= is missing",
     replaced("/boot/grub/grub.cfg", f"root=UUID={disks.ROOT_UUID}", "")),
    ("grub-cmdline", "quiet is set", replaced("/boot/grub/grub.cfg", "loglevel=3", "quiet")),
    ("grub-cmdline", "console=ttyS0 is missing",
     replaced("/boot/grub/grub.cfg", " console=ttyS0", "")),
    ("grub-cmdline", "root=/dev/loop0p2 is not in the image",
     replaced("/boot/grub/grub.cfg", f"root=UUID={disks.ROOT_UUID}", "root=/dev/loop0p2")),
    ("grub-timeout", "GRUB_TIMEOUT=5", replaced("/etc/default/grub", "TIMEOUT=0", "TIMEOUT=5")),
    ("grub-timeout", "has timeout=5", replaced("/boot/grub/grub.cfg", "timeout=0", "timeout=5")),
    ("root-partition-last", "partition 3 is behind it",
     table(ESP_PART, ROOT, Part(DATA_TYPE, SIZE, SIZE + 1), size=SIZE + 2)),
    ("image-fits-disk", "image size is bigger than disk",
     table(ESP_PART, ROOT, size=(RENTED >> 20) + 1)),
    ("image-fits-disk", "image size is bigger than disk", truncate(RENTED)),
    ("image-multiple", "512 bytes more than a multiple", truncate(512)),
    ("growpart", "not installed: growpart", debugfs("rm /usr/bin/growpart")),
    ("growpart", "not installed: resize2fs", debugfs("rm /usr/sbin/resize2fs")),
    ("services-enabled", "nothing starts an SSH server",
     debugfs("rm /etc/systemd/system/multi-user.target.wants/ssh.service")),
    ("services-enabled", "nothing starts a resolver",
     replaced("/etc/resolv.conf", "nameserver", "# no")),
    ("filesystem-clean", "it is not marked clean", debugfs("dirty")),
    ("filesystem-clean", "the journal must be replayed", debugfs("feature needs_recovery")),
    ("fstab", "/dev/loop0p2", replaced("/etc/fstab", f"UUID={disks.ROOT_UUID}", "/dev/loop0p2")),
    ("init-present", "which does not exist", debugfs("rm /usr/lib/systemd/systemd")),
    ("image-name", "/image.raw does not exist; found instead: /Image.raw", renamed("Image.raw")),
    ("image-name", "/image.raw does not exist; found instead: /disk.raw", renamed("disk.raw")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("slug", "evidence", "breaks"), MUTANTS,
    ids=[f"{n}-{slug}" for n, (slug, _, _) in enumerate(MUTANTS)],
)  # fmt: skip
def test_a_broken_image_fails_the_rule_that_covers_it(
    image: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(image)
    (path,) = (path for path in image.parent.iterdir() if path.is_file())
    report = judged(path)
    finding = report.finding(slug)
    assert finding.outcome is Outcome.FAIL, finding.evidence
    assert evidence in finding.evidence
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and report.ready)


def test_a_good_image_is_ready_alone_in_a_directory_and_in_a_tarball(
    image: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    packed = tmp_path / "packed.tar.gz"
    disks.run(
        "tar", "-I", "gzip -1", "-cSf", packed, "--numeric-owner", "-C", image.parent, "image.raw"
    )
    (directory / "image.raw").hardlink_to(image)
    reports = [judged(path) for path in (image, directory, packed)]
    for report in reports:
        assert report.ready
        assert {f.slug: f.evidence for f in report.findings if f.wrong} == {}
        for one, two in zip(report.findings, reports[0].findings, strict=True):
            assert one.outcome is two.outcome
            if not one.slug.startswith("archive"):
                assert one.evidence == two.evidence


def test_its_guest_has_the_findings_of_the_same_tree_in_a_directory(
    tree: Path, image: Path
) -> None:
    compare_guests(judged(image), check(tree, mode="vm"))


def test_a_fat16_esp_is_a_warning_and_still_boots(image: Path) -> None:
    on_esp(dict, "-F", "16")(image)
    report = judged(image)
    finding = report.finding("esp-fat")
    assert (finding.outcome, finding.severity) == (Outcome.FAIL, Severity.SHOULD)
    assert report.ready


def test_every_rule_is_broken_and_every_must_twice() -> None:
    told = [slug for slug, _ in VM_MUTANTS]
    told += [slug for slug, _, _ in (*MUTANTS, *CONTAINER_MUTANTS)]
    # by a name, without an entrypoint, and never failed but not checked
    elsewhere = {"path-colon", "entrypoint-startup-toml", "image-root"}
    for rule in all_rules():
        of_archives = rule.slug.startswith("archive-") and rule.slug != "archive-root"
        if not of_archives and rule.slug not in elsewhere:
            wanted = 2 if rule.severity is Severity.MUST else 1
            assert told.count(rule.slug) >= wanted, rule.slug
