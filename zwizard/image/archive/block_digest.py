"""Hashes of an archive and of the files in it, as a flist has them, taken while it is read."""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

BLOCK = 512 << 10  # bytes of each piece of a file that has a key
_ZEROS = bytes(BLOCK)
# By the bytes of a key: the hash in a flist of the hub, and in one of rfs 2.
_HASHES: dict[int, Callable[[], Any]] = {
    16: partial(hashlib.blake2b, digest_size=16),
    32: hashlib.sha256,
}


class BlockDigest:
    """The keys of the blocks of each file of an archive, and the archive's SHA-256.

    ``keys`` are those of a file, one after another, by the place of its member (Entry.inode).
    """

    def __init__(self, key_bytes: int = 16) -> None:
        self.keys: dict[int, bytes] = {}
        self._key_bytes = key_bytes
        zeros = _HASHES[key_bytes]()
        zeros.update(_ZEROS)
        self._zeros: bytes = zeros.digest()
        self._whole = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the archive as far as it was read: 64 hexadecimal digits."""
        return self._whole.hexdigest()

    def add_packed(self, data: bytes) -> None:
        """The next bytes of the archive."""
        self._whole.update(data)

    def passing(
        self, place: int, size: int, pieces: Iterator[tuple[int, bytes]]
    ) -> Iterator[tuple[int, bytes]]:
        """The ``pieces`` (offset, bytes) of the file at ``place``; between them are zeros."""
        file = _FileDigest(self._key_bytes, self._zeros)
        for offset, data in pieces:
            file.skip(offset - file.position)
            file.add(data)
            yield offset, data
        file.skip(size - file.position)
        self.keys[place] = file.keys()


class _FileDigest:
    """The keys of the blocks of one file, as its bytes come."""

    def __init__(self, key_bytes: int, zeros: bytes) -> None:
        self.position = 0
        self._new = _HASHES[key_bytes]
        self._zeros = zeros
        self._keys = bytearray()
        self._block = self._new()

    def add(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            part = view[: BLOCK - self.position % BLOCK]
            self._block.update(part)
            self.position += len(part)
            if self.position % BLOCK == 0:
                self._keys += self._block.digest()
                self._block = self._new()
            view = view[len(part) :]

    def skip(self, count: int) -> None:
        """Add ``count`` zeros."""
        while count > 0:
            step = min(BLOCK - self.position % BLOCK, count)
            if step == BLOCK:
                self._keys += self._zeros
                self.position += step
            else:
                self.add(_ZEROS[:step])
            count -= step

    def keys(self) -> bytes:
        return bytes(self._keys) + (self._block.digest() if self.position % BLOCK else b"")
