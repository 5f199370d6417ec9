"""Home: the list of builds, the draft, and what can be started."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.conftest import (
    HOSTILE,
    MACHINE,
    NOW,
    SHOWN,
    Held,
    MakeApp,
    a_build,
    draft,
    fail,
    finding,
    finish,
    frame,
    on,
    press,
    recipe,
    settle,
    until,
)
from zwizard.engine import builds, gc, requirements
from zwizard.engine.builds import Build
from zwizard.engine.layers import Layer, boot_id
from zwizard.jobs import events, journal, supervisor
from zwizard.plan.targets import make
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.check import CheckScreen
from zwizard.tui.screens.home import BuildRows, HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.util import places
from zwizard.util.hashing import sha256_of

pytestmark = pytest.mark.slow


async def test_without_builds_home_explains_how_to_start(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        shown = frame(app)
        for text in ("Zero-OS", "VM with its own kernel", "Container", "Press n", "as root"):
            assert text in shown
        assert "Enter Open" not in shown  # there is nothing to open
        await press(pilot, "n")
        on(app, PageScreen)


async def test_builds_are_listed_with_state_step_size_and_age(app: ZwizardApp) -> None:
    failed = a_build("broken", 2)
    fail(failed, "initramfs", error="initramfs: exit status 1", hint="", command="")
    ready = a_build("web", 6)
    finish(ready, {"ready": True, "findings": []})
    running = a_build("jammy", 1)
    with Held(running):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            shown = frame(app)
            assert "✗ failed" in shown
            assert "3/7 initramfs" in shown
            assert "✓ ready" in shown
            assert "171.7 MiB" in shown
            assert "● running" in shown
            assert "2/7 packages" in shown
            assert "d ago" in shown


async def test_the_row_of_a_running_build_is_updated(app: ZwizardApp) -> None:
    build = a_build("jammy", 1)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "2/7 packages" in frame(app)
            journal.append(
                build.journal, events.StepFinished(step="packages", seconds=1.0, bytes=1)
            )
            journal.append(build.journal, events.StepStarted(step="initramfs", log=""))
            on(app, HomeScreen).look()
            await settle(pilot)
            await until(pilot, lambda: "3/7 initramfs" in frame(app))


async def test_free_space_is_updated_when_home_is_shown_again(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [70 * 2**30]
    monkeypatch.setattr(places, "free_space", lambda _: free[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "70.0 GiB free" in frame(app)
        await press(pilot, "n")
        free[0] = 60 * 2**30
        await press(pilot, "escape")
        await until(pilot, lambda: "60.0 GiB free" in frame(app))


async def test_a_build_whose_process_died_is_stopped(app: ZwizardApp) -> None:
    a_build("jammy", 1)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "■ stopped" in frame(app)


@pytest.mark.parametrize("state", ["stopped", "failed"])
async def test_a_stopped_or_failed_build_can_be_resumed(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    build, started = a_build("web", 2), list[str]()
    if state == "failed":
        fail(build, "initramfs", error="initramfs: exit status 1", hint="", command="")
    monkeypatch.setattr(supervisor, "start", lambda build: started.append(build.id))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "r Resume" in frame(app)
        await press(pilot, "r")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
    assert started == ["web"]


async def test_enter_opens_the_checklist_of_a_ready_build_and_the_log_of_a_failed_one(
    app: ZwizardApp,
) -> None:
    failed = a_build("broken", 2)
    fail(failed, "initramfs", error="initramfs: exit status 1", hint="", command="")
    ready = a_build("web", 6)
    finish(ready, {"ready": True, "findings": [finding("archive-name")]})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        rows = app.screen.query_one(BuildRows)
        rows.go("build:web")
        await press(pilot, "enter")
        on(app, CheckScreen)
        await press(pilot, "escape")
        rows.go("build:broken")
        await press(pilot, "enter")
        on(app, BuildScreen)
        await press(pilot, "escape")
        on(app, HomeScreen)


async def test_home_highlights_the_build_or_draft_that_was_open(app: ZwizardApp) -> None:
    a_build("older", 2)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        rows = app.screen.query_one(BuildRows)
        assert rows.current == "build:older"
        app.show_build(a_build("newer", 2))
        await settle(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: rows.current == "build:newer")
        await press(pilot, "down")
        assert rows.current == "build:older"
        on(app, HomeScreen).look()
        await settle(pilot)
        assert rows.current == "build:older"  # the user may have moved
        await press(pilot, "n", "escape")
        await until(pilot, lambda: rows.current == "draft:")


async def test_the_draft_is_a_row_that_continues_at_its_page(app: ZwizardApp) -> None:
    draft().set("target", "vm")
    draft().set("source.packages", "vim")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "○ draft" in frame(app)
        assert "page Kernel" in frame(app)
        await press(pilot, "enter")
        assert on(app, PageScreen).page == "kernel"


async def test_new_offers_to_continue_the_draft_or_start_over(app: ZwizardApp) -> None:
    draft().set("name", "mine")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n")
        assert "Continue it" in frame(app)
        await press(pilot, "escape")
        on(app, HomeScreen)
        assert draft()["name"] == "mine"
        await press(pilot, "n", "c")
        on(app, PageScreen)
        assert draft()["name"] == "mine"
        await press(pilot, "escape", "n", "s")
        on(app, PageScreen)
        assert "name" not in draft()


async def test_delete_asks_and_keeps_the_archive(app: ZwizardApp) -> None:
    build = a_build("web", 6)
    finish(build, {"ready": True, "findings": []})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "d")
        assert "archive stays" in frame(app)
        await press(pilot, "enter")  # the harmless answer comes first
        assert build.directory.exists()
        await press(pilot, "d", "d")
        assert not build.directory.exists()
        assert (Path.cwd() / "web.tar.gz").exists()
        assert "Press n" in frame(app)


async def test_a_build_that_was_just_deleted_is_left_out(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = a_build("web", 2)
    gone = Build(builds.directory() / "gone")
    monkeypatch.setattr(builds, "everything", lambda: [gone, build])
    assert builds._changed(gone) < builds._changed(build)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "web" in frame(app)
        assert "gone" not in frame(app)


async def test_a_running_build_cannot_be_deleted(app: ZwizardApp) -> None:
    build = a_build("web", 1)
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "d Delete" not in frame(app)
            await press(pilot, "d", "d")
            on(app, HomeScreen)
            assert build.directory.exists()


async def test_tab_completes_the_common_prefix(app: ZwizardApp) -> None:
    for name in ("image-1.tar.gz", "image-2.tar.gz", "other"):
        (Path.cwd() / name).touch()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c", "tab")
        path = app.screen.query_one(Input)
        assert path.value == ""  # nothing is common to all
        await press(pilot, "i", "tab")
        assert path.value == "image-"
        await press(pilot, "tab", "down", "tab")
        assert path.value == "image-1.tar.gz"


async def test_a_path_to_check_must_exist(app: ZwizardApp) -> None:
    (Path.cwd() / "tree").mkdir()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c", *"nowhere", "enter")
        assert "nowhere does not exist" in frame(app)
        await press(pilot, *["backspace"] * 7, *"tree", "enter")
        on(app, CheckScreen)


async def test_the_recipe_named_on_the_command_line_is_opened(make_app: MakeApp) -> None:
    file = Path.cwd() / "mine.toml"
    file.write_text(recipe("mine", source={"suite": "trixie"}).to_toml())
    app = make_app(file)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        on(app, PageScreen)
        assert draft()["source.suite"] == "trixie"
        await press(pilot, "alt+6")
        on(app, ReviewScreen)
        assert "mine.tar.gz" in frame(app)


async def test_a_recipe_replaces_a_draft_only_after_asking(make_app: MakeApp) -> None:
    draft().set("name", "unfinished")
    file = Path.cwd() / "mine.toml"
    file.write_text(recipe("mine").to_toml())
    app = make_app(file)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "replaces it" in frame(app)
        await press(pilot, "k")
        on(app, HomeScreen)
        assert draft()["name"] == "unfinished"


async def test_a_recipe_that_cannot_be_used_is_explained(make_app: MakeApp) -> None:
    file = Path.cwd() / "mine.toml"
    file.write_text('name = "a b"\nsiut = 1\n')
    app = make_app(file)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Error" in frame(app)
        assert "siut" in frame(app)


async def test_hostile_text_in_the_list_is_shown_as_text(app: ZwizardApp) -> None:
    build = a_build("web", 1)
    # What a journal and a recipe of anyone's may hold.
    build.journal.unlink()
    journal.append(build.journal, events.BuildStarted(steps=[{"name": HOSTILE, "title": HOSTILE}]))
    journal.append(build.journal, events.StepStarted(step=HOSTILE, log=""))
    with Held(build):
        async with app.run_test(size=(120, 30)) as pilot:
            await settle(pilot)
            assert SHOWN[:9] in frame(app)
            assert "\x1b" not in frame(app)
            await press(pilot, "enter")
            on(app, BuildScreen)


async def test_quit_never_asks(app: ZwizardApp) -> None:
    draft().set("name", "mine")
    with Held(a_build("web", 1)):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press("q")
        assert app.return_code == 0
        assert [b.id for b in builds.everything()] == ["web"]


# --- recipes, copies, space ---------------------------------------------------------------------


async def test_a_recipe_is_opened_from_home(app: ZwizardApp) -> None:
    Path("mine.toml").write_text(recipe("mine").to_toml())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "o", *"mi", "tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        assert draft()["name"] == "mine"


async def test_a_build_is_duplicated_as_a_new_recipe_under_a_free_name(app: ZwizardApp) -> None:
    build = a_build("web", 6, source={"packages": ["vim"]})
    finish(build, {"ready": True, "findings": []})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "u")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        field = on(app, PageScreen).focused_field()
        assert field is not None
        assert field.question.key == "name"
        assert draft()["name"] == "web-2"
        assert draft()["source.packages"] == "vim"
    assert [b.id for b in builds.everything()] == ["web"]


async def test_a_duplicate_replaces_a_draft_only_after_asking(app: ZwizardApp) -> None:
    a_build("web", 6)
    draft().set("name", "unfinished")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.screen.query_one(BuildRows).go("build:web")
        await press(pilot, "u")
        await until(pilot, lambda: "replaces it" in frame(app))
        await press(pilot, "k")
        assert draft()["name"] == "unfinished"


def a_layer_of(build: Build, step: int) -> Path:
    """A finished layer of a build's step, of 256 MiB by its record."""
    made = make(build.recipe())
    store = requirements.store_of(MACHINE.privilege)
    fingerprint = made.fingerprints()[step - 1]
    layer = Layer(
        fingerprint, made.steps[step - 1].name, True, 2**28, 20.0, 1.79e9, 0.0, boot_id()
    )
    work = store.work("test")
    (work / "tree").mkdir(parents=True)
    store.commit(work, layer)
    return store.path(fingerprint)


