"""The build against the document carried out by hand, in one run: `make bench`, as root."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zwizard.engine.executor import functions
from zwizard.steps.actions import Pack

ZWIZARD = Path(sys.executable).with_name("zwizard")

# The document's jammy guide with Debian's names, and the packages that the plan installs.
BY_HAND = r"""
set -euo pipefail
cd "$1"
debootstrap bookworm root
mount --bind /dev root/dev
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
cp /etc/resolv.conf root/etc/resolv.conf
printf '#!/bin/sh\nexit 101\n' > root/usr/sbin/policy-rc.d
chmod +x root/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot root apt-get update
chroot root apt-get install -y $PACKAGES
chroot root cloud-init clean
echo fs-virtiofs >> root/etc/initramfs-tools/modules
chroot root update-initramfs -c -k all
chroot root apt-get clean
kernel=$(ls root/boot/vmlinuz-*)
start=$(( ($(od -An -tu1 -j497 -N1 "$kernel") + 1) * 512 + $(od -An -tu4 -j584 -N4 "$kernel") ))
length=$(( $(od -An -tu4 -j588 -N4 "$kernel") - 4 ))
dd if="$kernel" iflag=skip_bytes,count_bytes skip=$start count=$length bs=1M status=none \
	| lz4 -dc > root/boot/elf
mv root/boot/elf "$kernel"
umount root/sys root/proc root/dev
rm -rf root/dev/*
tar -czf by-hand.tar.gz -C root .
"""


def timed(*argv: str | Path, **variables: str) -> float:
    """Seconds that a command takes; its output is shown only if it fails."""
    since = time.monotonic()
    done = subprocess.run(
        list(map(str, argv)),
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{argv}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.monotonic() - since


class Bench:
    """One run: every figure from the same machine within the same hour."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.rows: list[tuple[str, str, str, bool]] = []

    def build(self, name: str, cache: str, tables: str = "") -> float:
        """Seconds of `zwizard build`, on the cache called ``cache``."""
        recipe = self.place / f"{name}.toml"
        recipe.write_text(f'name = "{name}"\n{tables}', encoding="utf-8")
        state, layers = str(self.place / "state"), str(self.place / cache)
        return timed(ZWIZARD, "build", recipe, XDG_STATE_HOME=state, XDG_CACHE_HOME=layers)

    def row(self, what: str, value: float, bar: float, unit: str = "") -> None:
        """Report one figure against its bar."""
        good = value <= bar
        self.rows.append((what, f"{value:.2f}{unit}", f"≤ {bar}{unit}", good))
        print(f"{'✓' if good else '✗'} {what:<58} {value:6.2f}{unit}  (≤ {bar}{unit})", flush=True)

    def packages(self) -> str:
        """What the plan's packages step installs."""
        recipe = self.place / "default.toml"
        recipe.write_text('name = "default"\n', encoding="utf-8")
        script = subprocess.run(
            [ZWIZARD, "plan", recipe, "--script"], capture_output=True, text=True, check=True
        ).stdout
        (line,) = (line for line in script.splitlines() if "apt-get install --yes" in line)
        return " ".join(word for word in line.split("false ")[-1].split())

    def run(self) -> None:
        """Measure everything."""
        by_hand = timed(
            "unshare", "--mount", "--pid", "--fork", "bash", "-c", BY_HAND, "-", self.place,
            PACKAGES=self.packages(),
        )  # fmt: skip
        print(f"  by hand: {by_hand:.1f} s", flush=True)
        standard = self.build("standard", "cache-standard")
        print(f"  cold, standard: {standard:.1f} s", flush=True)
        self.row("cold build, standard, against by hand", standard / by_hand, 0.55)
        minimal = self.build("minimal", "cache-minimal", '[source]\nvariant = "minimal"\n')
        print(f"  cold, minimal: {minimal:.1f} s", flush=True)
        self.row("cold build, minimal, against by hand", minimal / by_hand, 0.35)
        late = self.build("standard", "cache-standard", '[system]\ntimezone = "Europe/Paris"\n')
        self.row("late answer changed, against cold", late / standard, 0.15)
        again = [
            self.build("standard", "cache-standard", '[system]\ntimezone = "Europe/Paris"\n')
            for _ in range(3)
        ]
        self.row("nothing changed", statistics.median(again), 2, " s")
        self.script(standard)
        self.pack()
        version = [timed(ZWIZARD, "--version") for _ in range(9)]
        self.row("zwizard --version", statistics.median(version), 0.15, " s")

    def script(self, engine: float) -> None:
        """The engine against the script it exports, both from nothing."""
        script = self.place / "script.sh"
        plan: list[str | Path] = [ZWIZARD, "plan", self.place / "default.toml", "--script"]
        script.write_bytes(subprocess.run(plan, capture_output=True, check=True).stdout)
        by_script = timed("bash", script, self.place / "tree", self.place / "script.tar.gz")
        print(f"  script: {by_script:.1f} s", flush=True)
        self.row("engine against its script", engine / by_script, 1.05)

    def pack(self) -> None:
        """The plan's packing against the document's `tar -czf`, of the script's tree."""
        tree, ours, theirs = (self.place / name for name in ("tree", "ours.gz", "theirs.gz"))
        document = timed("tar", "-czf", theirs, "-C", tree, ".")
        pack = Pack(2, 0)
        line = f"{functions(pack)}\n{pack.shell()}"
        fast = timed("bash", "-c", line, ROOT=str(tree), OUT=str(ours))
        self.row("pack (fast) against tar -czf", fast / document, 0.25)
        larger = ours.stat().st_size / theirs.stat().st_size
        self.row("size of the packed (fast) archive against it", larger, 1.08)


def main() -> None:
    """Run it in a directory of its own, which is removed again."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    try:
        bench = Bench(place)
        bench.run()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(not all(good for *_, good in bench.rows))


if __name__ == "__main__":
    main()
