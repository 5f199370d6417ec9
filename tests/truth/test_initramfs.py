"""Whether the kernel starts /init: the checklist's word on each row of the table."""

from __future__ import annotations

import io

import pytest

from tests.truth.initramfs import ROWS, Row
from zwizard.image.executables.entrypoint import Starter
from zwizard.image.executables.initramfs import Initramfs, read_initramfs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_checklist_says_whether_init_runs(row: Row) -> None:
    with read_initramfs(io.BytesIO(row.data)) as found:
        runs, evidence = init_runs(found)
    assert runs is row.runs, evidence
    assert row.evidence in evidence


def init_runs(found: Initramfs) -> tuple[bool, str]:
    """As the rules initrd-readable and initrd-init judge it."""
    if found.fault:
        return False, found.fault
    if found.resolve("/init").entry is None:
        return False, f"no /init; {found.resolve('/init').shown}; {found.ignored}"
    check = Starter(found).check("/init")
    return check.starts, check.evidence
