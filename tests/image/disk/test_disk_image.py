"""Partition tables, FAT and whole disks: made by real tools, truncated, circular, mutated."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import disks
from tests.support.disks import DATA_TYPE, ESP_PART, ESP_TYPE, MIB, ROOT_PART, Part
from tests.support.limits import bounds
from zwizard.image import UnreadableError
from zwizard.image.disk.disk_image import DiskImage
from zwizard.image.disk.fat import FatTree
from zwizard.image.disk.gpt import read_gpt
from zwizard.image.disk.ranges import FileRange
from zwizard.image.tree import EntryType

pytestmark = pytest.mark.usefixtures("_tools")


@pytest.fixture(scope="module")
def _tools() -> None:
    disks.need_tools()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    disks.close_handles()


def stretch(path: Path) -> FileRange:
    return FileRange(disks.handle(path), 0, path.stat().st_size)


def opened(path: Path) -> DiskImage:
    return DiskImage(path, disks.handle(path), path.stat().st_size)


def edit(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


# GPT


def test_a_table_of_sfdisk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disks.partition(path, ESP_PART, ROOT_PART)
    gpt = read_gpt(stretch(path))
    assert (gpt.fault, gpt.backup_fault, gpt.first_usable, gpt.entry_size) == ("", "", 2048, 128)
    assert [(p.number, p.type, p.offset, p.size) for p in gpt.partitions] == [
        (1, disks.ESP_TYPE, MIB, 40 * MIB),
        (2, disks.ROOT_TYPE, 41 * MIB, 54 * MIB),
    ]


@pytest.mark.parametrize(
    ("offset", "data", "fault"),
    [
        (512, b"X", "its MBR announces a GPT that does not exist"),
        (512 + 20, b"X", "the checksum of its header is wrong"),
        (512 + 40, b"X", "the checksum of its header is wrong"),
        (1024 + 100, b"X", "the checksum of its table is wrong"),
        (512 + 12, b"\xff\xff", "its header claims to have 65535 bytes"),
        (512 + 80, b"\xff\xff\xff\x7f", "the checksum of its header is wrong"),
    ],
)
def test_a_damaged_table_is_reported(tmp_path: Path, offset: int, data: bytes, fault: str) -> None:
    path = tmp_path / "disk"
    disks.partition(path, ESP_PART, ROOT_PART)
    edit(path, offset, data)
    assert read_gpt(stretch(path)).fault == fault


def test_a_truncated_and_a_grown_disk_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disks.partition(path, ESP_PART, ROOT_PART)
    for size, fault in (
        (disks.SIZE * MIB - 512, "the image is truncated"),
        (disks.SIZE * MIB + MIB, "the backup is in sector 196607, the image's last is 198655"),
        (disks.SIZE * MIB + 7, "does not end with a whole sector"),
    ):
        with path.open("r+b") as file:
            file.truncate(size)
        gpt = read_gpt(stretch(path))
        assert gpt.fault == ""
        assert fault in gpt.backup_fault


def test_a_different_backup_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disks.partition(path, ESP_PART, ROOT_PART)
    edit(path, disks.SIZE * MIB - 512 - 128 * 128 + 60, b"X")
    assert "differs" in read_gpt(stretch(path)).backup_fault
    edit(path, disks.SIZE * MIB - 512, b"X")
    assert read_gpt(stretch(path)).backup_fault == "the last sector holds no backup"


@pytest.mark.parametrize(
    ("label", "fault"), [("dos", "it has an MBR partition table and no GPT"), ("", "it has no")]
)
def test_other_tables_are_named(tmp_path: Path, label: str, fault: str) -> None:
    path = tmp_path / "disk"
    if label:
        disks.partition(path, Part("83", 1, 41), label=label)
    else:
        path.write_bytes(bytes(MIB))
    assert read_gpt(stretch(path)).fault.startswith(fault)


# FAT

FILES = {
    "EFI/BOOT/BOOTX64.EFI": b"MZ" * 5000,
    "EFI/debian/A name that is long.cfg": b"x",
    "EFI/debian/empty": b"",
    "small.txt": b"lower case in eight and three",
}
KINDS = {
    "fat32": (40, 32, ("-F", "32", "-s", "1")),
    "fat16": (20, 16, ("-F", "16",)),
    "fat12": (2, 12, ("-F", "12",)),
    "fat32-4k": (300, 32, ("-F", "32", "-S", "4096", "-s", "1")),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_fat_of_any_type_has_the_files_that_were_written(tmp_path: Path, kind: str) -> None:
    size, bits, options = KINDS[kind]
    view = FatTree(tmp_path, stretch(disks.fat(tmp_path / "fat", size, FILES, *options)))
    assert view.geometry.bits == bits
    found = {e.path: e for e in view.entries() if e.kind is EntryType.FILE}
    assert sorted(found) == sorted(f"/{name}" for name in FILES)
    for name, data in FILES.items():
        assert view.read(f"/{name}", 1 << 20) == data
        assert view.read(f"/{name.upper()}", 1 << 20) == data
    stored = view.node("/efi/boot/bootx64.efi")
    assert stored is not None
    assert stored.path == "/EFI/BOOT/BOOTX64.EFI"
    assert view.node("/efi/none") is None


def test_free_space_matches_that_of_the_tools(tmp_path: Path) -> None:
    path = disks.fat(tmp_path / "fat", 40, {"kernel": bytes(10 * MIB)})
    shown = subprocess.run(["mdir", "-i", path], capture_output=True, text=True, check=True)
    free = int("".join(c for c in shown.stdout.splitlines()[-2] if c.isdigit()))
    assert FatTree(path, stretch(path)).free == free


@pytest.mark.slow
def test_a_loop_of_clusters_ends(tmp_path: Path) -> None:
    path = disks.fat(tmp_path / "fat", 40, {"kernel": bytes(MIB)})
    view = FatTree(path, stretch(path))
    root = view.geometry.root_cluster
    for cluster in range(2, 3000):
        edit(path, view.geometry.fat + cluster * 4, root.to_bytes(4, "little"))
    with bounds(), pytest.raises(UnreadableError, match="has no end"):
        list(FatTree(path, stretch(path)).entries())


@pytest.mark.parametrize(
    ("offset", "data"), [(11, b"\x00\x00"), (13, b"\x03"), (14, b"\x00\x00"), (32, bytes(4))]
)
def test_an_impossible_boot_sector_is_refused(tmp_path: Path, offset: int, data: bytes) -> None:
    path = disks.fat(tmp_path / "fat", 40, {})
    edit(path, offset, data)
    with pytest.raises(UnreadableError, match="FAT boot sector"):
        FatTree(path, stretch(path))


# Whole disks


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("disk")
    return disks.disk(place / "image.raw", disks.image_tree(place / "tree"))


@pytest.mark.slow
def test_a_disk_is_its_root_with_the_esp_where_fstab_puts_it(whole: Path) -> None:
    disk = opened(whole)
    assert [(v.filesystem, v.uuid, v.label) for v in disk.volumes] == [
        ("vfat", "1234-ABCD", ""),
        ("ext4", disks.ROOT_UUID, "cloud-root"),
    ]
    assert disk.root.partition.number == 2
    assert disk.system.read("/etc/default/grub", 100).startswith(b"GRUB_TIMEOUT=0")
    assert disk.system.read("/boot/efi/EFI/BOOT/BOOTX64.EFI", 2) == b"MZ"
    assert [e.path for e in disk.system.listing("/boot/efi")] == ["/boot/efi/EFI"]
    paths = [entry.path for entry in disk.system.entries()]
    assert paths == sorted(paths)
    assert "/boot/efi/EFI/BOOT/BOOTX64.EFI" in paths


@pytest.mark.parametrize(
    ("device", "number"),
    [
        (f"UUID={disks.ROOT_UUID}", 2), ("LABEL=cloud-root", 2), ("/dev/vda1", 1),
        (f"/dev/disk/by-uuid/{disks.ROOT_UUID}", 2), ("UUID=1234-abcd", 1),
        ("/dev/sda2", None), ("/dev/loop0p2", None), ("UUID=", None), ("LABEL=", None),
    ],
)  # fmt: skip
def test_devices_are_matched_by_name(whole: Path, device: str, number: int | None) -> None:
    found = [v.partition.number for v in opened(whole).volumes if v.named(device)]
    assert found == ([] if number is None else [number])


@pytest.mark.parametrize(
    ("offset", "magic", "form"),
    [
        (0, b"XFSB", "xfs"), (0x10040, b"_BHRfS_M", "btrfs"), (512, b"LABELONE", "LVM2_member"),
        (0, b"LUKS\xba\xbe", "crypto_LUKS"),
    ],
)  # fmt: skip
def test_unsupported_file_systems_are_named(
    tmp_path: Path, offset: int, magic: bytes, form: str
) -> None:
    path = tmp_path / "image.raw"
    disks.partition(path, ESP_PART, ROOT_PART)
    edit(path, ROOT_PART.start * MIB + offset, magic)
    disk = opened(path)
    assert disk.volumes[1].filesystem == form
    with pytest.raises(UnreadableError, match=f"partition 2 is {form}, which cannot be read here"):
        assert disk.root


def test_a_data_partition_is_not_mistaken_for_the_root(tmp_path: Path) -> None:
    (tmp_path / "data/etc").mkdir(parents=True)
    tree = disks.image_tree(tmp_path / "tree")
    path = tmp_path / "image.raw"
    disks.partition(path, Part(ESP_TYPE, 1, 20), Part(DATA_TYPE, 20, 30), Part(DATA_TYPE, 30, 90))
    disks.put(path, Part("", 20, 30), disks.ext(tmp_path / "p", 10, tmp_path / "data"))
    disks.put(path, Part("", 30, 90), disks.ext(tmp_path / "p", 60, tree))
    assert opened(path).root.partition.number == 3


# Where the structures are, for mutations that matter: table, boot sector, FAT, superblock,
# descriptors, and the first inodes and directories.
PLACES = (
    (0, 6 << 10), (MIB, 2048), (MIB + 32 * 512, 4096), (MIB + 1300 * 512, 2048),
    (41 * MIB + 1024, 1024), (41 * MIB + 4096, 4096), (41 * MIB + 16384, 1 << 19),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150)
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(PLACES), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_a_mutated_disk_is_read_or_refused_and_never_hangs(
    whole: Path, edits: list[tuple[tuple[int, int], float, bytes]]
) -> None:
    data = {(start + int(part * size)): patch for (start, size), part, patch in edits}
    disk = DiskImage(whole, cast("BinaryIO", Patched(whole, data)), whole.stat().st_size)
    for look in (
        lambda: disk.gpt, lambda: disk.volumes, lambda: list(disk.esp_tree.entries()),
        lambda: disk.esp_tree.free, lambda: disk.root_superblock,
        lambda: [disk.system.read(e.path, 1 << 20)
                 for e in itertools.islice(disk.system.entries(), 2000)
                 if e.kind is EntryType.FILE],
    ):  # fmt: skip
        with bounds(), contextlib.suppress(UnreadableError):
            look()
    disks.close_handles()


class Patched:
    """A file with some of its bytes others, without a copy."""

    def __init__(self, path: Path, patches: dict[int, bytes]) -> None:
        self._file = disks.handle(path)
        self._patches = patches

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def read(self, size: int) -> bytes:
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for at, patch in self._patches.items():
            for number, byte in enumerate(patch, at - start):
                if 0 <= number < len(data):
                    data[number] = byte
        return bytes(data)
