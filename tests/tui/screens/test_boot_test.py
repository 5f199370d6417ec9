"""The boot test screen: stages, console, result and actions."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.conftest import HOSTILE, SHOWN, a_build, finding, finish, frame, on, press, until
from zwizard.boottest import session
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.jobs import journal
from zwizard.jobs.events import (
    BootTestCancelled,
    BootTestFinished,
    BootTestMachine,
    BootTestStage,
    BootTestStarted,
    Event,
)
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.boot_test import BootTestScreen
from zwizard.util.errors import ZwizardError

pytestmark = pytest.mark.slow


class FakeBootTest:
    """A boot test whose events the test writes."""

    def __init__(self, job: BootTest) -> None:
        self.job = job
        job.directory.mkdir(parents=True)
        self._lock = job.hold()
        self.note(BootTestStarted(artefact="/web.tar.gz"))
        job.console.write_bytes(b"Linux version 6.1\r\n" + HOSTILE.encode() + b"\r\n")

    def note(self, event: Event) -> None:
        journal.append(self.job.journal, event)

    def stage(self, name: str, outcome: str = "pass", evidence: str = "seen") -> None:
        stage = BootTestStage(stage=name, outcome=outcome, evidence=evidence, seconds=12.0)
        self.note(stage)

    def machine(self) -> None:
        self.note(BootTestMachine(mode="vm", accelerator="tcg", why="no KVM here"))

    def finish(self, *, passed: bool = True, **facts: str) -> None:
        self.end(replace(BootTestFinished(passed=passed, report="r"), **facts))  # type: ignore[arg-type]

    def end(self, event: Event) -> None:
        self.note(event)
        assert self._lock is not None
        os.close(self._lock)


BootTests = list[FakeBootTest]


@pytest.fixture
def boot_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BootTests:
    """The boot tests that the app starts; they boot nothing."""
    started: BootTests = []

    def start(request: BootTestRequest) -> BootTest:
        started.append(FakeBootTest(BootTest(tmp_path / f"boot-test-{len(started)}")))
        return started[-1].job

    monkeypatch.setattr(session, "start", start)
    return started


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_stages_and_console_are_shown_live(
    app: ZwizardApp, boot_tests: BootTests, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests)
        boot_tests[0].machine()
        boot_tests[0].stage("start")
        boot_tests[0].stage("kernel", evidence=f"Linux {HOSTILE}")
        await until(pilot, lambda: "● root" in frame(app))
        shown = frame(app)
        assert "web.tar.gz" in shown
        assert "● booting" in shown
        assert "TCG" in shown
        assert "✓ kernel      passed" in shown
        assert "○ login       waiting" in shown
        assert "Linux version 6.1" in shown
        assert "grown" not in shown  # a VM has no disk to grow to
        with boot_tests[0].job.console.open("ab") as console:
            console.write(b"debian login: ")
        await until(pilot, lambda: "debian login:" in frame(app))


async def test_guest_output_is_shown_as_text(app: ZwizardApp, boot_tests: BootTests) -> None:
    async with app.run_test(size=(120, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests)
        boot_tests[0].stage("start", evidence=HOSTILE)
        await until(pilot, lambda: "✓ start" in frame(app))
        await press(pilot, "home")
        await until(pilot, lambda: frame(app).count(SHOWN[:20]) == 2)  # evidence and console
        assert "\x1b" not in frame(app)


async def test_a_passed_test_is_shown_and_can_be_repeated(
    app: ZwizardApp, boot_tests: BootTests
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests)
        boot_tests[0].finish()
        await until(pilot, lambda: "◆ Boot test passed" in frame(app))
        assert "r Boot again" in frame(app)
        assert "X Cancel" not in frame(app)
        await press(pilot, "r")
        await until(pilot, lambda: len(boot_tests) == 2)
        await until(pilot, lambda: "● booting" in frame(app))


async def test_a_failed_test_shows_reason_rule_and_fix(
    app: ZwizardApp, boot_tests: BootTests
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests)
        boot_tests[0].stage("start")
        boot_tests[0].stage("kernel")
        boot_tests[0].stage("root", "fail", "No such device")
        boot_tests[0].finish(
            passed=False, reason="No virtiofs.", rule="initrd-virtiofs", remedy="Add it."
        )
        await until(pilot, lambda: "✗ boot test failed" in frame(app))
        shown = frame(app)
        assert "✗ No virtiofs." in shown
        assert "Rule  initrd-virtiofs" in shown
        assert "Fix   Add it." in shown
        assert "✗ root        failed 12 s" in shown
        assert "– init        not reached" in shown
        assert "No such device" in shown


async def test_missing_tools_are_reported(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(request: BootTestRequest) -> BootTest:
        raise ZwizardError("missing on this machine: virtiofsd", "apt-get install it")

    monkeypatch.setattr(session, "start", start)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: "missing on this machine: virtiofsd" in frame(app))
        assert "apt-get install it" in frame(app)


async def test_cancelling_asks_first_and_shows_stopped(
    app: ZwizardApp, boot_tests: BootTests
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests and "X Cancel" in frame(app))
        await press(pilot, "X", "enter")  # the first answer changes nothing
        assert not boot_tests[0].job.cancel_request.exists()
        await press(pilot, "X", "s")
        await until(pilot, boot_tests[0].job.cancel_request.exists)
        boot_tests[0].end(BootTestCancelled())
        await until(pilot, lambda: "■ Stopped." in frame(app))


async def test_leaving_keeps_the_test_running_and_returning_shows_it(
    app: ZwizardApp, boot_tests: BootTests
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: boot_tests and "X Cancel" in frame(app))
        await press(pilot, "q")
        assert not isinstance(app.screen, BootTestScreen)
        assert not boot_tests[0].job.cancel_request.exists()
        boot_tests[0].stage("start")
        app.show_boot_test(Path("web.tar.gz"))
        await until(pilot, lambda: "✓ start       passed" in frame(app))
        assert len(boot_tests) == 1


async def test_the_checklist_starts_a_boot_test(app: ZwizardApp, boot_tests: BootTests) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": [finding("archive-name")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await until(pilot, lambda: "b Test boot" in frame(app))
        await press(pilot, "b")
        await until(pilot, lambda: boot_tests)
        assert on(app, BootTestScreen).request.artefact == build.archive()
        assert on(app, BootTestScreen).request.disk_size == 5 << 30


async def test_the_checklist_of_any_image_shows_what_to_type_to_deploy_it(app: ZwizardApp) -> None:
    build = a_build(
        "web",
        done=3,
        target="container",
        source={"variant": "minimal"},
        container={"entrypoint": "/usr/sbin/nginx", "args": ["-g", "daemon off;"]},
    )
    finish(build, {"ready": True, "mode": "container", "findings": [finding("archive-name")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await until(pilot, lambda: "READY" in frame(app))
        await press(pilot, "d")
        await until(pilot, lambda: "The whole note" in frame(app))
        await press(pilot, "d")
        await until(pilot, lambda: "Entry Point: /usr/sbin/nginx -g 'daemon off;'" in frame(app))


async def test_a_passed_test_does_not_speak_of_an_image_that_was_changed(
    app: ZwizardApp, boot_tests: BootTests
) -> None:
    image = Path("web.tar.gz")
    image.write_text("booted")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_boot_test(image)
        await until(pilot, lambda: boot_tests)
        boot_tests[0].machine()
        boot_tests[0].finish(passed=True)
        await until(pilot, lambda: "◆ boot test passed" in frame(app))
        image.write_text("another")
        await until(pilot, lambda: "! changed" in frame(app))
        assert "passed: the image" not in frame(app)
        await press(pilot, "q")
        app.show_boot_test(image)
        await until(pilot, lambda: len(boot_tests) == 2)
