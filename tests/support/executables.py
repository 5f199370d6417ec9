"""Small ELF programs, kernels and initramfs images, composed byte by byte."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct

import lz4.block
import zstandard

from zwizard.image.executables.kernel import read_kernel

VERSION = "6.1.0-50-cloud-amd64"
NAME = f"vmlinuz-{VERSION}"

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")


def note(owner: bytes, kind: int, descriptor: bytes) -> bytes:
    padded = owner + bytes(-len(owner) % 4)
    head = struct.pack("<III", len(owner), len(descriptor), kind)
    return head + padded + descriptor + bytes(-len(descriptor) % 4)


PVH = note(b"GNU\x00", 3, bytes(20)) + note(b"Xen\x00", 0x12, struct.pack("<I", 0x1000850))


def elf(
    *,
    version: str = VERSION,
    notes: bytes = PVH,
    entry: int = 0x1000000,
    machine: int = 62,
    bits: int = 2,
    order: int = 1,
    load: bool = True,
    configuration: str | None = None,
) -> bytes:
    """A kernel as an ELF: a loadable segment with a banner in it, and a segment of notes."""
    banner = f"Linux version {version} (builder@host) (gcc) #1 SMP\n\x00".encode()
    text = b"\x90" * 2000 + banner + b"\x00" * 100
    if configuration is not None:
        text += b"IKCFG_ST" + gzip.compress(configuration.encode()) + b"IKCFG_ED"
    identity = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    at = _HEADER.size + 2 * _PROGRAM.size
    head = _HEADER.pack(identity, 2, machine, 1, entry, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    programs = _PROGRAM.pack(1 if load else 6, 5, at, entry, entry, len(text), len(text), 4096)
    programs += _PROGRAM.pack(4, 4, at + len(text), 0, 0, len(notes), len(notes), 4)
    return head + programs + text + notes


def program(machine: int = 62, interpreter: str = "") -> bytes:
    """An ELF program that does nothing: static, or asking for a loader."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    name = interpreter.encode() + b"\x00" if interpreter else b""
    head = _HEADER.pack(identity, 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if interpreter else 1
    return head + _PROGRAM.pack(kind, 4, 120, 0, 0, len(name), len(name), 1) + name


EXIT = bytes.fromhex("31ff b83c000000 0f05".replace(" ", ""))  # exit(0)


def dynamic(
    *libraries: str,
    interpreter: str = "",
    name: str = "",
    rpath: str = "",
    runpath: str = "",
    requires: tuple[tuple[str, str], ...] = (),
    provides: tuple[str, ...] = (),
    machine: int = 62,
) -> bytes:
    """A dynamic program that ends at once, or without an interpreter a library; both really run.

    ``requires`` are symbol versions of other libraries, ``provides`` its own.
    """
    count = 4 if interpreter else 2
    at = _HEADER.size + count * _PROGRAM.size
    texts = [interpreter, *libraries, name, rpath, runpath, *provides]
    strings = b"\x00" + b"".join(t.encode() + b"\x00" for t in [*texts, *sum(requires, ())])

    def where(text: str) -> int:
        return strings.index(b"\x00" + text.encode() + b"\x00") + 1

    needs = b"".join(
        struct.pack("<HHIIIIHHII", 1, 1, where(file), 16, 32 if more else 0,
                    _elf_hash(version), 0, 2, where(version), 0)
        for (file, version), more in zip(requires, [*requires[1:], None], strict=False)
    )  # fmt: skip
    has = b"".join(
        struct.pack("<HHHHIIIII", 1, 0, number, 1, _elf_hash(version), 20,
                    28 if number < len(provides) else 0, where(version), 0)
        for number, version in enumerate(provides, 1)
    )  # fmt: skip
    places = {}
    body = b""
    parts = {
        "strings": strings,
        "symbols": bytes(24),
        "hash": struct.pack("<IIII", 1, 1, 0, 0),
        "needs": needs,
        "has": has,
    }
    for key, data in parts.items():
        body += bytes(-(at + len(body)) % 8)
        places[key] = at + len(body)
        body += data
    body += bytes(-(at + len(body)) % 8)
    tags = [(1, where(library)) for library in libraries]
    tags += [(tag, where(text)) for tag, text in ((14, name), (15, rpath), (29, runpath)) if text]
    tags += [(5, places["strings"]), (10, len(strings)), (6, places["symbols"]), (11, 24)]
    tags += [(4, places["hash"])]
    tags += [(0x6FFFFFF0, places["symbols"])]
    tags += [(0x6FFFFFFE, places["needs"]), (0x6FFFFFFF, len(requires))] if requires else []
    tags += [(0x6FFFFFFC, places["has"]), (0x6FFFFFFD, len(provides))] if provides else []
    section = at + len(body)
    body += b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    entry = at + len(body)
    end = entry + len(EXIT)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head = _HEADER.pack(identity, 3, machine, 1, entry, 64, 0, 0, 64, 56, count, 0, 0, 0)
    size = entry - section
    if interpreter:
        place = places["strings"] + where(interpreter)
        length = len(interpreter) + 1
        table = count * _PROGRAM.size
        head += _PROGRAM.pack(6, 4, 64, 64, 64, table, table, 8)  # where glibc finds itself
        head += _PROGRAM.pack(3, 4, place, place, place, length, length, 1)
    head += _PROGRAM.pack(1, 7, 0, 0, 0, end, end, 4096)
    head += _PROGRAM.pack(2, 6, section, section, section, size, size, 8)
    return head + body + EXIT


def _elf_hash(name: str) -> int:
    """System V ABI, "Hash Table"."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value = (value ^ (value & 0xF0000000) >> 24) & 0x0FFFFFFF
    return value


def lz4_legacy(data: bytes) -> bytes:
    packed = b"\x02\x21\x4c\x18"
    for start in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[start : start + (8 << 20)], store_size=False)
        packed += struct.pack("<I", len(block)) + block
    return packed


PACKERS = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "lz4": lz4_legacy,
}


def bzimage(
    payload: bytes, *, version: str = VERSION, protocol: int = 0x20F, size: int = 12345678
) -> bytes:
    """A bzImage: two setup sectors with the header, some boot code, the payload, ``size``."""
    code = b"\xeb\xfe" * 300
    payload += struct.pack("<I", size)
    head = bytearray(3 * 512)
    head[0:2] = b"MZ"
    head[0x1F1] = 2
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, protocol)
    struct.pack_into("<H", head, 0x20E, 0x300)
    struct.pack_into("<II", head, 0x248, len(code), len(payload))
    text = f"{version} (builder@host) #1 SMP\x00".encode()
    head[0x500 : 0x500 + len(text)] = text
    return bytes(head) + code + payload + bytes(64)


def cpio(files: dict[str, bytes], *, parents: bool = True) -> bytes:
    """A cpio archive in the newc format, with its trailer, padded to 512 bytes.

    A name that ends with a slash is a directory, with an @ a link. ``parents`` adds the
    directories that are not named.
    """
    names = dict.fromkeys(
        f"{'/'.join(parts[:depth])}/"
        for parts in (name.rstrip("/").split("/") for name in files)
        for depth in range(1, len(parts) if parents else 0)
        if "/".join(parts[:depth]) != "." and f"{'/'.join(parts[:depth])}@" not in files
    )
    ordered = dict.fromkeys(names, b"") | files
    members = [
        cpio_member(name, data, inode=number)
        for number, (name, data) in enumerate(ordered.items())
    ]
    out = b"".join(members) + cpio_member("TRAILER!!!", mode=0)
    return out + bytes(-len(out) % 512)


def cpio_member(
    name: str,
    data: bytes = b"",
    mode: int | None = None,
    inode: int = 0,
    links: int = 1,
    magic: bytes = b"070701",
) -> bytes:
    """One member of a cpio archive; its mode is a program's, a directory's (/) or a link's (@)."""
    usual = {"/": 0o40755, "@": 0o120777}.get(name[-1:], 0o100755)
    stored = name.rstrip("/@").encode() + b"\x00"
    fields = (inode, usual if mode is None else mode, 0, 0, links, 0, len(data), 0, 0, 0, 0,
              len(stored), 0)  # fmt: skip
    member = magic + b"".join(b"%08x" % value for value in fields) + stored
    member += bytes(-len(member) % 4) + data
    return member + bytes(-len(member) % 4)


MICROCODE = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"\x01" * 3000})


