"""The terminal's title and the bell: what is told of builds, wherever the user is."""

from __future__ import annotations

import pytest

from tests.tui.conftest import HOSTILE, Held, a_build, fail, finding, finish, notes, settle, until
from zwizard.jobs import events, journal
from zwizard.tui.app import ZwizardApp
from zwizard.tui.notifications import KEEP, RESTORE, Notifications, Title, titles


def test_a_build_at_work_is_told_step_by_step_and_its_end_once() -> None:
    build = a_build(done=2)
    herald = Notifications()
    with Held(build):
        assert herald.look() == ()
        assert herald.title == "● 3/7 initramfs · debian-vm"
        journal.append(build.journal, events.StepFinished(step="initramfs", seconds=1.0, bytes=1))
        assert herald.look() == ()
        assert herald.title == "● · debian-vm"
        fail(build, "kernel", error="kernel: exit status 1")
    assert [ended.said for ended in herald.look()] == ["✗ debian-vm: failed"]
    assert herald.title == "✗ debian-vm: failed"
    assert herald.look() == ()


def test_builds_that_ended_long_ago_are_nothing_new() -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": [finding("archive-name")]})
    herald = Notifications()
    assert herald.look() == ()
    assert herald.title == "zwizard"


def test_several_builds_are_counted() -> None:
    first, second = a_build("first"), a_build("second")
    herald = Notifications()
    with Held(first), Held(second):
        herald.look()
    assert herald.title.endswith(" and 1 more")


def test_the_title_is_sent_when_it_changes_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    sent: list[str] = []
    title = Title(sent.append)
    assert title.ending == ""
    for text in ("one", "one", HOSTILE):
        title.show(text)
    assert sent[0] == f"{KEEP}\x1b]2;one\x07"
    assert len(sent) == 2
    assert sent[1].count("\x1b") == 1
    assert "owned" not in sent[1]
    assert title.ending == RESTORE


@pytest.mark.parametrize("terminal", ["", "dumb", "linux", "vt220"])
def test_a_terminal_without_a_title_is_sent_none(
    terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", terminal)
    sent: list[str] = []
    Title(sent.append).show("one")
    assert sent == []
    assert not titles(terminal)


async def test_a_build_that_ends_elsewhere_rings_and_is_said(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append("bell"))
    build = a_build(done=2)
    with Held(build) as held:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            fail(build, "initramfs", error="initramfs: exit status 1")
            held.release()
            await until(pilot, lambda: rung)
            assert "✗ debian-vm: failed" in notes(app)
