"""``python -m zwizard.treetools.gzip LEVEL``: compress standard input on every core."""

from __future__ import annotations

import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

try:
    from deflate import gzip_compress
except ImportError:  # carried by an exported script, it runs by any Python
    import gzip

    def gzip_compress(data: Any, compresslevel: int = 6) -> bytearray:
        """Compress with zlib: slower, and to other bytes."""
        return bytearray(gzip.compress(data, min(compresslevel, 9), mtime=0))


# Bytes. Each block is a gzip member of its own; a file may have many (RFC 1952, 2.2).
BLOCK = 4 * 2**20


def compress(source: BinaryIO, target: BinaryIO, level: int) -> None:
    """Compress ``source`` into ``target`` at libdeflate's ``level``, 1 to 12.

    Holds a few blocks in memory. The number of cores changes no byte.
    """
    cores = len(os.sched_getaffinity(0))
    waiting: deque[Future[bytearray]] = deque()
    blank = bytes(BLOCK)  # most of a disk image
    with ThreadPoolExecutor(cores) as pool:
        packed_blank = pool.submit(gzip_compress, blank, level)
        block = source.read(BLOCK)
        while True:
            waiting.append(
                packed_blank if block == blank else pool.submit(gzip_compress, block, level)
            )
            if len(waiting) > 2 * cores:
                target.write(waiting.popleft().result())
            block = source.read(BLOCK)
            if not block:
                break
        target.writelines(member.result() for member in waiting)


if __name__ == "__main__":
    try:
        compress(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
        sys.stdout.flush()
    except OSError as error:  # a full disk, above all
        sys.exit(f"compressing: {error}")
