"""The checklist screen: its groups, details, search, filters and actions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.faults import link, write
from tests.support.trees import vm_tree
from tests.tui.conftest import (
    HOSTILE,
    SHOWN,
    a_build,
    draft,
    finding,
    finish,
    frame,
    notes,
    on,
    press,
    settle,
    until,
)
from zwizard import checks
from zwizard.engine import verdicts
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.check import CheckScreen
from zwizard.tui.screens.dialogs import Reader
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.wizard import questions

pytestmark = pytest.mark.slow

FINDINGS = [
    finding("archive-name"),
    finding("kernel-elf", outcome="fail", evidence="/boot/vmlinuz is a bzImage (xz)"),
    finding("initrd-virtiofs", outcome="unknown"),
    finding("kernel-upgrades", "should", "fail"),
    finding("setuid-files", "advice", "fail"),
    finding("kernel-recent", "should", "fail") | {"waived": True},
    finding("kernel-btrfs", "advice", "n/a"),
]


async def test_findings_are_grouped_by_outcome(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": FINDINGS})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await settle(pilot)
        shown = frame(app)
        assert "✗ NOT READY: 2 error" in shown
        order = ["Errors", "kernel-elf", "initrd-virtiofs", "Warnings", "kernel-upgrades"]
        order += ["Notes", "setuid-files", "Waived", "Passed (1)"]
        places = [shown.index(text) for text in order]
        assert places == sorted(places)
        assert "? initrd-virtiofs" in shown  # unknown is not failed, and says so


async def test_the_detail_shows_evidence_fix_and_reason(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": FINDINGS})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await settle(pilot)
        shown = frame(app)  # the first error is highlighted
        assert "Found    /boot/vmlinuz is a bzImage (xz)" in shown
        assert "Fix      repair kernel-elf" in shown
        assert "Why      because kernel-elf" in shown
        await press(pilot, "down")
        assert "Fix      repair initrd-virtiofs" in frame(app)


async def test_passed_checks_are_folded_and_counted(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": [finding("archive-name"), finding("kernel-elf")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await settle(pilot)
        assert "✓ READY" in frame(app)
        assert "✓ Passed (2) …" in frame(app)
        assert "kernel-elf" not in frame(app)
        await press(pilot, "enter", "down")
        assert "kernel-elf" in frame(app)
        assert "Found    seen archive-name" in frame(app)


async def test_a_report_leads_to_its_build(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": []})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_check(build)
        await settle(pilot)
        await press(pilot, "l")
        on(app, BuildScreen)


async def test_any_directory_can_be_checked(app: ZwizardApp) -> None:
    tree = Path.cwd() / "tree"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(b"not a kernel")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(tree)
        await settle(pilot)
        assert "NOT READY" in frame(app)
        assert "Errors" in frame(app)


async def test_an_unreadable_file_is_reported(app: ZwizardApp) -> None:
    Path("bad.tar.gz").write_bytes(b"this is no gzip")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(Path("bad.tar.gz"))
        await settle(pilot)
        shown = frame(app)
        assert "not readable" in shown or "NOT READY" in shown


async def test_a_damaged_report_is_shown_as_an_error(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": []})
    build.report_file.write_text("{}")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await settle(pilot)
        assert "is not a report" in frame(app)


async def test_hostile_text_in_a_finding_is_shown_as_text(app: ZwizardApp) -> None:
    build = a_build(done=6)
    hostile = finding("kernel-elf", outcome="fail", evidence=HOSTILE, source=HOSTILE, fix=HOSTILE)
    finish(build, {"ready": False, "artefact": HOSTILE, "findings": [hostile]})
    async with app.run_test(size=(120, 40)) as pilot:
        app.show_check(build)
        await settle(pilot)
        on(app, CheckScreen)
        assert frame(app).count(SHOWN) >= 3
        assert "\x1b" not in frame(app)


@asynccontextmanager
async def shown(
    app: ZwizardApp, findings: list[dict[str, Any]], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[None]]:
    """The checklist of a build with these findings."""
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": findings})
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.show_check(build)
        await settle(pilot)
        yield pilot


def rules(app: ZwizardApp) -> list[str]:
    """The rules that are listed."""
    listed = on(app, CheckScreen).query_one("#findings")
    ids = (option.id for option in listed.options)  # type: ignore[attr-defined]
    return [id_.removeprefix("rule:") for id_ in ids if id_.startswith("rule:")]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("m", ["kernel-elf", "initrd-virtiofs", "archive-name"]),
        ("s", ["kernel-upgrades", "kernel-recent"]),
        ("d", ["setuid-files", "kernel-btrfs"]),
        ("u", ["initrd-virtiofs"]),
        ("h", ["archive-name"]),
        ("n", ["kernel-btrfs"]),
        ("w", ["kernel-elf", "initrd-virtiofs", "kernel-upgrades", "setuid-files",
               "kernel-recent"]),
    ],
)  # fmt: skip
async def test_the_list_is_filtered_and_shows_how_many_rules_match(
    app: ZwizardApp, key: str, expected: list[str]
) -> None:
    async with shown(app, FINDINGS) as pilot:
        every = rules(app)
        await press(pilot, "f", key)
        await settle(pilot)
        assert rules(app) == expected
        assert f"{len(expected)} of 7 rules. Esc shows all." in frame(app)
        await press(pilot, "escape")
        assert rules(app) == every
        assert "of 7 rules" not in frame(app)
        on(app, CheckScreen)
        await press(pilot, "escape")
        assert not isinstance(app.screen, CheckScreen)


async def test_search_looks_in_slug_title_evidence_reason_and_fix(app: ZwizardApp) -> None:
    findings = [
        *FINDINGS,
        finding("hostname", "advice", evidence="Buildbox"),
        finding("fstab", "should", fix="nofail!"),
    ]
    async with shown(app, findings) as pilot:
        await press(pilot, "slash", *"BUILDBOX", "enter")
        assert rules(app) == ["hostname"]  # though passed checks were folded
        assert "1 of 9 rules match “BUILDBOX”" in frame(app)
        await press(pilot, "escape", "slash", *"because k")
        assert [rule[:6] for rule in rules(app)] == ["kernel"] * 4
        await press(pilot, *"zzz")
        assert rules(app) == []
        await press(pilot, "escape")
        assert "kernel-elf" in rules(app)
        assert on(app, CheckScreen).focused is on(app, CheckScreen).query_one("#findings")


async def test_a_finding_or_the_whole_report_is_copied(app: ZwizardApp) -> None:
    async with shown(app, FINDINGS) as pilot:
        await press(pilot, "y")
        report = on(app, CheckScreen).report
        assert report is not None
        assert app.clipboard == checks.render_finding(report.finding("kernel-elf"))
        assert "repair kernel-elf" in app.clipboard
        await press(pilot, "Y")
        assert "Not ready: 2 errors, 1 warning, 1 note, 1 waived, 1 passed" in app.clipboard
        await settle(pilot)


@pytest.mark.parametrize(
    ("name", "render"),
    [("report.md", checks.render_markdown), ("report.html", checks.render_html)],
)
async def test_the_report_is_exported_and_its_path_notified(
    app: ZwizardApp, name: str, render: Any
) -> None:
    async with shown(app, FINDINGS) as pilot:
        report = on(app, CheckScreen).report
        await press(pilot, "e")
        assert "debian-vm-checklist.html" in frame(app)
        await press(pilot, "ctrl+u", *"report.pdf", "enter")
        assert "cannot be written as report.pdf" in frame(app)
        await press(pilot, "ctrl+u", *f"none/{name}", "enter")
        assert "there is no directory none" in frame(app)
        Path(name).write_text("before")
        await press(pilot, "ctrl+u", *name, "enter")
        assert Path(name).read_text() == "before"  # until Enter is pressed again
        await press(pilot, "enter")
        await until(pilot, lambda: Path(name).read_text() != "before")
        assert Path(name).read_text() == render(report)
        await until(pilot, lambda: any(str(Path(name).absolute()) in note for note in notes(app)))


@pytest.mark.parametrize(
    ("rule", "page", "key"),
    [
        ("initrd-virtiofs", "kernel", "kernel.modules"),
        ("ssh-server", "source", "source.packages"),
        ("fstab", "system", "system.run"),
        ("archive-name-survives", "target", "name"),
    ],
)
async def test_one_key_leads_to_the_question_that_decides_a_finding(
    app: ZwizardApp, rule: str, page: str, key: str
) -> None:
    async with shown(app, [finding(rule, "must", "fail")]) as pilot:
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        pages = on(app, PageScreen)
        assert pages.page == page
        field = pages.focused_field()
        assert field
        assert field.question.key == key
        assert draft()["name"] == "debian-vm"


async def test_a_finding_that_no_answer_decides_offers_no_change(app: ZwizardApp) -> None:
    async with shown(app, [finding("archive-readable", "must", "fail")]) as pilot:
        assert "Change answer" not in frame(app)
        await press(pilot, "a", "w")
        on(app, CheckScreen)


async def test_waiving_a_finding_changes_the_recipe(app: ZwizardApp) -> None:
    async with shown(app, FINDINGS) as pilot:
        assert "w Waive" not in frame(app)  # not offered for a must
        on(app, CheckScreen).query_one("#findings").go("rule:kernel-upgrades")  # type: ignore[attr-defined]
        await settle(pilot)
        assert "w Waive" in frame(app)
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        assert questions.to_recipe(draft()).checklist.waive == ("kernel-upgrades",)


async def test_a_waiver_can_be_removed(app: ZwizardApp) -> None:
    build = a_build(done=6, checklist={"waive": ["kernel-recent"]})
    finish(build, {"ready": True, "findings": FINDINGS[5:6]})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_check(build)
        await settle(pilot)
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        assert questions.to_recipe(draft()).checklist.waive == ()


async def test_check_again_reads_the_changed_file(app: ZwizardApp) -> None:
    tree = Path.cwd() / "tree"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot/vmlinuz").symlink_to("gone")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(tree)
        await settle(pilot)
        assert "kernel-resolves" in rules(app)
        assert "Steps and log" not in frame(app)
        (tree / "boot/gone").write_bytes(b"a file now")
        await press(pilot, "r")
        await settle(pilot)
        assert "kernel-elf" in rules(app)
        assert "kernel-resolves" not in rules(app)


async def test_the_smallest_terminal_shows_verdict_finding_and_keys(app: ZwizardApp) -> None:
    async with shown(app, FINDINGS, (60, 18)) as pilot:
        screen = frame(app)
        for text in ("NOT READY: 2 error", "kernel-elf", "Found    /boot/vmlinuz is a bzImage",
                     "/ Search", "e Export", "q Back"):  # fmt: skip
            assert text in screen
        await press(pilot, "slash", *"upgr", "enter")
        assert "Found    seen kernel-upgrades" in frame(app)


async def test_help_explains_the_focused_part(app: ZwizardApp) -> None:
    async with shown(app, FINDINGS) as pilot:
        for keys, text in (
            ((), "The rules by outcome"),
            (("enter",), "The arrow keys scroll; Tab goes back"),
            (("slash",), "Type a word to show only the rules"),
        ):
            await press(pilot, *keys, "f1")
            on(app, Reader)
            assert text in " ".join(frame(app).split())
            await press(pilot, "escape")


def test_a_report_of_another_version_is_read(tmp_path: Path) -> None:
    build = a_build(done=6)
    old = finding("rule-of-old", "should", "fail")
    finish(build, {"ready": True, "findings": [old, finding("kernel-elf")]})
    shown = verdicts.kept(build).report.to_json()
    assert shown["findings"] == [old, finding("kernel-elf")]
    assert checks.report_of(shown).to_json() == shown
    with pytest.raises(ValueError, match="this is not a report"):
        checks.report_of({"findings": []})


async def test_a_check_that_does_not_apply_shows_the_reason(app: ZwizardApp) -> None:
    async with shown(app, [finding("kernel-btrfs", "advice", "n/a", evidence="no VM")]) as pilot:
        await press(pilot, "enter", "down")
        assert "Reason   no VM" in frame(app)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """An image that can be fixed except for its shell history."""
    tree = vm_tree(tmp_path / "ubuntu:jammy")
    link("boot/vmlinuz", "/boot/vmlinuz")(tree)
    for name in ("etc/ssh/ssh_host_rsa_key", "root/.bash_history"):
        write(name, b"secret\n")(tree)
    return tree


@pytest.mark.painted
async def test_fix_builds_a_new_archive(app: ZwizardApp, broken: Path) -> None:
    made = broken.with_name("ubuntu-jammy-repaired.tar.gz")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(broken)
        await until(pilot, lambda: "NOT READY" in frame(app))
        assert "x Fix" in frame(app)
        await press(pilot, "x")
        await until(pilot, lambda: "Make a fixed archive" in frame(app))
        assert "- SSH host keys are removed" in frame(app)
        assert "Not fixed: no-secrets." in frame(app)
        await press(pilot, "n")
        assert on(app, CheckScreen)
        assert not made.exists()
        await press(pilot, "x")
        await until(pilot, lambda: "Make a fixed archive" in frame(app))
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        await until(pilot, lambda: "✓ Ready" in frame(app))
    report = checks.check(made, mode="vm")
    assert {f.slug for f in report.findings if f.wrong} == {"no-secrets"}


@pytest.mark.painted
async def test_fix_is_not_offered_for_a_good_image_or_a_build(
    app: ZwizardApp, tmp_path: Path
) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": FINDINGS})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(vm_tree(tmp_path / "good"))
        await until(pilot, lambda: "READY" in frame(app))
        assert "x Fix" not in frame(app)
        app.show_check(build)  # of a build, the answers are changed instead
        await settle(pilot)
        assert "x Fix" not in frame(app)


@pytest.mark.parametrize(("size", "beside"), [((80, 24), False), ((110, 24), True)])
async def test_a_wide_checklist_has_the_detail_beside_the_list(
    app: ZwizardApp, apart: Path, size: tuple[int, int], beside: bool
) -> None:
    (apart / "tree").mkdir()
    async with app.run_test(size=size) as pilot:
        app.show_check(apart / "tree")
        await settle(pilot)
        listed, detail = (app.screen.query_one(name).region for name in ("#findings", "#detail"))
        assert (detail.x >= listed.right and detail.y == listed.y) == beside
