"""A real Debian VM booted as Zero-OS would: good as it is, and broken, named for what it is.

The long boots run side by side, once for all tests.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from tests.real.conftest import Built
from tests.real.workplace import Result, Workplace
from tests.support import disks
from tests.support.faults import Fault, write
from zwizard.boottest import records
from zwizard.boottest.stages import stages
from zwizard.host import tools

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        bool(tools.missing(("qemu-system-x86_64", "virtiofsd", "mkfs.vfat", "mcopy", "ssh"))),
        reason="QEMU, virtiofsd, mtools or ssh are not here",
    ),
]


def without_virtiofs(root: Path) -> None:
    """The real initramfs with its virtiofs module under another name."""
    name = f"boot/{(root / 'boot/initrd.img').readlink()}"
    inside = zstandard.ZstdDecompressor().decompressobj().decompress((root / name).read_bytes())
    changed = inside.replace(b"virtiofs.ko\0", b"xxxxxxxx.ko\0")
    assert changed != inside
    write(name, zstandard.compress(changed, 1))(root)


BROKEN: dict[str, Fault] = {
    "initrd": without_virtiofs,
    "cloud-init": write("etc/cloud/cloud-init.disabled", b""),
}


@dataclass(frozen=True)
class Booted:
    """A boot that has ended, and the artefact's sums before and after."""

    result: Result
    before: str
    after: str

    def outcome(self, stage: str) -> str:
        """What a stage came to, "" if it was not reached."""
        return next((e["outcome"] for e in self._stages if e["stage"] == stage), "")

    def evidence(self, stage: str) -> str:
        """By what it was told."""
        return next(str(e["evidence"]) for e in self._stages if e["stage"] == stage)

    @property
    def _stages(self) -> list[dict[str, str]]:
        return [e for e in self.result.events if e["event"] == "boot-test-stage"]


@pytest.fixture(scope="module")
def trees(vm: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The archive's tree, broken in one way each; they share what is not."""
    place = tmp_path_factory.mktemp("trees")
    whole = place / "whole"
    whole.mkdir()
    disks.run("tar", "-xpf", vm.archive, "-C", whole)
    made = {}
    for name, breaks in BROKEN.items():
        made[name] = place / name
        disks.run("cp", "-al", whole, made[name])
        breaks(made[name])
    yield made
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def boots(vm: Built, trees: dict[str, Path]) -> dict[str, Booted]:
    """The good archive beside the broken trees, these one after the other."""
    sums = {"good": vm.sha256} | {name: records.digest(tree) for name, tree in trees.items()}
    good = vm.place.start("boot", vm.archive, "--json")
    results = {name: vm.place.run("boot", tree, "--json") for name, tree in trees.items()}
    output, errors = good.communicate()
    results["good"] = Result(good.returncode, output, errors)
    files = {"good": vm.archive} | trees
    return {
        name: Booted(result, sums[name], records.digest(files[name]))
        for name, result in results.items()
    }


class TestAGoodVm:
    def test_boots_to_an_ssh_login_and_passes_every_stage(self, boots: dict[str, Booted]) -> None:
        good = boots["good"]
        assert good.result.code == 0, good.result.output + good.result.errors
        assert {s.name: good.outcome(s.name) for s in stages("vm")} == {
            s.name: "pass" for s in stages("vm")
        }
        assert "Linux version 6.1" in good.evidence("kernel")
        assert good.evidence("network") == "10.1.3.77, default route by 10.1.3.1"
        assert good.evidence("hostname").startswith("test-")
        assert "DataSourceNoCloud" in good.evidence("cloud-init")
        assert "Permission denied" in good.evidence("password")
        assert "Power down" in good.evidence("shutdown")

    def test_is_listed_as_tested_afterwards(self, vm: Built, boots: dict[str, Booted]) -> None:
        assert boots["good"].result.code == 0
        assert "◆ tested " in vm.place.run("list").output
        assert json.loads(vm.place.run("check", vm.archive, "--json").output)["tested"] is True

    def test_report_and_console_log_are_kept_with_the_build(
        self, vm: Built, boots: dict[str, Booted]
    ) -> None:
        told = boots["good"].result.last("boot-test-finished")
        report = Path(told["report"])
        assert report.is_relative_to(vm.place.build_directory("debian-vm"))
        assert "debian-vm.tar.gz: boot test passed" in report.read_text("utf-8")
        assert b"reboot: Power down" in Path(told["console"]).read_bytes()


class TestABrokenVm:
    def test_without_virtiofs_in_its_initramfs_fails_at_the_root(
        self, boots: dict[str, Booted]
    ) -> None:
        broken = boots["initrd"]
        assert broken.result.code == 1
        assert broken.outcome("kernel") == "pass"
        assert broken.outcome("root") == "fail"
        assert "mounting vroot on /root failed: No such device" in broken.evidence("root")
        told = broken.result.last("boot-test-finished")
        assert (told["passed"], told["rule"]) == (False, "initrd-virtiofs")

    def test_with_cloud_init_disabled_fails_at_cloud_init(self, boots: dict[str, Booted]) -> None:
        broken = boots["cloud-init"]
        assert broken.result.code == 1
        assert broken.outcome("init") == "pass"
        assert broken.outcome("cloud-init") == "fail"
        assert broken.result.last("boot-test-finished")["rule"] == "cloud-init-enabled"


def test_no_boot_changes_what_it_boots(boots: dict[str, Booted]) -> None:
    for name, booted in boots.items():
        assert booted.before == booted.after, name
        assert booted.result.last("boot-test-finished")["sha256"] == booted.before


def test_a_killed_boot_test_of_an_ordinary_user_leaves_nothing_behind(
    vm: Built, ordinary_place: Workplace
) -> None:
    archive = ordinary_place.directory / "debian-vm.tar.gz"
    shutil.copyfile(vm.archive, archive)
    program = ordinary_place.start("boot", archive, "--json")
    assert program.stdout is not None
    with program.stdout as output:
        for line in output:
            event = json.loads(line)
            assert event["event"] in {
                "boot-test-started",
                "boot-test-machine",
                "boot-test-stage",
            }, event
            if event.get("stage") == "kernel":
                break
    assert event["outcome"] == "pass"
    assert _left(ordinary_place)
    program.send_signal(signal.SIGKILL)
    program.wait()
    if program.stderr:
        program.stderr.close()
    ordinary_place.wait_for(lambda: not _left(ordinary_place), "something of it stays")
    assert records.digest(archive) == vm.sha256
    archive.unlink()


def _left(place: Workplace) -> list[str]:
    """The processes at work in the boot tests' directories here, and what is in these."""
    works = place.directory / "cache/zwizard/boot-tests"
    found = subprocess.run(
        ["find", works, "-mindepth", "1", "-maxdepth", "1"], capture_output=True, text=True,
        check=False,
    ).stdout.splitlines()  # fmt: skip
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(works):
                found.append(f"process {process.name}")
        except OSError:
            continue  # it has ended meanwhile
    return found
