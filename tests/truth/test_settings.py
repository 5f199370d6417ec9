"""Settings: the checklist says of every input in the table what is true of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults import write
from tests.support.trees import vm_tree
from tests.truth import accounts, cloud_init, fstab, netplan, sshd
from tests.truth.row import Row
from zwizard.checks import Mode, Outcome, find_rule
from zwizard.checks.context import CheckContext
from zwizard.checks.settings.cloud_config import read_cloud_config
from zwizard.checks.settings.fstab import read_fstab
from zwizard.checks.settings.netplan import read_netplan
from zwizard.image import open_tree

TABLE = (*sshd.ROWS, *accounts.ROWS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.name}-{row.rule}")
def test_the_checklist_says_what_is_true(row: Row, tmp_path: Path) -> None:
    root = vm_tree(tmp_path / "image")
    row.breaks(root)
    rule = find_rule(row.rule)
    with open_tree(root) as tree:
        context = CheckContext(tree, Mode.VM, stated=True, name="image.tar.gz")
        verdict = rule.judge(context)
    severity = verdict.severity or rule.severity
    says = "" if verdict.outcome is Outcome.PASS else f"{severity}"
    assert (says, verdict.outcome in {Outcome.PASS, Outcome.FAIL}) == (row.says, True), (
        verdict.evidence
    )


@pytest.mark.parametrize("row", cloud_init.MERGED, ids=lambda row: row.name)
def test_cloud_inits_files_are_merged_as_it_merges_them(
    row: cloud_init.Merged, tmp_path: Path
) -> None:
    row.write()(tmp_path)
    with open_tree(tmp_path) as tree:
        assert read_cloud_config(tree).get(row.key) == row.value


@pytest.mark.parametrize("name", [*netplan.ACCEPTED, *netplan.REFUSED])
def test_netplan_accepts_a_file_that_it_accepts(name: str, tmp_path: Path) -> None:
    content = (netplan.ACCEPTED | netplan.REFUSED)[name]
    write("etc/netplan/01.yaml", content.encode())(tmp_path)
    with open_tree(tmp_path) as tree:
        assert (read_netplan(tree).fault == "") == (name in netplan.ACCEPTED)


@pytest.mark.parametrize(("first", "later"), netplan.RENDERERS)
def test_a_cards_own_renderer_counts_before_that_of_all(
    first: str, later: str, tmp_path: Path
) -> None:
    write("etc/netplan/01.yaml", first.encode())(tmp_path)
    write("etc/netplan/99.yaml", later.encode())(tmp_path)
    with open_tree(tmp_path) as tree:
        assert read_netplan(tree).renderer == netplan.RENDERERS[first, later]


@pytest.mark.parametrize("line", [*fstab.REQUIRED, *fstab.NOT_REQUIRED])
def test_the_boot_requires_a_mount_that_systemd_requires(line: str, tmp_path: Path) -> None:
    write("etc/fstab", f"{line}\n".encode())(tmp_path)
    with open_tree(tmp_path) as tree:
        assert [mount.required for mount in read_fstab(tree)] == [line in fstab.REQUIRED]
