from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from zwizard.steps import programs
from zwizard.treetools.gzip import BLOCK, compress

pytestmark = pytest.mark.slow

LONG = array("I", range(3 * BLOCK // 4)).tobytes() + b"the end"


def compressed(data: bytes, level: int = 2) -> bytes:
    target = io.BytesIO()
    compress(io.BytesIO(data), target, level)
    return target.getvalue()


@pytest.mark.parametrize("data", [b"", b"a", LONG[:BLOCK], LONG], ids=["0", "1", "block", "more"])
def test_gzip_reads_what_it_was_given(data: bytes) -> None:
    by_gzip = subprocess.run(["gzip", "-dc"], input=compressed(data), capture_output=True)
    assert by_gzip.returncode == 0
    assert by_gzip.stdout == data


def test_as_a_program_it_is_a_filter() -> None:
    argv = [sys.executable, "-m", "zwizard.treetools.gzip", "2"]
    made = subprocess.run(argv, input=LONG, capture_output=True, check=True).stdout
    assert gzip.decompress(made) == LONG


def test_the_number_of_cores_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    here = compressed(LONG)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert compressed(LONG) == here


def test_a_higher_level_makes_less() -> None:
    assert len(compressed(LONG, 9)) < len(compressed(LONG, 1))


def test_a_full_disk_is_one_line() -> None:
    argv = [sys.executable, "-m", "zwizard.treetools.gzip", "1"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, input=LONG, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"compressing: [Errno 28] No space left on device\n"


def test_a_truncated_stream_is_an_error_and_no_thread_waits() -> None:
    class Breaking(io.BytesIO):
        def writelines(self, lines: object) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        compress(io.BytesIO(LONG), Breaking(), 2)


def test_carried_by_a_script_it_runs_by_a_python_that_has_only_its_own_library() -> None:
    argv = [sys.executable, "-I", "-S", "-c", programs.source("gzip"), "2"]
    made = subprocess.run(argv, input=LONG, capture_output=True, check=True).stdout
    assert gzip.decompress(made) == LONG
