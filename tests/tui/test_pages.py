"""The pages: every question drawn from its declaration, every answer kept as it is given."""

from __future__ import annotations

from textual.widgets import Input, TextArea

from tests.tui.conftest import HOSTILE, draft, frame, notes, on, press, settle
from zwizard import paths, questions
from zwizard.questions import PAGES
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.home import Home
from zwizard.tui.screens.pages import Pages
from zwizard.tui.screens.review import Review
from zwizard.tui.widgets.choices import Choices
from zwizard.tui.widgets.field import Field, field_id


def field(app: ZwizardApp, key: str) -> Field:
    return app.screen.query_one(f"#{field_id(key)}", Field)


async def test_every_question_is_asked_on_its_page_and_next_leads_to_the_review(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n")
        for page in PAGES:
            assert on(app, Pages).page == page.name
            asked = [f.question.key for f in app.screen.query(Field)]
            assert asked == [q.key for q in questions.on_page(page.name, draft())]
            await press(pilot, "f3")
        on(app, Review)
        assert draft()["source.suite"] == "bookworm"  # what was shown as chosen is answered


async def test_what_is_typed_or_chosen_is_on_the_disk_at_once(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        field(app, "source.suite").control.focus()
        await press(pilot, "down")
        assert draft()["source.suite"] == "trixie"
        field(app, "source.packages").control.focus()
        await press(pilot, *"vim")
        assert draft()["source.packages"] == "vim"
        # As after a crash: nothing but the file is left.
        assert questions.to_recipe(draft()).source.packages == ("vim",)


async def test_what_is_wrong_is_said_while_typing_and_next_goes_to_it(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!")
        assert "✗ 'V!' is wrong" in frame(app)
        field(app, "source.suite").control.focus()
        await press(pilot, "f3")
        assert on(app, Pages).page == "source"
        assert app.screen.focused is field(app, "source.packages").control
        assert any("More packages" in note for note in notes(app))


async def test_back_keeps_even_what_is_wrong_and_the_breadcrumb_marks_it(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!", "f2")
        assert on(app, Pages).page == "target"
        assert "! Source" in frame(app)
        await press(pilot, "f3")
        assert field(app, "source.packages").query_one(Input).value == "V!"
        await press(pilot, "escape")
        on(app, Home)
        assert draft()["source.packages"] == "V!"


async def test_any_page_is_one_key_away(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n")
        for number, page in enumerate(PAGES, 1):
            await press(pilot, f"alt+{number}")
            assert on(app, Pages).page == page.name
        await press(pilot, "alt+6")
        on(app, Review)
        await press(pilot, "alt+2")
        assert on(app, Pages).page == "source"


async def test_the_breadcrumb_tells_done_here_and_to_come(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        assert "✓ Target  ● Source  ○ Kernel" in frame(app)


async def test_why_pane_follows_the_focus_and_the_choice(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        field(app, "source.variant").control.focus()
        await settle(pilot)
        assert "plain debootstrap" in frame(app)
        await press(pilot, "right")
        assert "smaller and quicker" in frame(app)
        assert "Needs about" in frame(app)


async def test_an_answer_that_excludes_another_marks_it_as_not_to_be_had(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        field(app, "source.variant").control.focus()
        await press(pilot, "right")
        field(app, "source.bootstrap").control.focus()
        await press(pilot, "down")
        assert draft()["source.bootstrap"] == "debootstrap"
        assert field(app, "source.variant").query_one(".problem").display
        variant = field(app, "source.variant").query_one(Choices)
        variant.focus()
        await press(pilot, "left")
        assert draft()["source.variant"] == "standard"
        await press(pilot, "right")  # there is nothing to go to
        assert draft()["source.variant"] == "standard"


async def test_what_is_not_built_yet_is_shown_with_its_reason_and_cannot_be_chosen(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n")
        unavailable = [c for c in app.screen.query_one(Choices).options if c.unavailable]
        shown = frame(app)
        for choice in unavailable:
            assert f"–  {choice.title.split()[0]}" in shown
        await press(pilot, "end")
        assert draft().get("target", "vm") not in {c.value for c in unavailable}


async def test_own_commands_are_lines_of_their_own(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "alt+4")
        field(app, "system.run").control.focus()
        await press(pilot, *"true", "enter", *"id")
        assert questions.to_recipe(draft()).system.run == ("true", "id")


async def test_hostile_answers_are_shown_as_text_and_stay_as_they_were(app: ZwizardApp) -> None:
    hostile = {"name": HOSTILE, "system.run": HOSTILE, "source.suite": HOSTILE}
    for key, text in hostile.items():
        draft().give(key, text)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        for key in ("alt+1", "alt+2", "alt+4", "alt+6"):
            await press(pilot, key)
            assert "\x1b" not in frame(app)
            assert "\u202e" not in frame(app)
        await press(pilot, "alt+4")
        assert "\x1b" not in app.screen.query_one(TextArea).text
    assert {key: draft()[key] for key in hostile} == hostile


async def test_a_torn_draft_is_no_draft(app: ZwizardApp) -> None:
    paths.draft().parent.mkdir(parents=True)
    paths.draft().write_text('{"name": "x')
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Press n" in frame(app)


async def test_a_mouse_can_choose_too(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "f3")
        variant = field(app, "source.variant").query_one(Choices)
        await pilot.click(variant, offset=(18, 0))
        await settle(pilot)
        assert draft()["source.variant"] == "minimal"


async def test_help_explains_the_focused_question_and_the_keys(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "alt+3", "f1")
        shown = frame(app)
        assert "Kernel package" in shown
        assert "EFI" in shown
        assert "Alt+1–6" in shown
        await press(pilot, "escape")
        assert on(app, Pages).page == "kernel"
