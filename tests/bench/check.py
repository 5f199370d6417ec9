"""The checklist's bars: `python -m tests.bench.check [ARCHIVE]`, on a quiet machine.

ARCHIVE is a VM's, as zwizard packs it; without one the default recipe is built.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support import disks

ZWIZARD = Path(sys.executable).with_name("zwizard")
TIMES = 5
DISK = 10 << 10  # MiB


@dataclass(frozen=True)
class Run:
    """How long a command took (seconds), and the most memory it had at once (MB)."""

    seconds: float
    megabytes: float


def run(*argv: str | Path, codes: tuple[int, ...] = (0,)) -> Run:
    """Run a command to its end, its output thrown away."""
    since = time.monotonic()
    child = subprocess.Popen(list(map(str, argv)), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in codes:
        sys.exit(f"{argv}: {child.returncode}")
    return Run(time.monotonic() - since, used.ru_maxrss / 1000)


def median(runs: list[Run]) -> Run:
    """The middle of the times, the most of the memory."""
    return Run(statistics.median(r.seconds for r in runs), max(r.megabytes for r in runs))


class Bench:
    """Every figure from the same machine within the same minutes."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.good = True
        self.most = 0.0

    def row(self, what: str, value: float, bar: float, unit: str = "") -> None:
        """Report one figure against its bar."""
        self.good &= value <= bar
        mark = "✓" if value <= bar else "✗"
        load = os.getloadavg()[0]
        print(
            f"{mark} {what:<52} {value:7.2f}{unit}  (≤ {bar}{unit}; load {load:.1f})", flush=True
        )

    def check(self, *arguments: str | Path, codes: tuple[int, ...] = (0,)) -> Run:
        """`zwizard check`, the whole program with its start."""
        done = run(ZWIZARD, "check", *arguments, codes=codes)
        self.most = max(self.most, done.megabytes)
        return done

    def archive(self, what: str, path: Path) -> None:
        """An archive against tar's listing of it, in turns."""
        pairs = [(self.check(path), run("tar", "-tzf", path)) for _ in range(TIMES)]
        ours, theirs = median([ours for ours, _ in pairs]), median([tars for _, tars in pairs])
        print(f"  {what}: check {ours.seconds:.2f} s, tar -tzf {theirs.seconds:.2f} s", flush=True)
        self.row(f"{what}, against tar -tzf", ours.seconds / theirs.seconds, 1.0)

    def run(self, archive: Path) -> None:
        """Measure everything."""
        tree = self.place / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xpf", archive, "-C", tree], check=True)
        by_tar = self.place / "tar.tar.gz"
        subprocess.run(["tar", "-czf", by_tar, "--numeric-owner", "-C", tree, "."], check=True)
        count = sum(1 for _ in tree.rglob("*"))
        size = sum(p.lstat().st_size for p in tree.rglob("*") if not p.is_dir())
        print(f"  {count} members, {size / 1e6:.0f} MB, packed {archive.stat().st_size / 1e6:.0f}")
        self.archive("archive as zwizard packs it", archive)
        self.archive("archive as tar -czf packs it", by_tar)
        listed = median([self.check(tree, "--mode", "vm") for _ in range(TIMES)])
        self.row("the same as a directory", listed.seconds, 2, " s")
        image = self.place / "image.raw"
        disks.disk(image, tree, disks.Part(disks.ROOT_TYPE, 41, DISK - 1))
        options = ("--disk-size", "10GiB")
        # 3: a VM's tree has no GRUB, so that this one is not ready; all of it is read the same.
        looked = median([self.check(image, *options, codes=(0, 3)) for _ in range(TIMES)])
        self.row("a 10 GiB sparse image.raw", looked.seconds, 1, " s")
        self.row("peak memory of all of these", self.most, 250, " MB")


def main() -> None:
    """Run it in a directory of its own, which is removed again."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    try:
        if len(sys.argv) > 1:
            archive = Path(sys.argv[1])
        else:
            recipe = place / "debian-vm.toml"
            recipe.write_text('name = "debian-vm"\n', encoding="utf-8")
            subprocess.run([ZWIZARD, "build", recipe], check=True)
            archive = place / "debian-vm.tar.gz"
        bench = Bench(place)
        bench.run(archive)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(not bench.good)


if __name__ == "__main__":
    main()
