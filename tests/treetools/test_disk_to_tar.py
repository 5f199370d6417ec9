"""The root file system on a disk image by others: read in place, refused where it cannot be."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import disks
from tests.support.disks import DATA_TYPE, ESP_PART, ROOT_TYPE, Part
from tests.support.trees import vm_tree
from zwizard.engine import executor
from zwizard.image.disk.disk_image import Volume
from zwizard.image.disk.gpt import Partition
from zwizard.image.disk.ranges import FileRange
from zwizard.image.tree import UnreadableError
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import Action, ImportDisk
from zwizard.treetools.disk_to_tar import edit_fstab, tree_of, write_tar

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
ROOT, BOOT = Part(ROOT_TYPE, 41, 80), Part(DATA_TYPE, 80, 95)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = vm_tree(tmp_path / "given")
    (root / "usr/lib/os-release").write_text('ID=debian\nPRETTY_NAME="Debian 12"\n')
    os.chown(root / "etc/hosts", 33, 4242)
    (root / "etc/hosts").chmod(0o640)
    os.utime(root / "etc/hosts", (1_000_000_000, 1_000_000_000))
    (root / "tmp").chmod(0o1777)
    os.mkfifo(root / "etc/pipe")
    os.link(root / "etc/hosts", root / "etc/hosts.same")
    (root / "etc/fstab").write_text("LABEL=root / ext4 defaults 0 1\ntmpfs /srv tmpfs\n")
    (root / "sparse").write_bytes(b"")
    os.truncate(root / "sparse", 3 * disks.MIB)
    return root


def written(image: Path) -> dict[str, tarfile.TarInfo]:
    out = image.with_suffix(".tar")
    with image.open("rb") as file, out.open("wb") as packed:
        write_tar(*tree_of(image, file), packed)
    with tarfile.open(out) as archive:
        return {member.name: member for member in archive}


def expected(tree: Path) -> set[str]:
    return {f"./{path.relative_to(tree)}" for path in tree.rglob("*") if not path.is_fifo()}


@pytest.mark.slow
def test_names_owners_modes_times_and_contents_are_the_images(tree: Path, tmp_path: Path) -> None:
    disks.need_tools()
    found = written(disks.disk(tmp_path / "disk.raw", tree, ROOT))
    assert set(found) - {"./lost+found"} == expected(tree)
    hosts = found["./etc/hosts"]
    assert (hosts.uid, hosts.gid, hosts.mode, hosts.mtime) == (33, 4242, 0o640, 1_000_000_000)
    assert found["./tmp"].mode == 0o1777
    same = found["./etc/hosts.same"]
    assert (same.type, same.linkname) == (tarfile.LNKTYPE, "./etc/hosts")
    assert found["./sparse"].size == 3 * disks.MIB
    assert found["./boot/vmlinuz"].linkname == os.fspath((tree / "boot/vmlinuz").readlink())
    with tarfile.open(tmp_path / "disk.tar") as archive:
        file = archive.extractfile("./usr/lib/systemd/systemd")
        assert file is not None
        assert file.read() == (tree / "usr/lib/systemd/systemd").read_bytes()
        file = archive.extractfile("./etc/fstab")
        assert file is not None
        root, kept = file.read().decode().splitlines()
    assert root.startswith("#")
    assert kept == "tmpfs /srv tmpfs"


def volume(number: int, uuid: str, label: str, name: str = "") -> Volume:
    part = Partition(number, disks.ROOT_TYPE, f"part-{number}", name, 0, 0)
    return Volume(part, FileRange(io.BytesIO(), 0, 0), "ext4", uuid, label)


OWN = (volume(1, "aaaa-1", "cloudimg-rootfs"), volume(15, "BBBB-2", "UEFI"))
LINES = {
    "LABEL=cloudimg-rootfs / ext4 defaults 0 1": True,
    "UUID=AAAA-1 /also ext4": True,
    "LABEL=UEFI /boot/efi vfat umask=0077 0 1": True,
    "/dev/sda15 /boot/efi vfat": True,
    "/dev/nvme0n1p1 /old ext4": True,
    "PARTUUID=part-15 /boot/efi vfat": True,
    "UUID=unknown / ext4": True,  # whatever it names, Zero-OS mounts the root
    "/dev/sda2 /other ext4": False,
    "/dev/sdb1 /other ext4": False,
    "UUID=cccc-3 /data ext4 nofail": False,
    "tmpfs /tmp tmpfs nosuid": False,
    "server:/export /mnt nfs _netdev": False,
    "/swapfile none swap sw 0 0": False,
    "# LABEL=UEFI /boot/efi vfat": False,
    "": False,
}


@pytest.mark.parametrize(("line", "own"), LINES.items())
def test_only_the_disks_own_partitions_are_left_out_of_fstab(line: str, own: bool) -> None:
    text, left_out = edit_fstab(f"proc /proc proc\n{line}\ntmpfs /run tmpfs\n", OWN)
    first, middle, last = text.splitlines()
    assert (first, last) == ("proc /proc proc", "tmpfs /run tmpfs")
    assert left_out == ([line] if own else [])
    assert middle.endswith(line)
    assert (middle != line) is own


def whole(path: Path, tree: Path, kind: str = "ext4") -> Path:
    """A file system without partitions."""
    with path.open("wb") as file:
        file.truncate(32 * disks.MIB)
    disks.run("mke2fs", "-q", "-F", "-t", kind, "-d", tree, path)
    return path


def test_a_disk_without_partitions_is_read_too(tree: Path, tmp_path: Path) -> None:
    found = written(whole(tmp_path / "disk.raw", tree))
    assert set(found) - {"./lost+found"} == expected(tree)


def test_what_was_not_cleanly_unmounted_is_refused(tree: Path, tmp_path: Path) -> None:
    image = whole(tmp_path / "disk.raw", tree)
    disks.run("debugfs", "-w", "-R", "feature needs_recovery", image)
    with pytest.raises(UnreadableError, match="not cleanly unmounted"):
        written(image)


@pytest.mark.parametrize(
    ("magic", "offset", "said"), [(b"_BHRfS_M", 0x10040, "btrfs"), (b"XFSB", 0, "xfs")]
)
def test_other_file_systems_are_named_and_refused(
    tmp_path: Path, magic: bytes, offset: int, said: str
) -> None:
    disks.need_tools()
    image = tmp_path / "disk.raw"
    disks.partition(image, ESP_PART, ROOT)
    with image.open("r+b") as file:
        file.seek(ROOT.start * disks.MIB + offset)
        file.write(magic)
    with pytest.raises(UnreadableError, match=f"partition 2 is {said}, which cannot be read"):
        written(image)


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(disks.MIB))
    with pytest.raises(UnreadableError, match="it has no partition table"):
        written(image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("functions", "qcow2"),
    [(executor.functions, True), (render.functions, False)],
    ids=["engine-qcow2", "script-raw"],
)
def test_the_root_of_an_image_with_a_boot_partition_is_put_together(
    tree: Path, tmp_path: Path, functions: Callable[[Action], str], qcow2: bool
) -> None:
    disks.need_tools()
    boot = tmp_path / "boot"
    names = {path.name for path in (tree / "boot").iterdir()}
    (tree / "boot").rename(boot)
    (tree / "boot").mkdir()
    (tree / "etc/fstab").write_text("LABEL=BOOT /boot ext4 defaults 0 2\n")
    image = tmp_path / "disk.raw"
    disks.partition(image, ESP_PART, ROOT, BOOT)
    for part, label, content in ((ROOT, "root", tree), (BOOT, "BOOT", boot)):
        size = f"{part.end - part.start}M"
        where = f"offset={part.start * disks.MIB}"
        make_it = ("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-E", where, "-d", content)
        disks.run(*make_it, image, size)
    if qcow2:
        disks.run("qemu-img", "convert", "-O", "qcow2", image, tmp_path / "disk.qcow2")
        image = tmp_path / "disk.qcow2"
    before = image.read_bytes()
    root = tmp_path / "root"
    root.mkdir()
    action = ImportDisk(str(image), "", "debian", init=True)
    script = f"{functions(action)}\n{action.shell()}"
    isolated = ("unshare", "--mount", "bash", "-euo", "pipefail", "-c", script)
    done = subprocess.run(
        isolated,
        env={"PATH": os.environ["PATH"], "ROOT": str(root), "OUT": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (root / "boot").iterdir()} - {"lost+found"} == names
    assert (root / "etc/hosts").stat().st_gid == 4242
    assert "it is Debian 12" in done.stdout
    assert image.read_bytes() == before
    assert not (tmp_path / "out.raw").exists()


def test_its_plan_is_a_root_file_systems_but_for_where_the_tree_comes_from() -> None:
    def steps(kind: str) -> list[str]:
        source = {"kind": kind, "location": "/x"}
        return [step.name for step in make(Recipe.from_dict({"source": source})).steps]

    assert steps("cloud-image") == steps("rootfs")
