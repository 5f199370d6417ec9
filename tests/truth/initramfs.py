"""Initramfs images: whether the kernel unpacks them and starts /init.

Measured by starting Debian 12's cloud kernel (6.1) with each in QEMU:
``python -m tests.truth.boot_initramfs KERNEL``. /init ends at once, so that the kernel's panic
“Attempted to kill init!” means that it ran.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from dataclasses import dataclass

import lz4.frame
import zstandard

from tests.support.executables import (
    MICROCODE,
    PACKERS,
    cpio,
    cpio_member,
    dynamic,
    lz4_legacy,
    program,
)

INIT = dynamic()  # without a loader: it ends at once
BODY = cpio({"init": INIT, "etc/": b"", "etc/own": b"x" * 5000})
TRAILER = cpio_member("TRAILER!!!", mode=0)
DIRECTORY = cpio_member("kernel/") + TRAILER


@dataclass(frozen=True)
class Row:
    """An initramfs; ``runs`` is whether /init is started, ``evidence`` what has to be named."""

    name: str
    data: bytes
    runs: bool
    evidence: str = ""


def xz(check: int, filters: list[dict[str, int]] | None = None) -> bytes:
    return lzma.compress(BODY, lzma.FORMAT_XZ, check=check, filters=filters)


def window(log: int) -> bytes:
    """zstd data that needs a window of 2 to the power of ``log`` bytes."""
    parameters = zstandard.ZstdCompressionParameters(
        window_log=log, enable_ldm=True, write_content_size=False
    )
    out = io.BytesIO()
    with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(
        out, closefd=False
    ) as writer:
        writer.write(BODY)
    return out.getvalue()


def split(pack: object, body: bytes = BODY, at: int = 300) -> bytes:
    """One archive in two compressed streams, as bgzip and pbzip2 write them."""
    assert callable(pack)
    return bytes(pack(body[:at]) + pack(body[at:]))


def inits(**others: bytes) -> bytes:
    """An initramfs whose /init is a link to the hard-linked file of another name."""
    linked = [
        cpio_member("one", b"", inode=7, links=2),
        cpio_member("init", INIT, inode=7, links=2),
    ]
    return b"".join(
        [*linked, *(cpio_member(name, data) for name, data in others.items()), TRAILER]
    )


PARTS = [
    Row("a plain archive", BODY, True),
    *(Row(f"packed with {form}", pack(BODY), True) for form, pack in PACKERS.items()),
    *(Row(f"microcode, then {form}", MICROCODE + pack(BODY), True)
      for form, pack in PACKERS.items()),
    Row("two archives in one stream", gzip.compress(MICROCODE + BODY), True),
    Row("two gzip files", gzip.compress(MICROCODE) + gzip.compress(BODY), True),
    Row("padding between", gzip.compress(MICROCODE) + bytes(7) + gzip.compress(BODY), True),
    Row("an odd place behind gzip", gzip.compress(MICROCODE) + b"\0" * (
        -len(gzip.compress(MICROCODE)) % 4 + 2) + BODY, False, "multiple of 4"),
    Row("an odd place behind an archive", DIRECTORY + bytes(2) + BODY, False, "multiple of 4"),
    Row("an odd place within the stream", gzip.compress(DIRECTORY + bytes(2) + BODY), False,
        "multiple of 4"),
    Row("one archive in two gzip files", split(gzip.compress), False, "truncated"),
    Row("one archive in two bzip2 files", split(bz2.compress), False, "truncated"),
    Row("xz with CRC64", xz(lzma.CHECK_CRC64), False, "CRC64"),
    Row("xz with SHA-256", xz(lzma.CHECK_SHA256), False, "SHA-256"),
    Row("xz without checks", xz(lzma.CHECK_NONE), True),
    Row("xz with the x86 filter",
        xz(lzma.CHECK_CRC32, [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2}]), True),
    Row("xz with the delta filter", xz(lzma.CHECK_CRC32, [
        {"id": lzma.FILTER_DELTA, "dist": 1}, {"id": lzma.FILTER_LZMA2}]), False, "filter"),
    Row("lz4's modern frame", lz4.frame.compress(BODY), False, "lz4"),
    Row("lz4, then gzip", lz4_legacy(MICROCODE) + gzip.compress(BODY), False, "lz4 data"),
    Row("gzip, then lz4", gzip.compress(MICROCODE) + lz4_legacy(BODY), True),
    Row("zstd with a window of 128 MiB", window(27), True),
    Row("zstd with a window of 256 MiB", window(28), False, "zstd"),
    Row("zstd behind a skippable frame",
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstandard.compress(BODY), False, "unknown"),
    Row("garbage behind gzip", gzip.compress(BODY) + b"garbage", True),
    Row("garbage behind an archive", BODY + b"garbage!", True),
    Row("garbage behind lz4", lz4_legacy(BODY) + b"\x01\x02\x03\x04garbage", True),
    Row("garbage in front", b"garbage!" + BODY, False, "at byte 0"),
    Row("zeros in front", bytes(512) + BODY, True),
    Row("no trailer", BODY[: BODY.index(TRAILER)], True),
    Row("the old format", BODY.replace(b"070701", b"070707"), False, "at byte 0"),
    Row("text", b"hello\n", False, "at byte 0"),
]  # fmt: skip

MEMBERS = [
    Row("no /init", cpio({"etc/own": b""}), False, "no /init"),
    Row("/init is not executable", cpio_member("init", INIT, 0o100644) + TRAILER, False, "644"),
    Row("/init is a directory", cpio({"init/own": b"x"}), False, "a directory"),
    Row("/init is a link", cpio({"init@": b"own", "own": INIT}), True),
    Row("/init is a link to nothing", cpio({"init@": b"none"}), False, "/none"),
    Row("/init is a hard link", inits(), True),
    Row("/init is empty", cpio({"init": b""}), False, "/init is empty"),
    Row("/init without its interpreter", cpio({"init": b"#!/bin/bash\n"}), False, "/bin/bash"),
    Row("/init without its loader", cpio({"init": dynamic(interpreter="/lib/ld")}), False,
        "/lib/ld"),
    Row("/init for another processor", cpio({"init": program(machine=183)}), False, "ARM64"),
    Row("the interpreter's directory comes later",
        cpio_member("init", b"#!/bin/own\n") + cpio_member("bin/own", INIT) + cpio_member("bin/")
        + TRAILER, False, "/bin/own"),
    Row("no directories at all", cpio({"init": b"#!/bin/own\n", "bin/own": INIT}, parents=False),
        False, "/bin/own"),
    Row("a directory that is a link", cpio_member("usr/") + cpio_member("usr/bin/")
        + cpio_member("bin@", b"usr/bin") + cpio_member("bin/own", INIT)
        + cpio_member("init", b"#!/bin/own\n") + TRAILER, True),
    Row("absolute names", cpio_member("/bin/") + cpio_member("/bin/own", INIT)
        + cpio_member("/init", b"#!/bin/own\n") + TRAILER, True),
    Row("names with a dot", cpio({"./init": INIT}), True),
    Row("in /dev, which the kernel has", cpio_member("init@", b"dev/own")
        + cpio_member("dev/own", INIT) + TRAILER, True),
    Row("a later archive replaces it", BODY + cpio({"init": b"#!/none\n"}), False, "/none"),
    Row("a later archive repairs it", cpio({"init": b"#!/none\n"}) + BODY, True),
]  # fmt: skip

ROWS = [*PARTS, *MEMBERS]
