"""The build screen: what the journal and the logs tell, and what can be done about it."""

from __future__ import annotations

import pytest

from tests.tui.conftest import (
    HOSTILE,
    SHOWN,
    Held,
    a_build,
    draft,
    fail,
    finding,
    finish,
    frame,
    notes,
    on,
    press,
    settle,
    until,
)
from zwizard.engine import journal
from zwizard.engine.builds import Build
from zwizard.tui import app as app_module
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.checking import Checking
from zwizard.tui.screens.home import Home
from zwizard.tui.screens.pages import Pages
from zwizard.tui.widgets.logview import LogView


def follows(app: ZwizardApp) -> bool:
    return app.screen.query_one(LogView).following


def bells_of(app: ZwizardApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rung: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append("bell"))
    return rung


async def test_steps_and_the_running_steps_log_are_shown(app: ZwizardApp) -> None:
    build = a_build(done=2, logs={3: b"first\nsecond\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            shown = frame(app)
            assert "● running · step 3 of 7" in shown
            assert "✓ bootstrap     done 38 s" in shown
            assert "● initramfs     running" in shown
            assert "○ pack          to come" in shown
            assert "03-initramfs · 2 lines · following" in shown
            assert "second" in shown
            assert "X Cancel" in shown
            assert "r Retry" not in shown


async def test_the_highlight_goes_on_with_the_running_step(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            build.step_log(4, "kernel").write_text("unpacking\n")
            journal.append(build.journal, "step-finished", step="initramfs", seconds=1.0, bytes=1)
            journal.append(build.journal, "step-started", step="kernel", log="")
            await until(pilot, lambda: "unpacking" in frame(app))


async def test_another_steps_log_stays_while_one_reads_it(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "home")
            assert "log of bootstrap" in frame(app)
            journal.append(build.journal, "step-finished", step="initramfs", seconds=1.0, bytes=1)
            journal.append(build.journal, "step-started", step="kernel", log="")
            await until(pilot, lambda: "step 4 of 7" in frame(app))
            assert "log of bootstrap" in frame(app)


async def test_leaving_is_not_stopping_and_stopping_asks(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "q")
            on(app, Home)
            assert not build.cancel_request.exists()
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "X", "enter")  # the harmless answer comes first
            assert not build.cancel_request.exists()
            await press(pilot, "X", "s")
            await until(pilot, build.cancel_request.exists)


async def test_a_failure_says_what_where_why_and_what_to_do(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(app_module, "_start", started.append)
    build = a_build(done=1, logs={2: b"E: Unable to locate package htpo\n"})
    fail(
        build,
        "packages",
        error="packages: exit status 100: chroot / apt-get install htpo",
        command="chroot / apt-get install htpo",
        cause="There is no package htpo in this suite.",
        hint="The whole log: …",
    )
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        shown = frame(app)
        assert "✗ packages: exit status 100 " in shown
        assert "  chroot / apt-get install htpo " in shown  # on a line of its own, to be pasted
        assert "Probably  There is no package htpo" in shown
        assert "Unable to locate package" in shown  # the log is that of the step that failed
        assert "y Copy command" in shown
        await press(pilot, "r")
        assert [b.id for b in started] == [build.id]


async def test_the_answers_of_a_failed_build_open_at_the_question_behind_it(
    app: ZwizardApp,
) -> None:
    build = a_build("mine", 4, source={"packages": ["htpo"]})
    fail(build, "more-packages", error="more-packages: exit status 100", hint="", command="")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, Pages))
        field = on(app, Pages).focused_field()
        assert field is not None
        assert field.question.key == "source.packages"
        assert draft()["name"] == "mine"


async def test_a_finished_build_rings_and_leads_to_its_checklist(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = a_build(done=6)
    with Held(build) as runner:
        async with app.run_test(size=(80, 24)) as pilot:
            bells = bells_of(app, monkeypatch)
            app.show_build(build)
            await settle(pilot)
            finish(build, {"ready": True, "findings": [finding("archive-name")]})
            runner.release()
            await until(pilot, lambda: "✓ Ready" in frame(app))
            assert bells
            assert "171.7 MiB" in frame(app)
            assert "ab" * 32 in frame(app)  # the whole sum, on one line
            await press(pilot, "c")
            on(app, Checking)


async def test_a_build_that_is_made_but_blocked_says_so(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": [finding("kernel-elf", outcome="fail")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert "! Made, but 1 rules block it" in frame(app) or "1 rule blocks it" in frame(app)


async def test_a_log_is_searched_forwards_backwards_and_round(app: ZwizardApp) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(5000))
    build = a_build(done=0, logs={1: lines + b"Needle one\n" + lines + b"needle two\n" + lines})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)
            assert follows(app)
            await press(pilot, "/", *"needle", "enter")
            assert view.found == 5000  # round the end, to the beginning
            assert not follows(app)
            await until(pilot, lambda: "Needle one" in frame(app))
            await press(pilot, "n")
            assert view.found == 10001
            await press(pilot, "n")
            assert view.found == 5000
            await press(pilot, "N")
            assert view.found == 10001
            await press(pilot, "f")
            assert follows(app)
            await press(pilot, "/", *"absent", "enter")
            await until(pilot, lambda: "'absent' is not in this log" in notes(app))


async def test_a_log_stays_where_it_is_read_and_follows_at_its_end(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"".join(b"line %d\n" % n for n in range(100))})
    log = build.step_log(1, "bootstrap")
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "line 99" in frame(app)
            await press(pilot, "tab", "pageup")
            before = frame(app)
            with log.open("ab") as file:
                file.write(b"more\n")
            await until(pilot, lambda: "101" in frame(app))
            assert "line 80" in before
            assert "line 80" in frame(app)
            await press(pilot, "end")
            assert "more" in frame(app)


async def test_hostile_logs_are_only_text(app: ZwizardApp) -> None:
    hostile = HOSTILE.encode() + b"\nnot utf-8: \xff\xfe\n\x1b[31mred\x1b[0m 10%\r 99%\r\n"
    build = a_build(done=0, logs={1: hostile + b"x" * 100_000})
    with Held(build):
        async with app.run_test(size=(120, 30)) as pilot:
            app.show_build(build)
            await settle(pilot)
            shown = frame(app)
            assert SHOWN in shown
            assert "\x1b" not in shown
            assert "not utf-8: \ufffd\ufffd" in shown
            assert " 99%" in shown  # what a progress display shows last
            assert "10%" not in shown


async def test_a_hostile_failure_is_only_text(app: ZwizardApp) -> None:
    build = a_build(done=0)
    fail(build, "bootstrap", error=HOSTILE, command=HOSTILE, cause=HOSTILE, hint=HOSTILE)
    async with app.run_test(size=(120, 30)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert frame(app).count(SHOWN) >= 2
        assert "\x1b" not in frame(app)


async def test_long_lines_can_be_seen_whole_by_scrolling(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"a" * 60 + b"END\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "END" not in frame(app)
            await press(pilot, "tab", *["right"] * 20)
            assert "END" in frame(app)