async def test_delete_shows_the_space_it_frees_with_and_without_layers(app: ZwizardApp) -> None:
    build, other = a_build("web", 2, system={"timezone": "Europe/Paris"}), a_build("other", 2)
    shared, own = a_layer_of(build, 1), a_layer_of(build, 5)
    assert a_layer_of(other, 1) == shared
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        app.screen.query_one(BuildRows).go("build:web")
        await press(pilot, "d")
        await until(pilot, lambda: "Delete it: frees" in frame(app))
        assert "layers that only it uses: frees 256." in frame(app)
        await press(pilot, "d")
        await until(pilot, lambda: not build.directory.exists())
        assert own.exists()
    assert gc.frees(other, MACHINE.privilege).layers == 2**29  # of both builds now


@pytest.mark.skipif(os.geteuid() != 0, reason="the layers belong to root")
async def test_deleting_layers_keeps_those_that_other_builds_use(app: ZwizardApp) -> None:
    build, other = a_build("web", 2, system={"timezone": "Europe/Paris"}), a_build("other", 2)
    shared, own = a_layer_of(build, 1), a_layer_of(build, 5)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        app.screen.query_one(BuildRows).go("build:web")
        await press(pilot, "d")
        await until(pilot, lambda: "Delete it: frees" in frame(app))
        await press(pilot, "l")
        await until(pilot, lambda: not own.exists())
    assert shared.exists()
    assert not build.directory.exists()
    assert other.directory.exists()


