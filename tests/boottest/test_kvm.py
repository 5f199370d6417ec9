"""KVM that runs a tiny guest and no real one: the boot test falls back to emulation."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard.boottest.machine import accelerator
from zwizard.boottest.machine.accelerator import Acceleration
from zwizard.boottest.machine.qemu import CONTROL, Direct
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.boottest.results import KvmGaveUpError, NotUpError, Results
from zwizard.boottest.runner import BootSetup, Runner
from zwizard.boottest.status import Status
from zwizard.boottest.watch import monitor
from zwizard.boottest.watch.monitor import BootMonitor, MonitorSettings
from zwizard.checks import Mode
from zwizard.jobs import journal
from zwizard.jobs.events import BootTestMachine, BootTestRestarted, BootTestStage

GAVE_UP = "KVM internal error. Suberror: 1\nemulation failure\nRAX=0000 RBX=0000\nRSI=0000\n"
ANSWERS = {"human-monitor-command": "TCP[HOST_FORWARD] 9 127.0.0.1 40022 10.1.3.77 22"}


@pytest.fixture
def task(tmp_path: Path) -> MonitorSettings:
    (tmp_path / "console").touch()
    (tmp_path / "qemu.log").touch()
    return MonitorSettings(
        tmp_path, tmp_path / "console", "host", Mode.VM, patience=1.0, by_kvm=True
    )


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """One that goes on, as QEMU does with a machine that has come to a halt."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def halted(work: Path, state: str) -> None:
    """QEMU's control socket in ``work``: of a machine that has come to a halt, in ``state``."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(work / CONTROL))
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as client, client.makefile("rw", buffering=1) as lines:
            lines.write('{"QMP": {}}\n')
            for line in lines:
                asked = json.loads(line)["execute"]
                answer = {"status": state} if asked == "query-status" else ANSWERS.get(asked, {})
                lines.write(json.dumps({"return": answer}) + "\n")
                if asked in ANSWERS:
                    lines.write('{"event": "STOP"}\n')

    threading.Thread(target=serve, daemon=True).start()


def watch(task: MonitorSettings, process: subprocess.Popen[bytes]) -> None:
    BootMonitor(task, Results(task.work / "journal.jsonl"), process).run()


def test_a_guest_that_kvm_cannot_go_on_with_is_not_the_images_fault(
    task: MonitorSettings, process: subprocess.Popen[bytes]
) -> None:
    halted(task.work, "internal-error")
    (task.work / "qemu.log").write_text(GAVE_UP)
    with pytest.raises(KvmGaveUpError, match=r"KVM internal error\. Suberror: 1, emulation fail"):
        watch(task, process)


def test_nor_is_one_with_which_qemu_ended(task: MonitorSettings) -> None:
    (task.work / "qemu.log").write_text("error: kvm run failed Bad address\nRAX=0000\n")
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with pytest.raises(KvmGaveUpError, match="kvm run failed"):
        watch(task, ended)


def test_a_guest_that_says_nothing_is_doubted_only_by_kvm(
    task: MonitorSettings, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "_FIRST_OUTPUT", 0.3)
    halted(task.work, "paused")
    with pytest.raises(KvmGaveUpError, match="nothing was printed"):
        watch(task, process)
    (task.work / CONTROL).unlink()
    halted(task.work, "paused")
    emulated = MonitorSettings(task.work, task.console, "host", Mode.VM, patience=1.0)
    with pytest.raises(NotUpError, match="Nothing was printed on the serial console"):
        watch(emulated, process)


class Doubtful(Runner):
    """A boot test on a host whose KVM gives every guest up, without the machine."""

    def _prepare(self) -> BootSetup:
        (self._workspace / "prepared").mkdir()  # anew each time
        return BootSetup(Mode.VM, Direct("kernel", ""))

    def _boot(self, setup: BootSetup, acceleration: Acceleration) -> None:
        self._results.note(BootTestMachine(mode="vm", accelerator=acceleration.by, why=""))
        self._results.record("start", "pass", acceleration.why)
        if acceleration.by == "kvm":
            raise KvmGaveUpError("emulation failure")


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of such a boot test; in ``tmp_path`` as its cache."""
    monkeypatch.setattr(accelerator, "_KVM", Path("/dev/null"))
    monkeypatch.setattr(accelerator, "run_tiny_guest", lambda by: "")
    work = tmp_path / "boot-tests/work"
    work.mkdir(parents=True)
    job = BootTest(tmp_path)
    Doubtful(job, BootTestRequest(tmp_path / "artefact"), work)._boot_with_fallback()
    return job.journal


def test_the_guest_is_booted_again_by_emulation_with_a_note(booted: Path) -> None:
    events = journal.replay(booted)
    machines = [e.accelerator for e in events if isinstance(e, BootTestMachine)]
    assert machines == ["kvm", "tcg"]
    (why,) = (e.why for e in events if isinstance(e, BootTestRestarted))
    assert "KVM failed with this guest (emulation failure)" in why
    starts = [e.evidence for e in events if isinstance(e, BootTestStage)]
    assert "software emulation" in starts[1]


def test_what_was_found_before_is_not_shown_any_more(booted: Path) -> None:
    status = Status()
    for event in journal.replay(booted):
        status = status.after(event)
        if isinstance(event, BootTestRestarted):
            assert {stage.outcome for stage in status.stages} == {"waiting"}
    assert status.accelerator == "tcg"


def test_kvm_is_not_tried_again_until_the_host_restarts(
    booted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = accelerator.accelerate(tmp_path)
    assert found.by == "tcg"
    assert "KVM failed with another guest (emulation failure)" in found.why
    monkeypatch.setattr(accelerator, "boot_id", lambda: "another")
    assert accelerator.accelerate(tmp_path) == accelerator.KVM
