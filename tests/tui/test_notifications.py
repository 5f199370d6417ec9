"""Notifications of builds: the terminal's title, and a bell when one ends."""

from __future__ import annotations

import pytest

from tests.tui.conftest import HOSTILE, Held, a_build, fail, finding, finish, notes, settle, until
from zwizard.jobs import events, journal
from zwizard.tui.app import ZwizardApp
from zwizard.tui.notifications import (
    NO_PROGRESS,
    RESTORE,
    SAVE,
    Notifications,
    Title,
    has_progress,
    has_title,
)


def test_the_title_follows_each_step_and_the_end_is_reported_once() -> None:
    build = a_build(done=2)
    notifications = Notifications()
    with Held(build):
        assert notifications.look() == {}
        assert notifications.title == "● 3/7 initramfs · debian-vm"
        journal.append(build.journal, events.StepFinished(step="initramfs", seconds=1.0, bytes=1))
        assert notifications.look() == {}
        assert notifications.title == "● · debian-vm"
        fail(build, "kernel", error="kernel: exit status 1")
    assert notifications.look() == {"debian-vm": "✗ debian-vm: failed"}
    assert notifications.title == "✗ debian-vm: failed"
    assert notifications.look() == {}


def test_builds_that_ended_before_are_not_reported() -> None:
    build = a_build(done=6)
    finish(build, {"ready": True, "findings": [finding("archive-name")]})
    notifications = Notifications()
    assert notifications.look() == {}
    assert notifications.title == "zwizard"


def test_the_title_counts_several_running_builds() -> None:
    first, second = a_build("first"), a_build("second")
    notifications = Notifications()
    with Held(first), Held(second):
        notifications.look()
    assert notifications.title.endswith(" and 1 more")


def test_the_title_is_sent_only_on_changes_and_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    sent: list[str] = []
    title = Title(sent.append)
    assert title.ending == ""
    for text in ("one", "one", HOSTILE):
        title.show(text)
    assert sent[0] == f"{SAVE}\x1b]2;one\x07"
    assert len(sent) == 2
    assert sent[1].count("\x1b") == 1
    assert "owned" not in sent[1]
    assert title.ending == RESTORE


@pytest.mark.parametrize("terminal", ["", "dumb", "linux", "vt220"])
def test_no_title_is_sent_to_a_terminal_without_one(
    terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", terminal)
    sent: list[str] = []
    Title(sent.append).show("one")
    assert sent == []
    assert not has_title(terminal)


@pytest.mark.slow
async def test_a_build_that_ends_off_screen_rings_the_bell_and_is_reported(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: bells.append("bell"))
    build = a_build(done=2)
    with Held(build) as held:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            fail(build, "initramfs", error="initramfs: exit status 1")
            held.release()
            await until(pilot, lambda: bells)
            assert "✗ debian-vm: failed" in notes(app)


@pytest.mark.parametrize(
    ("environment", "has"),
    [
        ({"WT_SESSION": "x", "TERM": "xterm-256color"}, True),
        ({"TERM_PROGRAM": "ghostty", "TERM": "xterm-ghostty"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "TERM": "xterm-256color"}, False),
        ({"WT_SESSION": "x", "TMUX": "y", "TERM": "tmux-256color"}, False),
    ],
)
def test_progress_is_only_for_terminals_that_have_it(
    environment: dict[str, str], has: bool
) -> None:
    assert has_progress(environment) == has


def test_progress_is_sent_on_changes_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WT_SESSION", "x")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TMUX", raising=False)
    sent: list[str] = []
    title = Title(sent.append)
    for percent in (None, 28, 28, 42):
        title.show_progress(percent)
    assert sent == ["\x1b]9;4;1;28\x07", "\x1b]9;4;1;42\x07"]
    assert title.ending == NO_PROGRESS
    title.show_progress(None)
    assert sent[-1] == NO_PROGRESS
    assert title.ending == ""


def test_the_progress_counts_the_steps_of_running_builds() -> None:
    build = a_build(done=2)
    notifications = Notifications()
    assert notifications.percent is None
    with Held(build):
        notifications.look()
        assert notifications.percent == 28
