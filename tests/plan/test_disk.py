"""The function that puts a disk together, as the exported script has it."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import ROOT, Host, Layout, MakeDisk, Pack
from zwizard.steps.step import Plan, Step

MIB = 2**20
IDS = [f"0b1c0d3e-0000-4000-8000-00000000000{n}" for n in range(3)]
LAYOUT = Layout(
    320 * MIB, 40 * MIB, "/boot/efi", "cloud-root", IDS[0], IDS[1], "1234-ABCD", IDS[2]
)
DISK = MakeDisk(LAYOUT, 1_686_355_200)


@pytest.mark.slow
def test_a_tree_becomes_a_disk_with_the_esp_in_a_partition_of_its_own(tmp_path: Path) -> None:
    tree, disk = tmp_path / "tree", tmp_path / "image.raw"
    loader = tree / "boot/efi/EFI/BOOT/BOOTX64.EFI"
    loader.parent.mkdir(parents=True)
    loader.write_bytes(b"loader")
    (tree / "boot/efi/a name.txt").write_text("with a blank")
    (tree / "etc").mkdir()
    (tree / "etc/hostname").write_text("here")
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{render.functions(DISK)}\n{DISK.shell()}"],
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "ROOT": str(tree), "OUT": str(disk)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    table = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True).stdout
    esp, root = json.loads(table)["partitiontable"]["partitions"]
    assert [esp["uuid"], root["uuid"]] == [IDS[1].upper(), IDS[2].upper()]
    assert esp["size"] * 512 == 40 * MIB
    assert (root["start"] + root["size"]) * 512 == 319 * MIB
    on_esp = ["mdir", "-/", "-b", "-i", f"{disk}@@{esp['start'] * 512}", "::"]
    listed = subprocess.run(on_esp, capture_output=True, text=True, check=True).stdout
    assert "::/EFI/BOOT/BOOTX64.EFI" in listed
    assert "::/a name.txt" in listed
    place = f"{disk}?offset={root['start'] * 512}"
    assert subprocess.run(["e2fsck", "-fn", place], capture_output=True).returncode == 0
    read = ["debugfs", "-R", "cat /etc/hostname", place]
    assert subprocess.run(read, capture_output=True, text=True).stdout == "here"
    inside = ["debugfs", "-R", "ls -p /boot/efi", place]
    names = subprocess.run(inside, capture_output=True, text=True).stdout
    assert "EFI" not in names  # it is on the ESP, and would only be hidden here
    assert list(tmp_path.glob("image.raw.*")) == []


def test_the_exported_script_is_bash_that_brings_its_functions_along() -> None:
    script = render.script(make(Recipe.from_dict({"target": "image"})))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "make_disk() {" in script
    assert "\nmake_disk 2048 100 /boot/efi cloud-root " in script


@pytest.mark.slow
def test_the_exported_script_packs_the_disk_and_nothing_else(tmp_path: Path) -> None:
    tree = Step("tree", "Tree", ("why",), (Host(("install", "-d", f"{ROOT}/boot/efi")),))
    disk = Step("disk", "Disk", ("why",), (DISK,))
    pack = Step("pack", "Pack", ("why",), (Pack(2, DISK.epoch),))
    script = tmp_path / "script"
    script.write_text(render.script(Plan("small", "image", (), (tree, disk, pack))))
    environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "ZWIZARD_INSIDE": "1"}
    argv: list[str | Path] = ["bash", script, tmp_path / "tree", tmp_path / "out.tar.gz"]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        assert archive.getnames() == [".", "./image.raw"]
        assert archive.getmember("./image.raw").size == LAYOUT.size