async def test_running_builds_come_first(app: ZwizardApp) -> None:
    running = a_build("jammy", 1)
    a_build("later", 2)
    with Held(running):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            shown = frame(app)
            assert shown.index("● running") < shown.index("■ stopped")


async def test_a_build_whose_archive_passed_a_boot_test_is_tested(app: ZwizardApp) -> None:
    web = a_build("web", 6)
    finish(web, {"ready": True, "findings": []})
    test = web.directory / "boot-tests/web-1"
    test.mkdir(parents=True)
    record = {
        "artefact": str(web.archive()),
        "sha256": sha256_of(web.archive()),
        "bytes": 10,
        "passed": True,
        "at": NOW,
        "seconds": 150,
    }
    (test / "report.json").write_text(json.dumps(record))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "◆ tested" in frame(app)
        (test / "report.json").write_text(json.dumps(record | {"sha256": "cd" * 32}))
        await until(pilot, lambda: "✓ ready" in frame(app))


async def test_an_archive_that_was_changed_is_checked_again_by_a_key(app: ZwizardApp) -> None:
    web = a_build("web", 6)
    finish(web, {"ready": True, "findings": []})
    web.archive().write_bytes(b"something else")
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "! changed" in frame(app))
        assert "r Check again" in frame(app)
        await press(pilot, "enter")
        on(app, CheckScreen)
        await until(pilot, lambda: "Check it again" in frame(app))
        assert "! changed" in frame(app)
        assert "READY" not in frame(app)
        await press(pilot, "escape", "r")
        await until(pilot, lambda: "not readable" in frame(app))  # of another kind


async def test_a_build_whose_archive_is_missing_can_be_resumed(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
    web = a_build("web", 6)
    finish(web, {"ready": True, "findings": []})
    web.archive().unlink()
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "! missing" in frame(app))
        await press(pilot, "r")
        await until(pilot, lambda: started == [web])


async def test_a_build_is_resumed_over_a_file_of_others_only_after_a_yes(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
    web = a_build("web", 2)
    web.archive().write_text("precious")
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "r")
        await until(pilot, lambda: "Replace what is there?" in frame(app))
        await press(pilot, "k")
        assert started == []
        await press(pilot, "r", "r")
        await until(pilot, lambda: started == [web])
