"""What a step's commands have written: counted by the kernel, reports sparingly."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard.host.io_meter import IoMeter, written

MIB = 2**20


@pytest.fixture
def on_a_disk() -> Iterator[Path]:
    """A directory where writing is counted: not in memory only."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", directory], capture_output=True, text=True
        )
        if kind.stdout.strip() in {"tmpfs", "ramfs"}:
            pytest.skip("these files are in memory")
        yield Path(directory)


def test_what_a_command_and_its_children_write_is_counted(on_a_disk: Path) -> None:
    if not os.access("/proc/self/io", os.R_OK):
        pytest.skip("the kernel does not count here")
    line = f"dd if=/dev/zero of={on_a_disk}/file bs=1M count=8 status=none & wait"

    def more() -> int:
        before = written()
        subprocess.run(["sh", "-c", line], check=True)
        return written() - before

    # Others on this machine may end unwaited for meanwhile, and take their count along.
    assert max(more() for _ in range(3)) >= 8 * MIB


def process(proc: Path, number: int, io: str) -> None:
    (proc / str(number)).mkdir(exist_ok=True)
    (proc / str(number) / "io").write_text(io)


def test_what_cannot_be_read_counts_nothing(tmp_path: Path) -> None:
    process(tmp_path, 1, "rchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 9\n")
    process(tmp_path, 2, "write_bytes: many\n")
    (tmp_path / "3").mkdir()
    process(tmp_path, 10, "write_bytes: 100\n")
    (tmp_path / "self").mkdir()
    assert written(tmp_path) == 4196


def test_progress_is_reported_at_most_every_two_seconds_and_only_if_it_grew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter([100 * MIB, 100 * MIB, 103 * MIB, 103 * MIB + 1, 110 * MIB])
    monkeypatch.setattr("zwizard.host.io_meter.written", lambda: next(counts))
    now = [0.0]
    reports: list[int] = []
    meter = IoMeter(reports.append, lambda: now[0])
    for moment in (0, 1, 1.9, 2, 3, 4, 5, 6, 7, 8):
        now[0] = moment
        meter.look()
    assert reports == [3 * MIB, 10 * MIB]
