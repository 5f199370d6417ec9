"""The kernel hook: unpacks whatever Debian installs to ELF, links it, and breaks nothing."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from zwizard.image.boot_files import find_boot_files
from zwizard.image.directory import DirectoryTree

HOOK = str(resources.files("zwizard.steps").joinpath("scripts/zz-zos-kernel"))

PACKERS = {
    "gzip": ("gzip", "-9n"),
    "xz": ("xz", "--check=crc32", "--x86", "--lzma2=dict=1MiB"),
    "zstd": ("zstd", "-q", "-19"),
    "lz4": ("lz4", "-l", "-q", "-c"),
    "bzip2": ("bzip2", "-9"),
    "lzma": ("xz", "--format=lzma", "--lzma1=preset=0,dict=64MiB"),
}


def elf(
    banner: str = "Linux version 6.1.0", *, machine: int = 0x3E, note: bytes = b"Xen"
) -> bytes:
    """Enough of a 64-bit x86 kernel for the hook; it is large enough to be cut in the middle."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine)
    filler = b"".join(struct.pack("<I", number * 2654435761 % 2**32) for number in range(10000))
    return head + banner.encode() + filler + note


@cache
def bzimage(kernel: bytes, packer: str, *, sectors: int = 31) -> bytes:
    """A bzImage as the x86 boot protocol lays it out: setup, header, boot code, payload."""
    packed = subprocess.run(PACKERS[packer], input=kernel, capture_output=True, check=True).stdout
    # A gzip ends in its own size; the others get theirs appended (scripts/Makefile.lib).
    payload = packed if packer == "gzip" else packed + struct.pack("<I", len(kernel))
    code = b"\x90" * 1234
    setup = bytearray((sectors + 1) * 512)
    setup[0x1F1] = sectors
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x020F)
    struct.pack_into("<II", setup, 0x248, len(code), len(payload))
    return bytes(setup) + code + payload + b"\xff" * 100


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def run(boot: Path) -> Run:
    def run() -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "ZOS_BOOT": str(boot)}
        argv = ["dash", HOOK, "6.1.0-1", "/boot/vmlinuz-6.1.0-1"]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    return run


