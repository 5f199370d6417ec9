"""The command check."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import Run, refused
from tests.support.trees import packed, vm_tree


def test_check_ends_with_0_for_a_ready_image_and_3_for_another(run: Run, tmp_path: Path) -> None:
    tree = vm_tree(tmp_path / "tree")
    good = packed(tree, tmp_path / "good.tar.gz")
    code, out, _ = run("check", good, "--json")
    result = json.loads(out)
    assert (code, result["ready"], result["mode"]) == (0, True, "vm")
    assert set(result["findings"][0]) >= {"rule", "severity", "outcome", "evidence", "source"}
    (tree / "boot/vmlinuz").unlink()
    code, out, _ = run("check", tree, "--mode", "vm")
    assert code == 3
    assert "not ready" in out.lower()


def test_input_that_cannot_be_checked_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    refused(run("check", tmp_path / "none.tar.gz"), "none.tar.gz")
    refused(run("check", tmp_path, "--disk-size", "big"), "--disk-size big is not a size", "5GiB")


def test_explain_describes_one_rule_or_lists_all(run: Run) -> None:
    code, out, _ = run("check", "--explain", "kernel-elf")
    assert (code, out.splitlines()[0]) == (
        0,
        "kernel-elf: The kernel is an uncompressed ELF for x86-64",
    )
    code, out, _ = run("check", "--explain")
    assert code == 0
    assert "V   must    kernel-elf " in out
    refused(run("check", "--explain", "kernel-elv"), "kernel-elv", "Did you mean kernel-elf?")


def test_a_report_replaces_a_file_of_others_only_with_a_yes(run: Run, tmp_path: Path) -> None:
    tree, report = vm_tree(tmp_path / "tree"), tmp_path / "report.md"
    report.symlink_to("target")
    refused(run("check", tree, "--report", report), f"{report} is a symbolic link", "--replace")
    assert report.is_symlink()
    run("check", tree, "--report", report, "--replace")
    assert report.read_text().startswith("# ")
    assert not (tmp_path / "target").exists()
    report.write_text("my remarks")
    refused(run("check", tree, "--report", report), f"{report} was changed", "--replace")
    assert report.read_text() == "my remarks"
