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


def test_a_second_run_changes_nothing(boot: Path, run: Run) -> None:
    (boot / "vmlinuz-6.1.0-1").write_bytes(bzimage(elf(), "xz"))
    run()
    before = [(path.name, path.read_bytes()) for path in sorted(boot.iterdir())]
    assert run().returncode == 0
    assert [(path.name, path.read_bytes()) for path in sorted(boot.iterdir())] == before


def test_of_several_kernels_all_are_unpacked_and_the_newest_by_version_is_linked(
    boot: Path, run: Run
) -> None:
    for version, packer in (("6.1.0-9", "xz"), ("6.1.0-10", "zstd"), ("5.10.0-30", "gzip")):
        (boot / f"vmlinuz-{version}").write_bytes(bzimage(elf(version), packer))
        (boot / f"initrd.img-{version}").write_text(version)
    assert run().returncode == 0
    assert (boot / "vmlinuz").readlink() == Path("vmlinuz-6.1.0-10")
    assert (boot / "initrd.img").read_text() == "6.1.0-10"
    for version in ("6.1.0-9", "6.1.0-10", "5.10.0-30"):
        assert (boot / f"vmlinuz-{version}").read_bytes() == elf(version)


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


def test_with_no_kernel_left_no_link_dangles(boot: Path, run: Run) -> None:
    (boot / "vmlinuz").symlink_to("vmlinuz-6.1.0-1")
    (boot / "initrd.img").symlink_to("initrd.img-6.1.0-1")
    (boot / "config-6.1.0-1").write_text("")
    assert run().returncode == 0
    assert names(boot) == ["config-6.1.0-1"]


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
    for tool in ("od", "tr", "tail", "head", "stat", "sort", "grep", "rm"):
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


def test_on_arch_an_upgrade_and_a_removal_take_the_old_elf_with_them(arch: Path) -> None:
    for name in ("linux", "linux-lts"):
        (arch / f"vmlinuz-{name}").write_bytes(bzimage(elf(name), "gzip"))
    run_in(arch)
    (arch / "vmlinuz-linux").write_bytes(bzimage(elf("later"), "xz"))
    (arch / "vmlinuz-linux-lts").unlink()
    run_in(arch)
    assert names(arch) == ["vmlinux-linux", "vmlinuz", "vmlinuz-linux"]
    assert (arch / "vmlinuz").read_bytes() == elf("later")