def initramfs(
    *,
    version: str = VERSION,
    modules: tuple[str, ...] = ("virtiofs", "virtio_pci", "virtio_blk"),
    others: dict[str, bytes] | None = None,
) -> bytes:
    """An initramfs as Debian's initramfs-tools lays it out; ``others`` replace its files."""
    base = f"usr/lib/modules/{version}"
    files = {
        "lib@": b"usr/lib",
        "init": b"#!/bin/sh\n",
        "conf/modules": "\n".join(modules).encode(),
    }
    files |= {"conf/initramfs.conf": b"MODULES=most\nBOOT=local\n"}
    files |= dict.fromkeys(("scripts/functions", "scripts/local"), b"# mounts the root\n")
    files |= dict.fromkeys(("bin/sh", "bin/mount", "bin/run-init", "sbin/modprobe"), program())
    files |= {f"{base}/modules.dep": b""}
    files |= {
        f"{base}/kernel/drivers/{name}.ko": b"\x7fELF" + bytes(50)
        for name in (*modules, "fuse", "virtio")
    }
    return cpio(files | (others or {}))


def starts(data: bytes) -> bool:
    """Whether Zero-OS can start the kernel in ``data``: a whole ELF with a PVH note."""
    kernel = read_kernel(io.BytesIO(data))
    whole = kernel.elf is not None and kernel.elf.truncated is None
    return whole and not kernel.fault and kernel.pvh is not None
