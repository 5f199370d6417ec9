"""The checklist screen: what blocks, what bites later, what holds, and why."""

from __future__ import annotations

from pathlib import Path

from tests.tui.conftest import (
    HOSTILE,
    SHOWN,
    a_build,
    finding,
    finish,
    frame,
    on,
    press,
    settle,
)
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.building import Building
from zwizard.tui.screens.checking import Checking

FINDINGS = [
    finding("archive-name"),
    finding("kernel-elf", outcome="fail", evidence="/boot/vmlinuz is a bzImage (xz)"),
    finding("initrd-virtiofs", outcome="unknown"),
    finding("kernel-upgrades", "should", "fail"),
    finding("setuid-files", "advice", "fail"),
    finding("kernel-recent", "should", "fail") | {"waived": True},
    finding("kernel-btrfs", "advice", "n/a"),
]


async def test_findings_are_grouped_by_what_they_mean(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": FINDINGS})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_report(build)
        await settle(pilot)
        shown = frame(app)
        assert "✗ NOT READY: 2 block" in shown
        order = ["Blocks", "kernel-elf", "initrd-virtiofs", "Bites later", "kernel-upgrades"]
        order += ["Worth knowing", "setuid-files", "Accepted as it is", "Holds (1)"]
        places = [shown.index(text) for text in order]
        assert places == sorted(places)
        assert "? initrd-virtiofs" in shown  # unknown is not failed, and says so


async def test_the_detail_has_evidence_reason_and_remedy(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": FINDINGS})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_report(build)
        await settle(pilot)
        shown = frame(app)  # the first that blocks is highlighted
        assert "Found    /boot/vmlinuz is a bzImage (xz)" in shown
        assert "Do       mend kernel-elf" in shown
        assert "Because  because kernel-elf" in shown
        await press(pilot, "down")
        assert "Do       mend initrd-virtiofs" in frame(app)


async def test_what_holds_is_counted_and_opens(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": [finding("archive-name"), finding("kernel-elf")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_report(build)
        await settle(pilot)
        assert "✓ READY" in frame(app)
        assert "✓ Holds (2) …" in frame(app)
        assert "kernel-elf" not in frame(app)
        await press(pilot, "enter", "down")
        assert "kernel-elf" in frame(app)
        assert "Found    seen archive-name" in frame(app)


async def test_a_report_leads_to_its_build(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": []})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_report(build)
        await settle(pilot)
        await press(pilot, "b")
        on(app, Building)


async def test_a_directory_of_anyones_is_checked(app: ZwizardApp) -> None:
    tree = Path.cwd() / "tree"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(b"not a kernel")
    async with app.run_test(size=(80, 24)) as pilot:
        app.check(tree)
        await settle(pilot)
        assert "NOT READY" in frame(app)
        assert "Blocks" in frame(app)


async def test_what_cannot_be_read_is_said(app: ZwizardApp) -> None:
    Path("bad.tar.gz").write_bytes(b"this is no gzip")
    async with app.run_test(size=(80, 24)) as pilot:
        app.check(Path("bad.tar.gz"))
        await settle(pilot)
        shown = frame(app)
        assert "cannot be checked" in shown or "NOT READY" in shown


async def test_a_broken_report_is_an_error_and_no_crash(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": []})
    build.report_file.write_text("{}")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_report(build)
        await settle(pilot)
        assert "is not a report" in frame(app)


async def test_foreign_text_in_evidence_is_only_text(app: ZwizardApp) -> None:
    build = a_build(done=6)
    said = finding("kernel-elf", outcome="fail", evidence=HOSTILE, source=HOSTILE, fix=HOSTILE)
    finish(build, {"ready": False, "artefact": HOSTILE, "findings": [said]})
    async with app.run_test(size=(120, 40)) as pilot:
        app.show_report(build)
        await settle(pilot)
        on(app, Checking)
        assert frame(app).count(SHOWN) >= 3
        assert "\x1b" not in frame(app)
