"""A Debian image.raw, built from the archive: what the document asks of one, and what ZOS does."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.real.conftest import Built
from zwizard.boottest.stages import stages
from zwizard.host import tools
from zwizard.plan import targets
from zwizard.recipe.model import Recipe

pytestmark = pytest.mark.real

MIB = 2**20


@pytest.fixture(scope="module")
def raw(image: Built) -> Path:
    """Its disk, as the layer has it."""
    planned = targets.make(Recipe.load(image.place.directory / "debian-image.toml"))
    steps = zip(planned.steps, planned.fingerprints(), strict=True)
    (disk,) = (fingerprint for step, fingerprint in steps if step.leaves == "image")
    return image.place.layers / disk / "tree/image.raw"


def at(raw: Path, partition: int) -> int:
    """Where a partition begins, in bytes."""
    table = subprocess.run(["sfdisk", "--json", raw], capture_output=True, check=True).stdout
    return int(json.loads(table)["partitiontable"]["partitions"][partition - 1]["start"]) * 512


def by_debugfs(raw: Path, request: str) -> str:
    argv = ["debugfs", "-R", request, f"{raw}?offset={at(raw, 2)}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


class TestAnImage:
    def test_is_ready_and_shares_the_vms_base(self, image: Built) -> None:
        assert image.result.last("build-finished")["ready"] is True
        assert "bootstrap" in image.result.steps("step-cached")

    def test_is_the_only_thing_in_its_archive(self, image: Built) -> None:
        with tarfile.open(image.archive) as archive:
            names = [(member.name, member.isfile()) for member in archive]
        assert names == [(".", False), ("./image.raw", True)]

    def test_has_the_documents_partitions(self, raw: Path) -> None:
        said = subprocess.run(["sfdisk", "--json", raw], capture_output=True, check=True).stdout
        table = json.loads(said)["partitiontable"]
        assert table["label"] == "gpt"
        esp, root = table["partitions"]
        assert esp["type"] == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
        assert esp["size"] * 512 == 100 * MIB
        assert (root["start"] + root["size"]) * 512 >= raw.stat().st_size - MIB
        verified = subprocess.run(["sfdisk", "--verify", raw], capture_output=True, text=True)
        assert verified.returncode == 0, verified.stderr

    def test_its_file_systems_are_whole_and_named_as_fstab_names_them(self, raw: Path) -> None:
        assert subprocess.run(["e2fsck", "-fn", f"{raw}?offset={at(raw, 2)}"]).returncode == 0
        probed = [
            subprocess.run(
                ["blkid", "-p", "-O", str(at(raw, number)), "-o", "export", raw],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for number in (1, 2)
        ]
        ids = [re.search(r"^UUID=(.*)$", said, re.MULTILINE) for said in probed]
        assert "VERSION=FAT32" in probed[0]
        assert "LABEL=cloud-root" in probed[1]
        fstab = by_debugfs(raw, "cat /etc/fstab")
        assert all(found and f"UUID={found[1]} " in fstab for found in ids)

    def test_grub_is_where_every_firmware_looks_and_starts_this_root(self, raw: Path) -> None:
        listed = subprocess.run(
            ["mdir", "-/", "-b", "-i", f"{raw}@@{at(raw, 1)}", "::"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "::/EFI/BOOT/BOOTX64.EFI" in listed
        config = by_debugfs(raw, "cat /boot/grub/grub.cfg")
        line = re.search(r"^\s*linux\s+(\S+) root=UUID=(\S+) ro\s+(.*)$", config, re.MULTILINE)
        assert line is not None
        assert line[3].strip() == "loglevel=3 console=tty console=ttyS0"
        assert line[2] in by_debugfs(raw, "cat /etc/fstab")
        assert "Type: regular" in by_debugfs(raw, f"stat {line[1]}")
        assert "GRUB_TIMEOUT=0\n" in by_debugfs(raw, "cat /etc/default/grub")
        assert "set timeout=0" in config

    def test_holes_stay_holes(self, raw: Path) -> None:
        free = int(by_debugfs(raw, "stats").split("Free blocks:")[1].split()[0]) * 4096
        used = at(raw, 2) + (raw.stat().st_size - at(raw, 2) - free)
        assert raw.stat().st_blocks * 512 <= 1.05 * used

    def test_the_same_recipe_gives_the_same_bytes(self, image: Built) -> None:
        """Everything after the packages made anew."""
        recipe = image.place.directory / "debian-image.toml"
        planned = targets.make(Recipe.load(recipe))
        for step, fingerprint in zip(planned.steps, planned.fingerprints(), strict=True):
            if step.name not in {"bootstrap", "packages"}:
                (image.place.layers / fingerprint / "layer.json").unlink()
        again = image.place.run("build", recipe, "--json")
        assert again.code == 0, again.output
        assert "disk" in again.steps("step-started")
        assert again.last("build-finished")["sha256"] == image.sha256


class TestACloudImage:
    def test_becomes_an_image_that_is_ready(self, raw: Path, image: Built) -> None:
        place = image.place
        qcow2 = place.directory / "cloud.qcow2"
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow2], check=True)
        recipe = place.directory / "cloud.toml"
        recipe.write_text(
            'name = "cloud"\ntarget = "image"\n[source]\nkind = "cloud-image"\n'
            'location = "cloud.qcow2"\n'
        )
        result = place.run("build", recipe, "--json")
        assert result.code == 0, result.output + result.errors
        with tarfile.open(place.directory / "cloud.tar.gz") as archive:
            member = archive.extractfile("./image.raw")
            assert member is not None
            with raw.open("rb") as expected:
                while block := expected.read(MIB):
                    assert member.read(MIB) == block

    def test_is_converted_again_when_its_file_has_changed(self, image: Built) -> None:
        place = image.place
        qcow2 = place.directory / "cloud.qcow2"
        subprocess.run(["qemu-io", "-c", "write -P 7 1900M 64k", qcow2], check=True)
        result = place.run("build", place.directory / "cloud.toml", "--json")
        assert result.steps("step-started") == ["convert", "pack"]
        qcow2.unlink()


@pytest.mark.skipif(
    bool(tools.missing(("qemu-system-x86_64", "OVMF", "mkfs.vfat", "mcopy", "ssh"))),
    reason="QEMU, OVMF, mtools or ssh are not here",
)
def test_boots_by_uefi_and_grows_its_root_to_the_disk(image: Built) -> None:
    booted = image.place.run("boot", image.archive, "--json")
    assert booted.code == 0, booted.output + booted.errors
    told = {e["stage"]: e for e in booted.events if e["event"] == "boot-test-stage"}
    assert {e["outcome"] for e in told.values()} == {"pass"}
    assert set(told) == {stage.name for stage in stages("image")}
    assert told["grown"]["evidence"].endswith("on a disk of 5.0 GiB")
