"""The pages: every question is shown from its declaration, every answer is saved as typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.tui.conftest import (
    HOSTILE,
    MakeApp,
    a_list,
    draft,
    frame,
    handled,
    notes,
    on,
    open_page,
    press,
    recipe,
    settle,
    until,
)
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.dialogs import Ask
from zwizard.tui.screens.files import AskPath
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.picker import PickerScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.widgets.choices import Choices
from zwizard.tui.widgets.field import Field, field_id
from zwizard.util import paths
from zwizard.wizard import questions
from zwizard.wizard.suggestions import PackageCatalogue, Suggestions

pytestmark = pytest.mark.slow


def field(app: ZwizardApp, key: str) -> Field:
    return app.screen.query_one(f"#{field_id(key)}", Field)


async def test_every_question_is_asked_on_its_page_and_next_leads_to_the_review(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        for page in questions.pages({}):
            assert on(app, PageScreen).page == page.name
            asked = [f.question.key for f in app.screen.query(Field)]
            assert asked == [q.key for q in questions.on_page(page.name, draft())]
            await press(pilot, "f3")
        on(app, ReviewScreen)
        assert draft()["source.bootstrap"] == "auto"  # a default that was shown is an answer


async def test_each_answer_is_saved_at_once(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.suite").control.focus()
        await press(pilot, "down")
        assert draft()["source.suite"] == "trixie"
        field(app, "source.packages").control.focus()
        await press(pilot, *"vim")
        assert draft()["source.packages"] == "vim"
        # The file alone has it, as after a crash.
        assert questions.to_recipe(draft()).source.packages == ("vim",)


async def test_a_default_that_changes_quickly_is_not_saved_as_an_answer(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        line = field(app, "name").control
        assert isinstance(line, Input)
        for target in ("container", "image"):  # before any message is handled
            field(app, "name").set({"target": target}, Suggestions())
        await settle(pilot)
        assert line.value == "debian-image"
        assert "name" not in draft()


async def test_a_problem_is_shown_while_typing_and_next_focuses_it(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!")
        assert "✗ 'V!' is wrong" in frame(app)
        field(app, "source.suite").control.focus()
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "source"
        assert app.screen.focused is field(app, "source.packages").control
        assert any("More packages" in note for note in notes(app))


async def test_the_same_problem_is_notified_once(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!")
        for _ in range(3):
            app.post_message(events.Key("f3", None))
        await settle(pilot)
        assert len(app.screen.query("Toast")) == 1
        assert len(notes(app)) == 1


async def test_back_keeps_a_wrong_answer_and_the_breadcrumb_marks_its_page(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!", "f2")
        assert on(app, PageScreen).page == "target"
        assert "! Source" in frame(app)
        await press(pilot, "f3")
        assert field(app, "source.packages").query_one(Input).value == "V!"
        await press(pilot, "escape")
        on(app, HomeScreen)
        assert draft()["source.packages"] == "V!"


async def test_alt_and_a_digit_shows_any_page(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        for number, page in enumerate(questions.pages({}), 1):
            await press(pilot, f"alt+{number}")
            assert on(app, PageScreen).page == page.name
        await press(pilot, "alt+6")
        on(app, ReviewScreen)
        await press(pilot, "alt+2")
        assert on(app, PageScreen).page == "source"


async def test_the_breadcrumb_shows_the_state_of_each_page(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "f3")
        assert "✓ Target  ● Source  ○ Kernel" in frame(app)


async def test_the_explanation_follows_the_focus_and_the_choice(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.variant").control.focus()
        await settle(pilot)
        assert "plain debootstrap" in frame(app)
        await press(pilot, "right")
        assert "smaller and faster" in frame(app)
        assert "Needs about" in frame(app)


async def test_a_choice_that_another_answer_excludes_is_a_problem_and_unavailable(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
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
        await press(pilot, "right")  # no other choice is available
        assert draft()["source.variant"] == "standard"


async def test_an_unavailable_choice_is_shown_with_its_reason_and_cannot_be_chosen(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        unavailable = [c for c in app.screen.query_one(Choices).options if c.unavailable]
        shown = frame(app)
        for choice in unavailable:
            assert f"–  {choice.title.split()[0]}" in shown
        await press(pilot, "end")
        assert draft().get("target", "vm") not in {c.value for c in unavailable}


async def test_each_line_is_a_command(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "system")
        field(app, "system.run").control.focus()
        await press(pilot, *"true", "enter", *"id")
        assert questions.to_recipe(draft()).system.run == ("true", "id")


async def test_keys_that_arrive_together_act_in_order(app: ZwizardApp) -> None:
    def at_once(*keys: str) -> None:
        for key in keys:
            app.post_message(events.Key(key, key if len(key) == 1 else None))

    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "tab")
        at_once("ctrl+u", *"xyz", "backspace", *"0", "left", *"1")
        await until(pilot, lambda: draft().get("name") == "xy10")
        await press(pilot, "alt+4")
        field(app, "system.run").control.focus()
        at_once(*"idd", "backspace", "enter", *"x", "up", *"2")
        await until(pilot, lambda: draft().get("system.run") == "i2d\nx")


@pytest.mark.parametrize(
    ("first", "keys", "second", "zone", "locale"),
    [
        ("timezone", ("ctrl+u", *"UTC", "tab", *"POSIX"), "locale", "UTC", "POSIX"),
        ("timezone", ("ctrl+u", *"UTC", "enter", *"xy", "left", *"z"), "locale", "UTC", "xzy"),
        ("locale", (*"xy", "backspace", "shift+tab", *"GMT"), "timezone", "GMT", "x"),
        ("timezone", (*"a", "tab", *"b", "shift+tab", *"c", "tab", *"d"), "locale", "c", "d"),
    ],
)
async def test_keys_after_tab_go_to_the_next_field(
    app: ZwizardApp, first: str, keys: tuple[str, ...], second: str, zone: str, locale: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "system")
        field(app, f"system.{first}").control.focus()
        await settle(pilot)
        for key in keys:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        expected = (zone, locale)
        await until(
            pilot,
            lambda: (draft().get("system.timezone"), draft().get("system.locale")) == expected,
        )
        assert app.focused is field(app, f"system.{second}").control


async def test_arrows_before_tab_choose_in_the_field_before(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        for key in ("down", "tab", "ctrl+u", *"web", "shift+tab", "down", "tab", *"2"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: draft().get("name") == "2")
        assert draft()["target"] == "image"


async def test_an_example_is_shown_as_an_example(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "tab", "ctrl+u")
        assert "for example: debian-vm" in frame(app)
        await press(pilot, "alt+2")
        assert "for example: the distribution's own" not in frame(app)
        await press(pilot, "alt+4", "ctrl+u")
        assert "for example: UTC" in frame(app)


async def test_the_keys_of_the_page_work_in_an_input_of_several_lines(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "system")
        field(app, "system.run").control.focus()
        await press(pilot, *"true")
        assert "F7 Save" in frame(app)
        await press(pilot, "f7")
        on(app, AskPath)
        await press(pilot, "escape", *"x")
        assert draft()["system.run"] == "truex"


async def test_hostile_answers_are_shown_as_text_and_not_changed(app: ZwizardApp) -> None:
    hostile = {"name": HOSTILE, "system.run": HOSTILE, "source.suite": HOSTILE}
    for key, text in hostile.items():
        draft().set(key, text)
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


async def test_a_damaged_draft_is_ignored(app: ZwizardApp) -> None:
    paths.draft().parent.mkdir(parents=True)
    paths.draft().write_text('{"name": "x')
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Press n" in frame(app)


async def test_a_click_chooses(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        variant = field(app, "source.variant").query_one(Choices)
        await pilot.click(variant, offset=(18, 0))
        await settle(pilot)
        assert draft()["source.variant"] == "minimal"


async def test_help_explains_the_focused_question_and_the_keys(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "kernel")
        await press(pilot, "f1")
        shown = frame(app)
        assert "Kernel package" in shown
        assert "EFI" in shown
        await press(pilot, "end")
        assert "Alt+1–9" in frame(app)
        await press(pilot, "escape")
        assert on(app, PageScreen).page == "kernel"


@pytest.mark.painted
async def test_visiting_every_page_changes_no_answer(
    make_app: MakeApp,
) -> None:
    values = {
        "name": "mine",
        "source.suite": "trixie",
        "source.variant": "minimal",
        "source.bootstrap": "mmdebstrap",
        "source.mirror": "https://mirror.example/debian",
        "source.packages": "vim, htop",
        "kernel.package": "linux-image-amd64",
        "kernel.modules": "virtiofs virtio_pci nvme",
        "system.timezone": "Europe/Paris",
        "system.locale": "en_GB.UTF-8",
        "system.services": "nginx",
        "system.run": "echo one\n  echo two",
        "output.directory": "images",
        "output.compression": "small",
    }
    for key, text in values.items():
        draft().set(key, text)
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "alt+1", *["f3"] * 7, *["f2"] * 5)
        assert on(app, PageScreen).page == "target"
        assert {key: draft()[key] for key in values} == values
        for number in (2, 4):  # the pages with inputs of several lines
            await press(pilot, f"alt+{number}", *["tab"] * 5)
        assert {key: draft()[key] for key in values} == values


async def test_only_a_page_that_was_seen_is_marked_for_another_look(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "down")
        assert "○ Container" in frame(app)  # the entrypoint is still missing
        await press(pilot, "alt+3", "f2")
        assert "! Container" in frame(app)


async def test_a_changed_answer_marks_the_later_page_that_depends_on_it(
    make_app: MakeApp,
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.variant").control.focus()
        await press(pilot, "right", "f3", "f3")
        assert "✓ Source" in frame(app)
        await press(pilot, "alt+2")
        field(app, "source.bootstrap").control.focus()
        await press(pilot, "down", "alt+1")
        assert "! Source" in frame(app)  # debootstrap cannot build minimal


@pytest.mark.painted
async def test_every_page_shows_the_space_that_is_needed_and_free(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        for number in range(1, 6):
            await press(pilot, f"alt+{number}")
            assert "free." in " ".join(frame(app).split())


@pytest.mark.painted
async def test_pages_of_a_container_without_entrypoint_show_the_space(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "down")
        for page in ("target", "source", "container", "system", "output"):
            assert on(app, PageScreen).page == page
            assert "free." in " ".join(frame(app).split())
            number = on(app, PageScreen).navigation.pages.index(page) + 2
            await press(pilot, f"alt+{number}")


# --- suggestions --------------------------------------------------------------------------------


async def test_a_misspelled_package_is_reported_while_typing_and_fixed_in_the_list(
    make_app: MakeApp,
) -> None:
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        packages = field(app, "source.packages")
        packages.control.focus()
        await press(pilot, *"vim hto")
        assert "  htop" in frame(app)
        await press(pilot, "x")
        shown = " ".join(frame(app).split())
        assert "! 'htox' is not in bookworm. Did" in shown
        assert "'htop'?" in shown
        await press(pilot, "f4")
        picker = on(app, PickerScreen)
        assert picker.query_one(Input).value == "htop"
        await press(pilot, "enter", "escape")
        assert draft()["source.packages"] == "vim htop"
        assert "is not in" not in frame(app)


async def test_the_list_adds_and_removes_several_packages(make_app: MakeApp) -> None:
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, "f4", *"vi")
        await press(pilot, "down", "enter")
        assert "✓ vim-nox" in frame(app)
        # Enter chooses from the matches of what was typed, even when typed quickly.
        await press(pilot, "ctrl+u", *"web", "enter", "ctrl+u", *"nox", "enter", "escape")
        assert draft()["source.packages"] == "nginx"
        await press(pilot, "f4", "escape")
        assert draft()["source.packages"] == "nginx"


async def test_the_list_chooses_one_time_zone(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "system")
        await press(pilot, "f4", *"new york")
        assert "America/New_York" in frame(app)
        await press(pilot, "enter")
        on(app, PageScreen)
        assert draft()["system.timezone"] == "America/New_York"
        await press(pilot, "f4", *"zzz")
        await settle(pilot)
        assert "Nothing found." in frame(app), frame(app)
        await press(pilot, "enter", "escape")
        assert draft()["system.timezone"] == "America/New_York"


async def test_next_stops_once_at_a_doubtful_answer(make_app: MakeApp) -> None:
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, *"my-own", "f3")
        assert on(app, PageScreen).page == "source"
        assert any("Press F3 again" in note for note in notes(app))
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "kernel"
        assert questions.to_recipe(draft()).source.packages == ("my-own",)


async def test_an_offline_host_is_reported_and_blocks_nothing(app: ZwizardApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, *"xyzzy")
        shown = " ".join(frame(app).split())
        assert "No package list (this machine is" in shown
        assert "✗" not in shown
        await press(pilot, "f4")
        assert "No package list" in frame(app)
        await press(pilot, "escape", "f3")
        assert on(app, PageScreen).page == "kernel"


async def test_suggestions_that_arrive_while_the_page_changes_are_harmless(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        pages = on(app, PageScreen)
        for page in ("system", "source"):
            turning = asyncio.create_task(pages.show(page))
            while not turning.done():
                pages._refresh_fields()
                pages._explain()
                await asyncio.sleep(0)
            await settle(pilot)
            assert [f.question.page for f in app.screen.query(Field)][-1] == page


async def test_reading_the_package_list_is_shown_until_it_is_read(make_app: MakeApp) -> None:
    from threading import Event

    finish = Event()

    def slow(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
        finish.wait(60)
        return a_list(mirror, suite)

    app = make_app(fetch=slow)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("n")
        await handled(pilot)
        await pilot.press("f3")
        await handled(pilot)
        packages = field(app, "source.packages")
        packages.control.focus()
        await pilot.press(*"vimx")
        await until_shown(pilot, app, "Reading the package list of")
        await pilot.press("f4")
        await until_shown(pilot, app, "Reading the package list of bookworm")
        finish.set()
        await until(pilot, lambda: "8 packages of bookworm" in frame(app))
        await press(pilot, "escape")
        await until(pilot, lambda: "'vimx' is not in bookworm" in " ".join(frame(app).split()))


async def until_shown(pilot: Pilot[None], app: ZwizardApp, text: str) -> None:
    async with asyncio.timeout(60):
        while text not in " ".join(frame(app).split()):
            await handled(pilot)
            await asyncio.sleep(0.01)


async def test_kernels_of_the_archive_are_offered_with_their_versions(make_app: MakeApp) -> None:
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "kernel")
        assert "6.1.176-1." in frame(app)
        await press(pilot, "end")
        assert draft()["kernel.package"] == "linux-image-6.1.0-50-cloud-amd64"
        await press(pilot, "alt+6")
        on(app, ReviewScreen)
        assert "✗" not in frame(app)


async def test_hostile_names_of_packages_and_files_are_shown_as_text(make_app: MakeApp) -> None:
    hostile = PackageCatalogue("bookworm", 0.0, (f"evil\t1\t{HOSTILE}", "vim\t日本\tשלום 編集 "))
    app = make_app(fetch=lambda mirror, suite, components: hostile)
    (Path.cwd() / "[red]\u202eabc.toml").write_text("")
    (Path.cwd() / "日本語の長い名前のレシピ.toml").write_text("")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        field(app, "source.packages").control.focus()
        await press(pilot, "f4")
        shown = frame(app)
        assert "[red]" in shown
        assert "日本" in shown
        assert "\x1b" not in shown
        await press(pilot, "escape", "f8")
        on(app, AskPath)
        shown = frame(app)
        assert "日本語" in shown
        assert "\u202e" not in shown


# --- recipes as files ---------------------------------------------------------------------------


async def test_a_recipe_is_opened_from_a_list_of_files(app: ZwizardApp) -> None:
    directory = Path.cwd() / "recipes"
    directory.mkdir()
    (directory / "web.toml").write_text(recipe("web", source={"suite": "trixie"}).to_toml())
    (directory / "notes.txt").write_text("")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "f8")
        assert "recipes/" in frame(app)
        await press(pilot, "down", "enter")
        assert "web.toml" in frame(app)
        assert "notes.txt" not in frame(app)
        await press(pilot, *"we", "tab", "enter")
        await settle(pilot)
        assert on(app, PageScreen).page == "target"
        assert draft()["name"] == "web"
        assert draft()["output.directory"] == str(directory)


async def test_the_output_directory_is_chosen_from_a_list(app: ZwizardApp) -> None:
    (Path.cwd() / "images").mkdir()
    (Path.cwd() / "image.raw").write_text("")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "output")
        await press(pilot, "f4")
        assert "images/" in frame(app)
        assert "image.raw" not in frame(app)
        await press(pilot, "down", "enter", "enter")
        await until(pilot, lambda: draft().get("output.directory") == "images")


async def test_opening_a_recipe_asks_before_it_replaces_the_draft_and_shows_errors(
    app: ZwizardApp,
) -> None:
    Path("web.toml").write_text(recipe("web").to_toml())
    Path("bad.toml").write_text("nam = 1\n")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "tab", "ctrl+u", *"mine", "f8", *"web.toml", "enter")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await press(pilot, "k")
        assert draft()["name"] == "mine"
        await press(pilot, "f8", *"bad.toml", "enter")
        await until(pilot, lambda: "did you mean name" in frame(app))
        await press(pilot, "escape", "f8", *"nowhere", "enter")
        assert "nowhere is not a file" in frame(app)


async def test_a_recipe_is_saved_from_any_page_and_its_paths_follow(
    app: ZwizardApp,
) -> None:
    from zwizard.recipe.model import Recipe

    (Path.cwd() / "other").mkdir()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        await press(pilot, "f7", "enter")
        await until(pilot, lambda: Path("debian-vm.toml").exists())
        assert Recipe.load(Path("debian-vm.toml")).output.directory == "."
        await press(pilot, "f7", "home", *"other/", "enter")
        await until(pilot, lambda: Path("other/debian-vm.toml").exists())
        assert Recipe.load(Path("other/debian-vm.toml")).output.directory == str(Path.cwd())
        field(app, "source.packages").control.focus()
        await press(pilot, *"V!", "f7")
        await until(pilot, lambda: "cannot be used" in frame(app))


async def test_a_draft_that_cannot_be_saved_is_reported_and_quitting_asks(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, *, lasting: bool) -> None:
        raise OSError(28, "No space left on device", str(path))

    write = paths.write_atomically
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        monkeypatch.setattr(paths, "write_atomically", full)
        await press(pilot, "tab", *"x")
        assert any("cannot be saved" in note for note in notes(app))
        await press(pilot, "escape")
        on(app, HomeScreen)
        await press(pilot, "q")
        await until(pilot, lambda: "would be lost" in frame(app))
        await press(pilot, "k")
        assert not app._exit
        await press(pilot, "n")  # the draft is still open
        assert "x" in on(app, PageScreen).navigation.answers["name"]
        monkeypatch.setattr(paths, "write_atomically", write)
        await pilot.press("ctrl+q")  # now there is space
    assert app.return_code == 0
    assert "x" in draft()["name"]


async def test_a_click_on_a_step_opens_its_page(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        column = frame(app).splitlines()[0].index("System")
        await pilot.click(offset=(column, 0))
        await settle(pilot)
        assert on(app, PageScreen).page == "system"


@pytest.mark.parametrize(("width", "explained"), [(80, False), (100, True)])
async def test_no_answer_changes_whether_the_choices_are_explained(
    app: ZwizardApp, width: int, explained: bool
) -> None:
    """A page does not jump between layouts while the user moves in it."""
    async with app.run_test(size=(width, 30)) as pilot:
        await open_page(pilot, "source")
        for _ in range(3):
            assert {choices.roomy for choices in app.screen.query(Choices)} == {explained}
            await press(pilot, "down")


@pytest.mark.parametrize("size", [(60, 18), (120, 18)])
async def test_the_chosen_choice_is_in_sight(app: ZwizardApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await open_page(pilot, "target")
        await press(pilot, "end")
        assert "(•) VM from a disk image" in frame(app)
        await press(pilot, "home")
        assert "(•) VM with its own kernel" in frame(app)


async def test_a_narrow_form_has_the_room_of_the_explanation(app: ZwizardApp) -> None:
    async with app.run_test(size=(60, 18)) as pilot:
        await open_page(pilot, "source")
        assert not app.screen.query_one("#why-text").region
        assert app.screen.query_one("#questions").size.height >= 10


async def test_enter_goes_through_the_questions_to_the_next_page(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        field(app, "name").control.focus()
        await press(pilot, "enter")
        assert on(app, PageScreen).page == "source"
        field(app, "source.mirror").control.focus()
        await press(pilot, "enter")
        focused = on(app, PageScreen).focused_field()
        assert focused is not None
        assert focused.question.key == "source.packages"


async def test_enter_stays_at_an_answer_that_is_wrong(app: ZwizardApp) -> None:
    draft().set("name", "no/name")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "target")
        field(app, "name").control.focus()
        await press(pilot, "enter")
        assert on(app, PageScreen).page == "target"
