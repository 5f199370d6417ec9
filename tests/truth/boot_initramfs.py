"""Measure the table again: ``python -m tests.truth.boot_initramfs KERNEL [NAME...]`` (QEMU)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.truth.initramfs import ROWS

COMMAND = ("qemu-system-x86_64", "-accel", "kvm", "-accel", "tcg", "-cpu", "max", "-m", "512",
           "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot")  # fmt: skip


def runs(kernel: str, data: bytes) -> bool:
    """Whether ``kernel`` starts /init of this initramfs."""
    with tempfile.TemporaryDirectory() as place:
        initrd = Path(place) / "initrd"
        initrd.write_bytes(data)
        words = "console=ttyS0 panic=1 loglevel=7"
        done = subprocess.run(
            [*COMMAND, "-kernel", kernel, "-initrd", str(initrd), "-append", words],
            capture_output=True, timeout=300,
        )  # fmt: skip
    return b"Attempted to kill init" in done.stdout


def main() -> None:
    """Print each row on which the table and the kernel differ."""
    kernel, *names = sys.argv[1:]
    wrong = 0
    for row in ROWS:
        if not names or row.name in names:
            really = runs(kernel, row.data)
            wrong += really is not row.runs
            mark = "agrees" if really is row.runs else "DIFFERS"
            word = "runs" if really else "does not run"
            sys.stdout.write(f"{mark}: {row.name}: /init {word}\n")
            sys.stdout.flush()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
