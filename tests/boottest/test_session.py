"""Boot tests as processes: what ends them early, and that they leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import disks
from tests.support.faults import link, remove, write
from tests.support.trees import packed, vm_tree
from zwizard.boottest import records, session
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.host import tools
from zwizard.host.privileges import find_privilege
from zwizard.jobs import lock, supervisor
from zwizard.jobs.events import BootTestStage, Cancelled, Event, Interrupted
from zwizard.util import paths
from zwizard.util.errors import UsageError, ZwizardError

pytestmark = pytest.mark.slow

ZWIZARD = Path(sys.executable).with_name("zwizard")

needs_machine = pytest.mark.skipif(
    bool(tools.missing(("qemu-system-x86_64", "virtiofsd", "mkfs.vfat", "mcopy", "ssh")))
    or find_privilege().mode not in {"root", "userns"},
    reason="QEMU, virtiofsd, mtools or the right to mount are not here",
)

Boot = Callable[..., tuple[int, list[dict[str, Any]]]]


def boot(*arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Run ``zwizard boot``: its exit code, its events, its errors."""
    done = subprocess.run(
        [ZWIZARD, "boot", "--json", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "vm")


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert left() == []


def left() -> list[str]:
    """What boot tests have left behind: directories, and processes at home in them."""
    works = paths.cache() / "boot-tests"
    found = [str(path) for path in works.iterdir()] if works.is_dir() else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(works) in f"{(process / 'cwd').readlink()} {(process / 'cmdline').read_text()}":
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it has ended meanwhile, or is another user's
    return found


def ended(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["event"] == "boot-test-finished", events
    return events[-1]


def elf_without_pvh() -> bytes:
    """An ELF for x86-64 with one segment and nothing in it that a hypervisor starts by."""
    head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 1 << 20, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 4096, 1 << 20, 1 << 20, 64, 64, 4096)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return (ident + head + segment).ljust(4096, b"\0") + b"\xf4" * 64


@needs_machine
class TestWhatIsNotStarted:
    """Told at once, without waiting for a machine that cannot come up."""

    def boot(self, artefact: Path) -> dict[str, Any]:
        before = records.digest(artefact)
        code, events, _ = boot(artefact)
        assert code == 1
        assert records.digest(artefact) == before
        result = ended(events)
        assert result["passed"] is False
        assert result["sha256"] == before
        return result

    def test_a_kernel_behind_an_absolute_link(self, tree: Path) -> None:
        link("boot/vmlinuz", f"/boot/{(tree / 'boot/vmlinuz').readlink()}")(tree)
        result = self.boot(tree)
        assert result["rule"] == "kernel-link-relative"
        assert "as a container" in result["reason"]

    def test_a_kernel_that_is_a_directory(self, tree: Path) -> None:
        remove("boot/vmlinuz")(tree)
        (tree / "boot/vmlinuz").mkdir()
        assert self.boot(tree)["rule"] == "mode"

    def test_a_kernel_without_the_entry_of_the_hypervisor(self, tree: Path) -> None:
        remove("boot/vmlinuz")(tree)
        write("boot/vmlinuz", elf_without_pvh())(tree)
        result = self.boot(packed(tree, tree.with_name("vm.tar.gz")))
        assert result["rule"] == "kernel-pvh"

    def test_the_same_in_a_directory_whose_name_overlayfs_would_split(self, tree: Path) -> None:
        remove("boot/vmlinuz")(tree)
        write("boot/vmlinuz", elf_without_pvh())(tree)
        assert self.boot(tree.rename(tree.with_name("ubuntu:jammy, mine")))["rule"] == "kernel-pvh"

    def test_a_kernel_that_is_none(self, tree: Path) -> None:
        remove("boot/vmlinuz")(tree)
        write("boot/vmlinuz", b"not a kernel" * 1000)(tree)
        assert self.boot(tree)["rule"] == "kernel-elf"

    def test_an_image_larger_than_its_disk(self, tmp_path: Path) -> None:
        disks.need_tools()
        if not tools.find("OVMF"):
            pytest.skip("OVMF is not here")
        image = tmp_path / "image.raw"
        disks.partition(image, disks.ESP_PART, size=96)
        code, events, _ = boot(image, "--disk-size", "64MiB")
        assert code == 1
        assert ended(events)["rule"] == "image-fits-disk"
        assert "image size is bigger than disk" in ended(events)["reason"]


@needs_machine
def test_a_disk_that_the_firmware_finds_nothing_on(tmp_path: Path) -> None:
    disks.need_tools()
    if not tools.find("OVMF"):
        pytest.skip("OVMF is not here")
    image = tmp_path / "image.raw"
    disks.partition(image, disks.ESP_PART, size=48)
    disks.put(image, disks.ESP_PART, disks.fat(tmp_path / "esp", 40, {"readme": b"nothing"}))
    before = records.digest(image)
    code, events, _ = boot(image, "--disk-size", "64MiB")
    assert code == 1
    result = ended(events)
    assert result["rule"] == "esp-loader", result
    assert records.digest(image) == before


@needs_machine
class TestWhatCannotBeTested:
    def test_a_broken_archive(self, tree: Path) -> None:
        archive = packed(tree, tree.with_name("vm.tar.gz"))
        archive.write_bytes(archive.read_bytes()[:-1000])
        code, events, _ = boot(archive)
        assert code == 1
        assert "cannot be unpacked" in events[-1]["error"]

    def test_something_that_is_neither(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("hello")
        code, events, _ = boot(tmp_path / "text")
        assert code == 2
        assert "not a directory" in events[-1]["error"]


def test_what_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    code, events, errors = boot(tmp_path / "none.tar.gz")
    assert (code, events) == (2, [])
    assert "none.tar.gz does not exist" in errors


def test_missing_programs_are_an_error_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "missing", lambda names: frozenset({"virtiofsd"}))
    with pytest.raises(ZwizardError, match="missing on this machine: virtiofsd") as error:
        session.start(BootTestRequest(tmp_path))
    assert "doctor --install" in error.value.hint
    assert not (paths.state() / "boot-tests").exists()


def test_an_artefact_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        session.start(BootTestRequest(tmp_path / "none"))


@needs_machine
class TestEndedBeforeItsTime:
    """A machine that would wait for ever: a kernel that halts at once."""

    @pytest.fixture
    def endless(self, tree: Path) -> Path:
        remove("boot/vmlinuz")(tree)
        write("boot/vmlinuz", _halting_kernel())(tree)
        return tree

    def started(self, artefact: Path) -> BootTest:
        job = session.start(BootTestRequest(artefact))
        _until(lambda: "start" in _stages(job))
        return job

    def last(self, job: BootTest) -> Event:
        _until(lambda: not job.running())
        supervisor.recover(job)
        return job.events()[-1]

    def test_cancelled(self, endless: Path) -> None:
        job = self.started(endless)
        job.request_cancel()
        assert isinstance(self.last(job), Cancelled)

    def test_its_supervisor_killed(self, endless: Path) -> None:
        job = self.started(endless)
        _kill(job, "zwizard.jobs.supervisor")
        assert isinstance(self.last(job), Interrupted)

    def test_its_worker_killed(self, endless: Path) -> None:
        job = self.started(endless)
        _kill(job, "zwizard.jobs.worker")
        assert isinstance(self.last(job), Interrupted)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_zwizard_itself_ended(self, endless: Path, number: signal.Signals) -> None:
        before = records.digest(endless)
        with subprocess.Popen(
            [ZWIZARD, "boot", endless],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as program:
            assert program.stdout is not None
            while "✓ start" not in program.stdout.readline():
                pass
            program.send_signal(number)
            output = program.stdout.read()
        if number is signal.SIGINT:
            assert program.returncode == 130
            assert "stopped; nothing is kept" in output
        _until(lambda: not left())
        assert records.digest(endless) == before

    def test_by_its_own_time_limit(self, endless: Path) -> None:
        code, events, _ = boot(endless, "--timeout", "3")
        assert code == 1
        assert "3 s" in ended(events)["reason"]

    def test_two_run_side_by_side(self, endless: Path) -> None:
        one, two = self.started(endless), self.started(endless)
        assert one.running()
        one.request_cancel()
        self.last(one)
        assert two.running()
        two.request_cancel()
        assert isinstance(self.last(two), Cancelled)


@needs_machine
def test_what_was_abandoned_is_removed_by_the_next_and_what_is_held_is_not(tree: Path) -> None:
    works = paths.cache() / "boot-tests"
    abandoned, held = works / "abandoned", works / "held"
    for work in (abandoned, held):
        (work / "root").mkdir(parents=True)
    link("boot/vmlinuz", "/nowhere")(tree)
    descriptor = lock.acquire(held)
    assert descriptor is not None
    boot(tree)
    assert [path.name for path in works.iterdir()] == ["held"]
    os.close(descriptor)
    boot(tree)


@needs_machine
def test_what_a_stopped_test_has_kept_is_removed_by_a_later_one_of_the_same(tree: Path) -> None:
    link("boot/vmlinuz", "/nowhere")(tree)
    home = paths.state() / "boot-tests"
    for name, artefact, age in (("old", tree, 1000), ("new", tree, 1), ("foreign", home, 1000)):
        request = BootTest(home / name).request
        request.parent.mkdir(parents=True)
        request.write_text(BootTestRequest(artefact).to_json())
        os.utime(request, (time.time() - age, time.time() - age))
    boot(tree)
    kept = {path.name for path in home.iterdir()}
    assert kept > {"new", "foreign"}
    assert "old" not in kept


def _stages(job: BootTest) -> set[str]:
    return {event.stage for event in job.events() if isinstance(event, BootTestStage)}


def _kill(job: BootTest, module: str) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_text().split("\0")
            if str(job.directory) in words and module in words:
                os.kill(int(process.name), signal.SIGKILL)


def _until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _halting_kernel() -> bytes:
    """An ELF with a PVH entry that halts: a machine that is up, and says nothing."""
    entry = 1 << 20
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", entry).ljust(32, b"\0")
    head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 4096, entry, entry, 64, 64, 4096)
    notes = struct.pack("<IIQQQQQQ", 4, 4, 512, 0, 0, len(note), len(note), 4)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    data = (ident + head + load + notes).ljust(512, b"\0") + note
    return data.ljust(4096, b"\0") + b"\xfa\xf4\xeb\xfd".ljust(64, b"\xf4")
