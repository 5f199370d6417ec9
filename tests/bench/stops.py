"""The machine stops at random moments, and all that was not synced is lost.

``python -m tests.bench.stops [COUNT [KIND...]]``: by hand, as root; kinds as for ``kills``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.kills import Kills, kill, repeat

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, in linux/ext4.h
_NO_LOG_FLUSH = 2  # at once: neither the journal nor anything else is written before
_SIZE = 12 * 2**30
_ALONE = "--alone"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Stops(Kills):
    """As ``Kills``, of the whole machine, with a disk of ``lost_when_stopped``."""

    victims = ("",)
    lasting = False  # a layer that was not synced yet is made again

    def _forget(self, *arguments: Any) -> None:
        super()._forget(*arguments)
        run("sync", "--file-system", self.place.directory)

    def _strike(self, victim: str) -> None:
        mount = self.place.directory.parent
        top = os.open(mount, os.O_RDONLY)
        fcntl.ioctl(top, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        os.close(top)
        kill(self.place.directory, victim)
        run("umount", "--lazy", mount)
        image, end = f"{mount}.img", time.monotonic() + 30
        while image in run("losetup", "--list"):
            assert time.monotonic() < end, f"{mount} is still in use"
            time.sleep(0.05)
        run("mount", "-o", "loop", image, mount)
        Path(BOOT_ID).write_text(f"{uuid.uuid4()}\n")


def run(*command: str | Path) -> str:
    """What a command prints; CalledProcessError if it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def lost_when_stopped(directory: Path) -> Iterator[Path]:
    """An empty directory on a new ext4, whose file and mount are in ``directory``.

    What identifies the boot can be written to.
    """
    mount = directory / "disk"
    mount.mkdir()
    image = Path(f"{mount}.img")
    with image.open("wb") as file:
        file.truncate(_SIZE)
    run("mke2fs", "-q", "-t", "ext4", image)
    run("mount", "-o", "loop", image, mount)
    (directory / "boot-id").touch()
    run("mount", "--bind", directory / "boot-id", BOOT_ID)
    try:
        (mount / "place").mkdir()
        yield mount / "place"
    finally:
        run("umount", BOOT_ID)
        run("umount", "--lazy", mount)


def main(arguments: list[str]) -> int:
    """Stop the machine COUNT times, the kinds in turn; 1 if something was wrong."""
    if not arguments or arguments[0] != _ALONE:  # mounts are seen by nothing else
        command = (sys.executable, "-m", "tests.bench.stops", _ALONE, *arguments)
        return subprocess.run(["unshare", "--mount", *command], check=False).returncode
    with (
        tempfile.TemporaryDirectory(prefix="stops-", ignore_cleanup_errors=True) as directory,
        lost_when_stopped(Path(directory)) as place,
    ):
        return repeat(place, Stops, arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
