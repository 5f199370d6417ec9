"""A disk image put together against the same by hand, in one run, of the TREE that is named.

By hand is the document's way: parted, a loop device, mkfs, mount, copy. The kernel here may have
no FAT: then the ESP's few files are copied with mtools on that side too.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zwizard.engine.executor import Executor
from zwizard.engine.sandbox import Tree
from zwizard.steps.actions import Action, Layout, MakeDisk, Pack

EPOCH = 1_686_355_200
MIB = 2**20
BY_HAND = r"""
set -euo pipefail
rm -f "$2" "$2.esp"
truncate -s 2G "$2"
parted -s "$2" mklabel gpt mkpart primary 1MiB 101MiB set 1 esp on
parted -s "$2" mkpart primary 101MiB 100%
loop=$(losetup --find --show --offset $((101 * 1048576)) --sizelimit $((1946 * 1048576)) "$2")
trap 'umount "$3" 2>/dev/null || :; losetup -d "$loop"' EXIT
mkfs.ext4 -q -L cloud-root "$loop"
mkfs.vfat -F 32 -C "$2.esp" 102400 >/dev/null
mount "$loop" "$3"
cp -a "$1/." "$3"
mcopy -s -i "$2.esp" "$1"/boot/efi/* ::
dd if="$2.esp" of="$2" bs=1M seek=1 conv=notrunc,sparse status=none
umount "$3"
"""


def main(tree: Path) -> None:
    """Three runs of each, in turns."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-disk-", dir="/var/tmp"))
    hand, ours, packed, tarred = [], [], [], []
    (place / "mnt").mkdir()
    ids = ("0b1c0d3e-0000-4000-8000-00000000000", "1234-ABCD")
    layout = Layout(
        2048 * MIB,
        100 * MIB,
        "/boot/efi",
        "cloud-root",
        f"{ids[0]}1",
        f"{ids[0]}2",
        ids[1],
        f"{ids[0]}3",
    )
    disk = MakeDisk(layout, EPOCH)
    try:
        with (place / "log").open("wb") as log:

            def perform(action: Action, tree: Path, out: Path) -> float:
                """Seconds that it takes the engine."""
                since = time.monotonic()
                whole = Tree(tree, place, whole=True)
                Executor(whole, out, dict(os.environ), log).perform(action)
                return time.monotonic() - since

            image, raw = place / "ours.raw", place / "hand.raw"
            for _ in range(3):
                for last in (raw, image):
                    last.unlink(missing_ok=True)
                os.sync()  # neither writes to the disk what the other left
                hand.append(timed("bash", "-c", BY_HAND, "-", tree, raw, place / "mnt"))
                os.sync()
                ours.append(perform(disk, tree, image))
            alone = place / "alone"
            alone.mkdir()
            fresh = ("cp", "--sparse=always", image, alone / "image.raw")  # its holes not yet read
            timed(*fresh)
            packed.append(perform(Pack(2, EPOCH), alone, place / "ours.tar.gz"))
            timed(*fresh)
            tarred.append(timed("tar", "-czf", place / "theirs.tar.gz", "-C", alone, "image.raw"))
            bare = place / "bare"
            (bare / "boot/efi").mkdir(parents=True)
            perform(disk, bare, place / "bare.raw")
        tell("image against by hand", ours, hand, 0.6)
        tell("pack of the image against tar -czf", packed, tarred, 0.25)
        usage, overhead = (made.stat().st_blocks * 512 for made in (image, place / "bare.raw"))
        files = int(
            subprocess.run(
                ["du", "-s", "-B1", tree], capture_output=True, check=True
            ).stdout.split()[0]
        )
        share = (usage - overhead) / files
        print(
            f"{'✓' if share <= 1.05 else '✗'} allocated {usage >> 20} MiB, {overhead >> 20} MiB of"
            f" it for the file systems themselves; of files {files >> 20} MiB: {share:.3f}"
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)


def tell(what: str, ours: list[float], theirs: list[float], bar: float) -> None:
    """One line."""
    a, b = statistics.median(ours), statistics.median(theirs)
    mark = "✓" if a / b <= bar else "✗"
    print(f"{mark} {what:<40} {a:5.1f} s / {b:5.1f} s = {a / b:.2f}  (≤ {bar})")


def timed(*argv: str | Path) -> float:
    """Seconds."""
    since = time.monotonic()
    subprocess.run(list(map(str, argv)), check=True)
    return time.monotonic() - since


if __name__ == "__main__":
    main(Path(sys.argv[1]))
