"""Whether an initramfs mounts the root: the checklist's word on each row of the table."""

from __future__ import annotations

import io

import pytest

from tests.support.executables import cpio
from tests.truth.root_mounts import ROWS, Row
from zwizard.checks.drivers import Drivers
from zwizard.checks.root_mount import RootMount, maker_of
from zwizard.image.executables.initramfs import read_initramfs
from zwizard.image.tree import Entry, EntryType, Resolution

BASE = "usr/lib/modules/6.1"
MODULES = ("virtiofs", "virtio_pci", "virtio_blk", "ext4")
LINK = Entry("/sbin/init", EntryType.LINK, target="/lib/systemd/systemd")
INIT = Entry("/lib/systemd/systemd", EntryType.FILE, 0o755, 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_checklist_says_whether_the_root_is_mounted(row: Row) -> None:
    modules = {f"{BASE}/{name}.ko": b"x" for name in MODULES} | {f"{BASE}/modules.dep": b"x"}
    files = {name: data for name, data in (modules | row.files).items() if name not in row.without}
    links = {} if any(name.startswith("lib/") for name in files) else {"lib@": b"usr/lib"}
    absolute = LINK if row.init == "/absolute" else None
    with read_initramfs(io.BytesIO(cpio(links | files))) as initramfs:
        mount = RootMount(
            initramfs,
            Drivers({}, frozenset(), dict.fromkeys(MODULES, ())),
            "6.1",
            "ext4" if row.disk else "virtiofs",
            Resolution("/sbin/init", INIT, outside=absolute),
        )
        maker = maker_of(mount)
        fault = maker.fault(mount)
    assert (not fault) is row.mounts, fault
    assert row.evidence in f"made by {maker.name}: {fault}"
