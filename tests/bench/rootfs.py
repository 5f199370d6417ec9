"""ARCHIVE [ROUNDS]: import and repair of a 1 GiB root file system against tar by hand, as root.

The archive is a VM's; its tree is grown to 1 GiB by copies of its own files, and its kernel is
compressed.
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

import zstandard

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.executables import bzimage

ZWIZARD = Path(sys.executable).with_name("zwizard")
SIZE = 2**30
UNPACK = ("tar", "-xpf")
PACK = 'mkdir "$2" && tar -xpf "$1" -C "$2" && tar -czf "$2.tar.gz" -C "$2" .'


def grown(archive: Path, place: Path) -> Path:
    """The archive that is measured."""
    tree = place / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-xpf", archive, "-C", tree], check=True)
    for number in range(99):
        used = subprocess.run(["du", "-sb", tree], check=True, capture_output=True, text=True)
        if int(used.stdout.split()[0]) >= SIZE:
            break
        shutil.copytree(tree / "usr/lib/python3", tree / f"opt/{number}", symlinks=True)
    kernel = tree / "boot" / (tree / "boot/vmlinuz").readlink()
    data = kernel.read_bytes()
    kernel.write_bytes(bzimage(zstandard.compress(data, 3), size=len(data)))
    made = place / "given.tar.gz"
    subprocess.run(["tar", "--numeric-owner", "-czf", made, "-C", tree, "."], check=True)
    shutil.rmtree(tree)
    return made


def timed(*argv: str | Path) -> float:
    """Seconds that a command takes, from a quiet disk on; its output is shown if it fails."""
    os.sync()
    since = time.monotonic()
    done = subprocess.run(
        list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{argv}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.monotonic() - since


def one_round(given: Path, place: Path) -> dict[str, float]:
    """Each once, in places of their own that are gone afterwards."""
    by_hand, imported = place / "by-hand", place / "imported"
    by_hand.mkdir(parents=True)
    imported.mkdir()
    own = (f"XDG_STATE_HOME={place}/state", f"XDG_CACHE_HOME={place}/cache")
    module = (sys.executable, "-m", "zwizard.treetools.untar")
    took = {
        "unpack by hand": timed(*UNPACK, given, "-C", by_hand),
        "import": timed(*module, given, imported),
        "unpack and pack by hand": timed("sh", "-ec", PACK, "-", given, place / "packed"),
        "repair": timed("env", *own, ZWIZARD, "repair", given, "--output", place),
    }
    print("  ".join(f"{what} {seconds:.1f} s" for what, seconds in took.items()), flush=True)
    subprocess.run(["rm", "-rf", place], check=False)  # the runner may still bring it to the disk
    return took


def main(arguments: list[str]) -> int:
    """Prints the medians, and the two ratios."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        place = Path(name)
        archive, *more = arguments
        given = grown(Path(archive).resolve(), place)
        count = int(more[0]) if more else 3
        rounds = [one_round(given, place / f"round-{number}") for number in range(count)]
    took = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    for what, seconds in took.items():
        print(f"{what:<26} {seconds:6.1f} s")
    print(f"import / unpacking by hand            {took['import'] / took['unpack by hand']:.2f}")
    both = took["repair"] / took["unpack and pack by hand"]
    print(f"repair / unpacking and packing by hand {both:.2f}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