def names(boot: Path) -> list[str]:
    return sorted(path.name for path in boot.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("packer", PACKERS)
def test_a_kernel_packed_in_any_way_becomes_the_elf_that_was_packed(
    packer: str, boot: Path, run: Run
) -> None:
    kernel = boot / "vmlinuz-6.1.0-1"
    kernel.write_bytes(bzimage(elf(), packer))
    os.utime(kernel, (1000, 1000))
    (boot / "initrd.img-6.1.0-1").write_text("initramfs")
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert kernel.read_bytes() == elf()
    assert kernel.stat().st_mode & 0o7777 == 0o644
    assert kernel.stat().st_mtime == 1000
    assert (boot / "vmlinuz").readlink() == Path("vmlinuz-6.1.0-1")
    assert (boot / "initrd.img").readlink() == Path("initrd.img-6.1.0-1")
    assert "unpacked vmlinuz-6.1.0-1 to ELF" in done.stdout


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_kernel_cut_short_is_left_as_it_is_and_fails(
    packer: str, kept: float, boot: Path, run: Run
) -> None:
    whole = bzimage(elf(), packer)
    cut = whole[: int(len(whole) * kept)]
    (boot / "vmlinuz-6.1.0-1").write_bytes(cut)
    (boot / "vmlinuz").symlink_to("vmlinuz-before")
    assert run().returncode != 0
    assert (boot / "vmlinuz-6.1.0-1").read_bytes() == cut
    assert names(boot) == ["vmlinuz", "vmlinuz-6.1.0-1"]
    assert (boot / "vmlinuz").readlink() == Path("vmlinuz-before")


BROKEN = {
    b"": "neither an ELF nor a bzImage",
    b"#!/bin/sh\nnot a kernel\n" * 100: "neither an ELF nor a bzImage",
    bzimage(elf(), "xz").replace(b"\xfd7zXZ\x00", b"\x89LZO\x00\x00"): "packed in a way not known",
    bzimage(elf(machine=0xB7), "zstd"): "holds no 64-bit x86 ELF",
    bzimage(b"no ELF at all" * 50, "gzip"): "holds no 64-bit x86 ELF",
    bzimage(elf(note=b"none"), "gzip"): "has no Xen (PVH) note",
    bzimage(elf(), "zstd").replace(struct.pack("<I", len(elf())), b"\x01\0\0\0"): "bytes, not 1",
}


@pytest.mark.parametrize(("content", "said"), BROKEN.items(), ids=BROKEN.values())
def test_what_is_no_kernel_is_named_and_left_as_it_is(
    content: bytes, said: str, boot: Path, run: Run
) -> None:
    (boot / "vmlinuz-6.1.0-1").write_bytes(content)
    done = run()
    assert done.returncode == 1
    assert "zos-kernel: vmlinuz-6.1.0-1 " in done.stderr
    assert said in done.stderr
    assert (boot / "vmlinuz-6.1.0-1").read_bytes() == content
    assert names(boot) == ["vmlinuz-6.1.0-1"]


def test_a_kernel_that_is_elf_already_is_not_touched_but_linked(boot: Path, run: Run) -> None:
    kernel = boot / "vmlinuz-6.1.0-1"
    kernel.write_bytes(elf())
    before = kernel.stat()
    done = run()
    assert (done.returncode, done.stdout) == (0, "")
    assert (kernel.stat().st_ino, kernel.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(boot) == ["vmlinuz", "vmlinuz-6.1.0-1"]


@pytest.mark.slow
def test_a_second_run_changes_nothing(boot: Path, run: Run) -> None:
    (boot / "vmlinuz-6.1.0-1").write_bytes(bzimage(elf(), "xz"))
    run()
    before = [(path.name, path.read_bytes()) for path in sorted(boot.iterdir())]
    assert run().returncode == 0
    assert [(path.name, path.read_bytes()) for path in sorted(boot.iterdir())] == before


@pytest.mark.slow
def test_of_several_kernels_the_newest_by_version_is_unpacked_and_linked(
    boot: Path, run: Run
) -> None:
    for version, packer in (("6.1.0-9", "xz"), ("6.1.0-10", "zstd"), ("5.10.0-30", "gzip")):
        (boot / f"vmlinuz-{version}").write_bytes(bzimage(elf(version), packer))
        (boot / f"initrd.img-{version}").write_text(version)
    (boot / "vmlinuz").symlink_to("vmlinuz-6.1.0-9")
    (boot / "initrd.img").symlink_to("initrd.img-6.1.0-9")
    assert run().returncode == 0
    assert (boot / "vmlinuz").readlink() == Path("vmlinuz-6.1.0-10")
    assert (boot / "initrd.img").read_text() == "6.1.0-10"
    assert (boot / "vmlinuz").read_bytes() == elf("6.1.0-10")
    assert (boot / "vmlinuz-6.1.0-9").read_bytes() == bzimage(elf("6.1.0-9"), "xz")


def test_after_the_newest_is_removed_the_one_before_is_linked(boot: Path, run: Run) -> None:
    for version in ("6.1.0-1", "6.1.0-2"):
        (boot / f"vmlinuz-{version}").write_bytes(elf(version))
        (boot / f"initrd.img-{version}").write_text(version)
    run()
    (boot / "vmlinuz-6.1.0-2").unlink()
    (boot / "initrd.img-6.1.0-2").unlink()
    assert run().returncode == 0
    assert (boot / "vmlinuz").readlink() == Path("vmlinuz-6.1.0-1")
    assert (boot / "initrd.img").readlink() == Path("initrd.img-6.1.0-1")


def test_with_no_kernel_left_nothing_is_removed_and_that_is_said(boot: Path, run: Run) -> None:
    (boot / "vmlinuz").symlink_to("vmlinuz-6.1.0-1")
    (boot / "initrd.img").write_text("somebody's")
    done = run()
    assert (done.returncode, names(boot)) == (0, ["initrd.img", "vmlinuz"])
    assert "no kernel was found in /boot" in done.stdout


def test_a_kernel_of_the_users_own_is_unpacked_and_stays_at_upgrades(boot: Path, run: Run) -> None:
    (boot / "vmlinuz").write_bytes(bzimage(elf("mine"), "gzip"))
    (boot / "initrd.img").write_text("mine")
    (boot / "vmlinuz-6.1.0-1").write_bytes(elf("package's"))
    (boot / "initrd.img-6.1.0-1").write_text("package's")
    assert run().returncode == 0
    assert (boot / "vmlinuz").read_bytes() == elf("mine")
    assert not (boot / "vmlinuz").is_symlink()
    assert (boot / "initrd.img").read_text() == "mine"


def test_at_an_upgrade_an_initramfs_under_the_links_name_is_moved_aside(
    boot: Path, run: Run
) -> None:
    (boot / "vmlinuz").symlink_to("vmlinuz-6.1.0-1")
    (boot / "initrd.img").write_text("of 6.1.0-1")
    for version in ("6.1.0-1", "6.1.0-2"):
        (boot / f"vmlinuz-{version}").write_bytes(elf(version))
    (boot / "initrd.img-6.1.0-2").write_text("of 6.1.0-2")
    assert run().returncode == 0
    assert (boot / "initrd.img").read_text() == "of 6.1.0-2"
    assert (boot / "initrd.img.old").read_text() == "of 6.1.0-1"


def test_a_kernel_whose_initramfs_comes_later_gets_no_dangling_link(boot: Path, run: Run) -> None:
    (boot / "vmlinuz-6.1.0-1").write_bytes(elf())
    (boot / "initrd.img").symlink_to("initrd.img-6.0.0-1")
    assert run().returncode == 0
    assert names(boot) == ["vmlinuz", "vmlinuz-6.1.0-1"]


def test_a_missing_unpacker_fails_and_leaves_the_kernel(boot: Path, tmp_path: Path) -> None:
    kernel = boot / "vmlinuz-6.1.0-1"
    kernel.write_bytes(packed := bzimage(elf(), "zstd"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("od", "tr", "tail", "head", "stat", "sort", "grep", "rm", "cut"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    environment = {"PATH": str(tools), "ZOS_BOOT": str(boot)}
    done = subprocess.run(
        ["/usr/bin/dash", HOOK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "zstd: not found" in done.stderr
    assert kernel.read_bytes() == packed
    assert names(boot) == ["tools", "vmlinuz-6.1.0-1"]


# --- where mkinitcpio is at work, which reads a kernel's version from the packed file ------------


@pytest.fixture
def arch(boot: Path) -> Path:
    """A /boot beside the presets of mkinitcpio."""
    (boot / "etc/mkinitcpio.d").mkdir(parents=True)
    (boot / "boot").mkdir()
    return boot / "boot"


def run_in(boot: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "ZOS_BOOT": str(boot)}
    subprocess.run(["dash", HOOK], env=environment, check=True)


def test_on_arch_the_elf_lies_beside_the_packed_kernel(arch: Path) -> None:
    packed = bzimage(elf(), "zstd")
    (arch / "vmlinuz-linux").write_bytes(packed)
    (arch / "initramfs-linux.img").write_text("initramfs")
    run_in(arch)
    assert (arch / "vmlinuz-linux").read_bytes() == packed
    assert (arch / "vmlinuz").readlink() == Path("vmlinux-linux")
    assert (arch / "vmlinuz").read_bytes() == elf()
    assert (arch / "initrd.img").readlink() == Path("initramfs-linux.img")


@pytest.mark.slow
def test_on_arch_an_upgrade_and_a_removal_take_the_old_elf_with_them(arch: Path) -> None:
    for name in ("linux", "linux-lts"):
        (arch / f"vmlinuz-{name}").write_bytes(bzimage(elf(name), "gzip"))
    run_in(arch)
    (arch / "vmlinuz-linux").write_bytes(bzimage(elf("later"), "xz"))
    (arch / "vmlinuz-linux-lts").unlink()
    run_in(arch)
    assert names(arch) == ["vmlinux-linux", "vmlinuz", "vmlinuz-linux"]
    assert (arch / "vmlinuz").read_bytes() == elf("later")


# --- what others put into /boot: the hook and the checklist find the same there ------------------

V = "6.1.0-1"
GIVEN: dict[str, tuple[dict[str, str], str, str]] = {  # a link is "-> TARGET"
    "Debian's links in the root": (
        {"vmlinuz": "-> boot/vmlinuz-5.10.0-9", "boot/vmlinuz-5.10.0-9": "",
         f"boot/vmlinuz-{V}": "", "boot/initrd.img-5.10.0-9": "", f"boot/initrd.img-{V}": ""},
        "vmlinuz-5.10.0-9", "initrd.img-5.10.0-9"),
    "Ubuntu, an older kernel linked": (
        {"boot/vmlinuz": "-> vmlinuz-5.15.0-25-generic", "boot/vmlinuz-5.15.0-25-generic": "",
         "boot/initrd.img-5.15.0-25-generic": "", "boot/vmlinuz-6.8.0-1-generic": "",
         "boot/initrd.img-6.8.0-1-generic": "", "boot/vmlinuz.old": "-> vmlinuz-6.8.0-1-generic"},
        "vmlinuz-5.15.0-25-generic", "initrd.img-5.15.0-25-generic"),
    "absolute links": (
        {"boot/vmlinuz": f"-> /boot/vmlinuz-{V}", f"boot/vmlinuz-{V}": "",
         "boot/initrd.img": "-> /boot/mine.img", "boot/mine.img": ""},
        f"vmlinuz-{V}", "mine.img"),
    "the guide's own kernel": (
        {"boot/vmlinuz": "", "boot/initrd.img": ""}, "vmlinuz", "initrd.img"),
    "a kernel beside SUSE's link": (
        {"boot/vmlinuz": "", "boot/initrd": ""}, "vmlinuz", "initrd"),
    "Alpine": (
        {"boot/vmlinuz-virt": "", "boot/initramfs-virt": "", "boot/config-virt": ""},
        "vmlinuz-virt", "initramfs-virt"),
    "SUSE": (
        {"boot/vmlinuz": "-> vmlinuz-6.4.0-21-default", "boot/vmlinuz-6.4.0-21-default": "",
         "boot/initrd": "-> initrd-6.4.0-21-default", "boot/initrd-6.4.0-21-default": ""},
        "vmlinuz-6.4.0-21-default", "initrd-6.4.0-21-default"),
    "Fedora, with a rescue kernel": (
        {"boot/vmlinuz-6.8.5-301.fc40.x86_64": "", "boot/initramfs-6.8.5-301.fc40.x86_64.img": "",
         "boot/vmlinuz-0-rescue-1f2e": "", "boot/initramfs-0-rescue-1f2e.img": ""},
        "vmlinuz-6.8.5-301.fc40.x86_64", "initramfs-6.8.5-301.fc40.x86_64.img"),
    "kernel-install": (
        {"boot/1f2e/6.8.5/linux": "", "boot/1f2e/6.8.5/initrd": "", "boot/1f2e/6.10.1/linux": "",
         "boot/1f2e/6.10.1/initrd": "", "boot/loader/entries/1f2e-6.10.1.conf": "x"},
        "1f2e/6.10.1/linux", "1f2e/6.10.1/initrd"),
    "mkosi, beside the modules": (
        {"usr/lib/modules/6.8.5/vmlinuz": "", "usr/lib/modules/6.8.5/initrd": "",
         "boot/initrd.img": "-> initrd.img-5"},
        "../usr/lib/modules/6.8.5/vmlinuz", "../usr/lib/modules/6.8.5/initrd"),
    "modules that a link of the tree leads to": (
        {"usr": "-> elsewhere", "elsewhere/lib/modules/6.8.5/vmlinuz": ""}, "", ""),
    "Void": (
        {"boot/vmlinuz-6.6.30_1": "", "boot/initramfs-6.6.30_1.img": "",
         "boot/vmlinuz-6.6.9_1": "", "boot/initramfs-6.6.9_1.img": ""},
        "vmlinuz-6.6.30_1", "initramfs-6.6.30_1.img"),
    "Gentoo": (
        {"boot/kernel-6.6.30-gentoo": "", "boot/initramfs-6.6.30-gentoo.img": "",
         "boot/kernel-6.6.30-gentoo.old": ""},
        "kernel-6.6.30-gentoo", "initramfs-6.6.30-gentoo.img"),
    "booster": (
        {"boot/vmlinuz-lts": "", "boot/booster-lts.img": ""}, "vmlinuz-lts", "booster-lts.img"),
    "the newest without an initramfs": (
        {"boot/vmlinuz-6.1.0": "", "boot/initrd.img-6.1.0": "", "boot/vmlinuz-6.2.0": ""},
        "vmlinuz-6.1.0", "initrd.img-6.1.0"),
    "the recipe's own": (
        {"boot/vmlinuz-own": "", "boot/vmlinuz-6.1.0": "", "boot/initrd.img-6.1.0": "",
         "boot/vmlinuz": "-> vmlinuz-6.1.0", "boot/initrd.img": "-> initrd.img-6.1.0"},
        "vmlinuz-own", ""),
    "an ELF that is linked": (
        {"boot/vmlinuz": "-> vmlinux-6.1.0", "boot/vmlinux-6.1.0": ""}, "vmlinux-6.1.0", ""),
    "a link out of the tree": (
        {"boot/vmlinuz": "-> ../../vmlinuz-6.1.0", "../vmlinuz-6.1.0": ""}, "", ""),
    "no kernel": ({"boot/initrd.img": "", "boot/vmlinuz": "-> gone"}, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_the_hook_and_the_checklist_start_the_same_and_nothing_is_lost(
    name: str, tmp_path: Path
) -> None:
    files, kernel, initrd = GIVEN[name]
    root = tmp_path / "tree"
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            place.symlink_to(content[3:])
        else:
            place.write_bytes(elf(path))
    (root / "boot").mkdir(exist_ok=True)
    found = find_boot_files(DirectoryTree(root))
    whole = (found.kernel, found.initrd) if found else ("", "")
    assert [os.path.relpath(path, "/boot") if path else "" for path in whole] == [kernel, initrd]
    kept = {path: (root / path).read_bytes() for path, text in files.items() if not text}
    before = sorted(root.rglob("*"))
    run_in(root / "boot")
    assert [path for path in kept if (root / path).read_bytes() != kept[path]] == []
    if not kernel:
        assert sorted(root.rglob("*")) == before
    for link, target in (("vmlinuz", kernel), ("initrd.img", initrd)):
        if target:
            place = root / "boot" / link
            assert place.samefile(root / "boot" / target)
            assert not place.is_symlink() or not place.readlink().is_absolute()
