"""The build screen: steps, log, result and actions."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.style import Style

from tests.tui.conftest import (
    HOSTILE,
    NOW,
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
    recipe,
    settle,
    until,
)
from zwizard.engine import debug_shell, status
from zwizard.engine.builds import Build
from zwizard.jobs import events, journal, supervisor
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.check import CheckScreen
from zwizard.tui.screens.dialogs import Ask, Reader
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.widgets.log_view import LogView
from zwizard.util.hashing import sha256_of

pytestmark = pytest.mark.slow


def is_following(app: ZwizardApp) -> bool:
    return app.screen.query_one(LogView).following


def record_bells(app: ZwizardApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    bells: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: bells.append("bell"))
    return bells


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
            assert "○ pack          waiting" in shown
            assert "03-initramfs · 2 lines · following" in shown
            assert "second" in shown
            assert "X Cancel" in shown
            assert "r Resume" not in shown


async def test_the_usual_time_of_each_step_is_shown(
    app: ZwizardApp,
) -> None:
    older = a_build("older", done=5)  # each step took 38 s
    journal.append(older.journal, events.StepFinished(step="clean", seconds=0.4, bytes=1))
    build = a_build(done=2)
    app.clock = lambda: status.of(build).at + 4
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await until(pilot, lambda: "~38 s" in frame(app))
            shown = frame(app)
            assert "✓ packages      done 38 s" in shown
            assert "● initramfs     running 4 s / ~38 s" in shown
            assert "○ kernel        waiting ~38 s" in shown
            assert "○ clean         waiting   " in shown  # it takes no time worth telling
            assert "○ pack          waiting   " in shown  # it never ran
            assert "about" not in shown.splitlines()[0]


async def test_the_time_left_is_estimated_when_every_steps_time_is_recorded(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=lambda: NOW - 30))
    older = a_build("older", done=6)
    journal.append(older.journal, events.StepFinished(step="pack", seconds=10.0, bytes=1))
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(120, 40)) as pilot:
            app.show_build(build)
            # 8 s of initramfs, three steps of 38 s and one of 10 s.
            await until(pilot, lambda: "about 2 min 12 s to go" in frame(app))


async def test_bytes_written_and_the_age_of_the_output_are_shown(app: ZwizardApp) -> None:
    build = a_build(done=2)
    journal.append(build.journal, events.StepProgress(step="initramfs", written=65_011_712))
    log = build.step_log(3, "initramfs")
    os.utime(log, (NOW - 75, NOW - 75))
    with Held(build):
        async with app.run_test(size=(120, 40)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "62.0 MiB written" in frame(app).splitlines()[0]
            assert "62.0 MiB written · no output for 1 min 15 s" in frame(app)
            os.utime(log, (NOW, NOW))
            journal.append(
                build.journal, events.StepProgress(step="initramfs", written=66_060_288)
            )
            await until(pilot, lambda: "63.0 MiB written · last output just now" in frame(app))


async def test_the_highlight_follows_the_running_step(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            build.step_log(4, "kernel").write_text("unpacking\n")
            journal.append(
                build.journal, events.StepFinished(step="initramfs", seconds=1.0, bytes=1)
            )
            journal.append(build.journal, events.StepStarted(step="kernel", log=""))
            await until(pilot, lambda: "unpacking" in frame(app))


async def test_the_log_keys_are_offered_once_the_log_has_a_line(app: ZwizardApp) -> None:
    build = a_build(done=2, logs={3: b""})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "l Open log" not in frame(app)
            build.step_log(3, "initramfs").write_bytes(b"first\n")
            await until(pilot, lambda: "1 line " in frame(app))
            assert "l Open log  Y Copy log" in frame(app)
            await press(pilot, "down")
            await settle(pilot)
            assert "This step has not started" in frame(app)
            assert "Open log" not in frame(app)
            await press(pilot, "up")
            await settle(pilot)
            assert "l Open log  Y Copy log" in frame(app)


async def test_the_log_of_another_highlighted_step_stays(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "home")
            assert "log of bootstrap" in frame(app)
            journal.append(
                build.journal, events.StepFinished(step="initramfs", seconds=1.0, bytes=1)
            )
            journal.append(build.journal, events.StepStarted(step="kernel", log=""))
            await until(pilot, lambda: "step 4 of 7" in frame(app))
            assert "log of bootstrap" in frame(app)


async def test_leaving_does_not_stop_the_build_and_stopping_asks(app: ZwizardApp) -> None:
    build = a_build(done=2)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "q")
            on(app, HomeScreen)
            assert not build.cancel_request.exists()
            app.show_build(build)
            await settle(pilot)
            await press(pilot, "X", "enter")  # the first answer changes nothing
            assert not build.cancel_request.exists()
            await press(pilot, "X", "s")
            await until(pilot, build.cancel_request.exists)


async def test_a_failure_shows_step_command_cause_and_actions(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
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
        assert " chroot / apt-get install htpo " in shown  # on a line of its own, to be pasted
        assert "Likely cause  There is no package htpo" in shown
        assert "Unable to locate package" in shown  # the log is that of the step that failed
        assert "y Copy command" in shown
        await press(pilot, "y")
        assert app.clipboard == (
            "zwizard shell debian-vm packages -c 'chroot / apt-get install htpo'"
        )
        await press(pilot, "r")
        assert [b.id for b in started] == [build.id]


async def test_change_opens_the_question_that_caused_the_failure(app: ZwizardApp) -> None:
    build = a_build("mine", 4)
    fail(build, "system", error="system: exit status 1", key="system.locale", command="")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        field = on(app, PageScreen).focused_field()
        assert field is not None
        assert field.question.key == "system.locale"


async def test_a_key_pressed_twice_opens_one_screen(app: ZwizardApp) -> None:
    build = a_build("mine", 4)
    fail(build, "system", error="system: exit status 1", key="system.locale", command="")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        app.simulate_key("a")
        app.simulate_key("a")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        await settle(pilot)
        assert [type(screen).__name__ for screen in app.screen_stack] == [
            "HomeScreen",
            "PageScreen",
        ]


async def test_a_shell_is_opened_in_the_highlighted_steps_tree(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[tuple[str, str]] = []
    monkeypatch.setattr(debug_shell, "enter", lambda build, step: entered.append((build.id, step)))
    monkeypatch.setattr(app, "run_in_terminal", lambda work: work())  # the test has no terminal
    build = a_build(done=0)
    fail(build, "bootstrap", error="bootstrap: exit status 1", command="false")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert "! Shell" in frame(app)
        await press(pilot, "!")
        await until(pilot, lambda: entered == [("debian-vm", "bootstrap")])
        await press(pilot, "down", "!")
        await until(pilot, lambda: "before it is not finished" in " ".join(frame(app).split()))
        assert len(entered) == 1


async def test_a_bug_report_shows_its_contents_and_path(app: ZwizardApp, apart: Path) -> None:
    build = a_build(done=2)
    fail(build, "initramfs", error="initramfs: exit status 1", command="false")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "b")
        await until(pilot, lambda: "logs/03-initramfs.log" in frame(app))
        (made,) = apart.glob("debian-vm-report-*.tar.gz")
        assert made.name in on(app, Reader)._text.plain


async def test_text_selected_with_the_mouse_is_copied(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"first \x1b[31mline\x1b[0m\nsecond line\nthird line\n"})
    fail(build, "bootstrap", error="bootstrap: exit status 1", command="false")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        await pilot.mouse_down(LogView, offset=(6, 0))
        await pilot.hover(LogView, offset=(3, 1))
        await pilot.mouse_up(LogView, offset=(5, 1))
        await press(pilot, "ctrl+c")
        assert app.clipboard == "line\nsecond"


async def test_the_log_is_copied_without_control_sequences_and_its_path_is_shown(
    app: ZwizardApp,
) -> None:
    build = a_build(done=0, logs={1: b"one\x1b[31m\n10%\r99%\nthree\x1b]52;c;aGk=\x07\n"})
    fail(build, "bootstrap", error="bootstrap: exit status 1", command="false")
    async with app.run_test(size=(120, 30)) as pilot:
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "Y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard == "one\n99%\nthree\n"
        assert str(build.step_log(1, "bootstrap")) in notes(app)[-1]


async def test_only_the_end_of_a_long_log_is_copied(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"".join(b"line %d\n" % n for n in range(100_000))})
    fail(build, "bootstrap", error="bootstrap: exit status 1", command="false")
    async with app.run_test(size=(120, 30)) as pilot:
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "Y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard.endswith("line 99998\nline 99999\n")
        assert len(app.clipboard) < 300 * 1024
        assert "Last 256.0 KiB copied" in notes(app)[-1]


async def test_the_log_opens_in_the_users_pager(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "run_in_terminal", lambda work: work())
    monkeypatch.setenv("PAGER", f"cp -t {tmp_path}")
    build = a_build(done=0)
    fail(build, "bootstrap", error="bootstrap: exit status 1", command="false")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "l")
        assert (tmp_path / "01-bootstrap.log").read_text() == "log of bootstrap\n"


async def test_a_long_command_scrolls_with_the_keyboard(app: ZwizardApp) -> None:
    build = a_build(done=0)
    command = "\n".join(f"echo {n}" for n in range(50)) + "\necho END"
    fail(build, "bootstrap", error="bootstrap: exit status 1", command=command)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert "echo END" not in frame(app)
        await press(pilot, "shift+tab", "end")
        await until(pilot, lambda: "echo END" in frame(app))


async def test_change_opens_the_question_of_the_failed_step(
    app: ZwizardApp,
) -> None:
    build = a_build("mine", 4, source={"packages": ["htpo"]})
    fail(build, "more-packages", error="more-packages: exit status 100", hint="", command="")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        field = on(app, PageScreen).focused_field()
        assert field is not None
        assert field.question.key == "source.packages"
        assert draft()["name"] == "mine"


@pytest.mark.painted
async def test_a_draft_that_a_build_has_is_replaced_without_asking(app: ZwizardApp) -> None:
    build = a_build("mine", 4, source={"packages": ["htpo"]})
    fail(build, "more-packages", error="more-packages: exit status 100", hint="", command="")
    Path("web.toml").write_text(recipe("web").to_toml())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        await press(pilot, "escape", "n", "c", "f8", *"web.toml", "enter")
        await until(pilot, lambda: draft()["name"] == "web")
        await press(pilot, "escape")
        app.show_build(build)
        await settle(pilot)
        await press(pilot, "a")  # the draft of web.toml is in no build
        await until(pilot, lambda: isinstance(app.screen, Ask))
        assert draft()["name"] == "web"


async def test_a_finished_build_rings_the_bell_and_opens_its_checklist(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = a_build(done=6)
    with Held(build) as held:
        async with app.run_test(size=(80, 24)) as pilot:
            bells = record_bells(app, monkeypatch)
            app.show_build(build)
            await settle(pilot)
            finish(build, {"ready": True, "findings": [finding("archive-name")]})
            held.release()
            await until(pilot, lambda: "✓ Ready" in frame(app))
            await until(pilot, lambda: bells)
            await until(pilot, lambda: "171.7 MiB" in frame(app))
            assert sha256_of(build.archive()) in frame(app)  # the whole sum, on one line
            await press(pilot, "c")
            on(app, CheckScreen)


async def test_a_build_that_is_not_ready_shows_its_errors(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": [finding("kernel-elf", outcome="fail")]})
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert "! Not ready: 1 error" in frame(app)


async def test_a_build_whose_process_died_shows_the_reason_and_resume(app: ZwizardApp) -> None:
    build = a_build(done=2)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert "■ stopped" in frame(app)
        assert events.BuildInterrupted().error in frame(app)
        assert events.BuildInterrupted().hint in frame(app)
        assert "r Resume" in frame(app)


async def test_a_search_goes_forwards_backwards_and_wraps(app: ZwizardApp) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(5000))
    build = a_build(done=0, logs={1: lines + b"Needle one\n" + lines + b"needle two\n" + lines})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)
            assert is_following(app)
            await press(pilot, "/", *"needle", "enter")
            assert view.match == 5000  # from the end to the beginning
            assert not is_following(app)
            await until(pilot, lambda: "Needle one" in frame(app))
            await press(pilot, "n")
            assert view.match == 10001
            await press(pilot, "n")
            assert view.match == 5000
            await press(pilot, "N")
            assert view.match == 10001
            await press(pilot, "f")
            assert is_following(app)
            await press(pilot, "/", *"absent", "enter")
            await until(pilot, lambda: "'absent' is not in this log" in notes(app))


async def test_a_search_upwards_starts_at_the_visible_lines(app: ZwizardApp) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(500))
    build = a_build(done=0, logs={1: b"needle one\n" + lines + b"needle two\n" + lines})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)
            await press(pilot, "tab", "?", *"needle", "enter")
            assert view.match == 501
            assert "line 502 of 1,002" in frame(app)
            await press(pilot, "N")
            assert view.match == 0
            await press(pilot, "N")
            assert view.match == 501
            assert "Reached the beginning of the log; continued from the other end." in notes(app)


async def test_log_colours_are_kept_and_matches_are_highlighted(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"a \x1b[31mred\x1b[0m word\nred again\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)

            def styles(y: int) -> dict[str, Style]:
                return {s.text: s.style for s in view.render_line(y) if s.style}

            assert styles(0)["red"].color != styles(0)["a "].color
            assert styles(0)["a "].color == styles(0)[" word"].color
            await press(pilot, "tab", "home", "/", *"red", "enter")
            assert (
                styles(0)["red"].bgcolor != styles(1)["red"].bgcolor != styles(1)[" again"].bgcolor
            )


async def test_invisible_colours_are_ignored(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"\x1b[30mblack \x1b[31;41msame \x1b[8mhidden\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)
            styles = {s.style.color for s in view.render_line(0) if s.style and s.text.strip()}
            assert styles == {view.rich_style.color}
            assert "black same hidden" in frame(app)


async def test_a_scrolled_log_stays_and_follows_again_at_its_end(app: ZwizardApp) -> None:
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


async def test_a_hostile_log_is_shown_as_text(app: ZwizardApp) -> None:
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


async def test_a_hostile_failure_is_shown_as_text(app: ZwizardApp) -> None:
    build = a_build(done=0)
    fail(build, "bootstrap", error=HOSTILE, command=HOSTILE, cause=HOSTILE, hint=HOSTILE)
    async with app.run_test(size=(120, 30)) as pilot:
        app.show_build(build)
        await settle(pilot)
        assert frame(app).count(SHOWN) >= 2
        assert "\x1b" not in frame(app)


async def test_a_hostile_journal_is_shown_as_text(app: ZwizardApp) -> None:
    build = a_build(done=0)
    steps = [{"name": HOSTILE, "title": HOSTILE}]
    journal.append(build.journal, events.BuildStarted(steps=steps))
    journal.append(build.journal, events.StepStarted(step=HOSTILE, log=HOSTILE))
    with Held(build):
        async with app.run_test(size=(120, 30)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "● [red]not[/] " in frame(app)
            assert "\x1b" not in frame(app)


async def test_markup_and_patterns_are_searched_literally(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"first\n[red]x[/] (.*\nlast\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            view = app.screen.query_one(LogView)
            await press(pilot, "/", *"x[/] (.*", "enter")
            assert view.match == 1
            await press(pilot, "/", *"[/]absent", "enter")
            await until(pilot, lambda: "'[/]absent' is not in this log" in notes(app))


async def test_long_lines_scroll_sideways(app: ZwizardApp) -> None:
    build = a_build(done=0, logs={1: b"a" * 60 + b"END\n"})
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            app.show_build(build)
            await settle(pilot)
            assert "END" not in frame(app)
            assert "aaa›" in frame(app)
            await press(pilot, "tab", *["right"] * 20)
            assert "END" in frame(app)
