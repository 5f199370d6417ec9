"""The manifest of a layer: what its tree held when it was made, so that damage is found."""

import errno
import hashlib
import json
import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from zwizard.util.text import one_line

_BLOCK = 1 << 20  # bytes
_ZEROS = bytes(_BLOCK)
_SAMPLE = 32 << 20  # bytes: about how much a quick look reads
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FACTS = ("mode", "owner", "group", "size", "target", "device", "time", "attributes")
# What this machine's own services put on any file: no part of a layer.
_OF_THIS_MACHINE = frozenset(("security.selinux", "security.ima", "security.evm"))


class _Entry(NamedTuple):
    """One entry of a tree: its path, its metadata (_FACTS), and how to reach it."""

    path: str
    facts: list[object]
    directory: int  # an open descriptor
    length: int  # bytes of a file, -1 of anything else


def write(tree: Path, file: Path) -> None:
    """Write the manifest of ``tree`` to ``file``, whole or not at all.

    Each line is a JSON array (path, digest, metadata), in the order of a walk; the last line has
    the bytes of all files, and the digest of the other lines.
    """
    total, size, part = hashlib.blake2b(digest_size=16), 0, file.with_suffix(".part")
    with part.open("wb") as lines:
        for entry in _walk(tree):
            line = json.dumps([entry.path, _digest(entry), entry.facts]).encode() + b"\n"
            total.update(line)
            size += max(entry.length, 0)
            lines.write(line)
        lines.write(_end(size, total.hexdigest()))
    part.replace(file)


def difference(tree: Path, file: Path, *, whole: bool) -> str:
    """How ``tree`` differs from its manifest, or "".

    The metadata of everything is compared; the contents of all files if ``whole``, else of a few.
    """
    size, aged = _size(file), ""
    if size is None:
        return "its manifest is damaged"
    share = 1.0 if whole else _SAMPLE / max(size, 1)
    with file.open("rb") as lines:
        for entry in _walk(tree):
            path, digest, facts = _parse(lines.readline())
            if path is None or _place(path) > _place(entry.path):
                return f"{one_line(entry.path)} was added"
            if path != entry.path:
                return f"{one_line(path)} is missing"
            if facts != entry.facts:
                pairs = zip(_FACTS, facts, entry.facts, strict=False)
                fact = next(name for name, a, b in pairs if a != b)
                aged = aged or f"{one_line(path)} has another {fact}"
                if fact != "time" or entry.length >= 0:  # of a directory: what changed in it?
                    return aged
            if random.random() < share and _digest(entry) != digest:  # noqa: S311
                return f"{one_line(path)} has other contents"
        path, _, _ = _parse(lines.readline())
    return f"{one_line(path)} is missing" if path is not None else aged


def _walk(tree: Path) -> Iterator[_Entry]:
    """Everything in ``tree``, itself first, sorted; of any depth, with one descriptor."""
    descriptor = os.open(tree.parent, _DIRECTORY)
    pending = [("", iter((tree.name,)))]
    try:
        while pending:
            above, names = pending[-1]
            if (name := next(names, None)) is None:
                pending.pop()
                if pending:
                    descriptor = _move(descriptor, "..")
                continue
            status = os.lstat(name, dir_fd=descriptor)
            path = f"{above}/{name}" if above else "."
            length = status.st_size if stat.S_ISREG(status.st_mode) else -1
            yield _Entry(path, _metadata(descriptor, name, status), descriptor, length)
            if stat.S_ISDIR(status.st_mode):
                descriptor = _move(descriptor, name)
                pending.append((path, iter(sorted(os.listdir(descriptor)))))  # noqa: PTH208
    finally:
        os.close(descriptor)


def _move(descriptor: int, name: str) -> int:
    """Open the directory ``name`` of the directory ``descriptor``, which is closed."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _metadata(directory: int, name: str, status: os.stat_result) -> list[object]:
    kind = stat.S_IFMT(status.st_mode)
    return [
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size if kind == stat.S_IFREG else 0,
        os.readlink(name, dir_fd=directory) if kind == stat.S_IFLNK else "",
        status.st_rdev,
        int(status.st_mtime),
        _attributes(f"/proc/self/fd/{directory}/{name}"),
    ]


def _attributes(path: str) -> dict[str, str]:
    """Extended attributes, without following a link; values in hexadecimal digits."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    kept = sorted(set(names) - _OF_THIS_MACHINE)
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in kept}


def _digest(entry: _Entry) -> str:
    """The digest of a file's contents, "" of anything else; holes cost little."""
    if entry.length < 0:
        return ""
    name = entry.path.rpartition("/")[2]
    total = hashlib.blake2b(digest_size=16)
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=entry.directory)
    try:
        for start in range(0, entry.length, _BLOCK):
            block = os.read(file, _BLOCK)
            if block != _ZEROS:
                total.update(start.to_bytes(8) + block)
    finally:
        os.close(file)
    return total.hexdigest()


def _size(file: Path) -> int | None:
    """The bytes of all files of a manifest; None if it is missing or not as it was written."""
    total, last = hashlib.blake2b(digest_size=16), b""
    try:
        with file.open("rb") as lines:
            for line in lines:
                total.update(last)
                last = line
        size = int(last.split(b" ")[0])
    except (OSError, ValueError):
        return None
    return size if last == _end(size, total.hexdigest()) else None


def _end(size: int, digest: str) -> bytes:
    return f"{size} {digest}".encode()


def _parse(line: bytes) -> tuple[str | None, str, list[object]]:
    """A line of a manifest: path, digest and metadata; the path is None at its end."""
    if not line.endswith(b"\n"):
        return None, "", []
    path, digest, facts = json.loads(line)
    return path, digest, facts


def _place(path: str) -> list[str]:
    """What a walk sorts by."""
    return path.split("/")
