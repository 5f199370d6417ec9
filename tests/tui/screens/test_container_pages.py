"""The pages of containers: problems of a file are shown at its field."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.support.archives import system
from tests.tui.conftest import draft, frame, on, open_page, press, settle, until
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.files import AskPath
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.widgets.field import Field, field_id


def shown(app: ZwizardApp) -> str:
    return " ".join(frame(app).split())


def problem_of(app: ZwizardApp, key: str) -> str:
    return str(app.screen.query_one(f"#{field_id(key)} .problem", Static).render())


def problem_of_the_file(app: ZwizardApp) -> str:
    return problem_of(app, "source.location")


def go_to(app: ZwizardApp, key: str) -> None:
    app.screen.query_one(f"#{field_id(key)}", Field).control.focus()


async def open_container(pilot: Pilot[None], kind: str) -> None:
    """Show the page of the source of a container of this kind."""
    draft().set("target", "container")
    draft().set("source.kind", kind)
    await open_page(pilot, "source")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fits", "other"),
    [
        ("binary", "server", "notes.txt"),
        ("rootfs", "tree.tar.zst", "server"),
        ("oci", "web.tar", "notes.txt"),
    ],
)
async def test_the_list_shows_only_files_of_the_chosen_kind(
    app: ZwizardApp, kind: str, fits: str, other: str
) -> None:
    directory = Path.cwd() / "files"
    directory.mkdir()
    for name in ("notes.txt", "server", "tree.tar.zst", "web.tar"):
        (directory / name).write_text("")
    (directory / "server").chmod(0o755)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_container(pilot, kind)
        go_to(app, "source.location")
        await settle(pilot)
        assert "F4 List" in frame(app)
        await press(pilot, "f4")
        on(app, AskPath)
        await press(pilot, "down", "enter")
        assert fits in frame(app)
        assert other not in frame(app)
        await press(pilot, *fits, "enter")
        await until(pilot, lambda: draft().get("source.location") == f"files/{fits}")
        assert fits in frame(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 18)], ids=["80x24", "60x18"])
@pytest.mark.slow
@pytest.mark.painted
async def test_a_static_program_becomes_a_container_with_the_keyboard_only(
    app: ZwizardApp, size: tuple[int, int]
) -> None:
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("needs busybox-static")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "n", "down", "f3")
        app.screen.query_one(f"#{field_id('source.kind')}", Field).control.focus()
        while draft().get("source.kind") != "binary":
            await press(pilot, "down")
        go_to(app, "source.location")
        await press(pilot, *"/bin/ls", "tab")
        await until(pilot, lambda: "/lib64/ld-linux-x86-64.so.2" in problem_of_the_file(app))
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "source"
        await press(pilot, "home", *(["delete"] * 7), *busybox, "f3")
        assert on(app, PageScreen).page == "container"
        await press(pilot, *"/bin/httpd", "tab", *"-f")
        go_to(app, "container.env")
        await press(pilot, *"DB_PASSWORD=x")
        assert "DB_PASSWORD without its value" in shown(app)
        await press(pilot, "backspace", "f3", "f3")
        on(app, ReviewScreen)
        await until(pilot, lambda: "program" in frame(app))
        assert draft()["container.env"] == "DB_PASSWORD="
        assert "busybox.tar.gz" in shown(app)


@pytest.mark.slow
@pytest.mark.painted
async def test_a_missing_file_stays_reported_at_the_field_until_it_changes(
    app: ZwizardApp,
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await open_container(pilot, "oci")
        go_to(app, "source.location")
        await press(pilot, *"/no.tar")
        assert "No such file" not in problem_of_the_file(app)  # the user may type on
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "source"
        await until(pilot, lambda: "No such file" in problem_of_the_file(app))
        await press(pilot, "x")
        assert "No such file" not in problem_of_the_file(app)


@pytest.mark.slow
@pytest.mark.painted
async def test_a_file_that_is_not_a_container_image_is_reported(
    app: ZwizardApp, tmp_path: Path
) -> None:
    file = tmp_path / "image.tar"
    file.write_text("not an image")
    async with app.run_test(size=(120, 40)) as pilot:
        await open_container(pilot, "oci")
        go_to(app, "source.location")
        await press(pilot, *str(file), "tab")
        await until(pilot, lambda: "neither an OCI image" in problem_of_the_file(app))
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "source"


@pytest.mark.slow
@pytest.mark.painted
async def test_a_missing_entrypoint_is_reported_at_its_field(
    app: ZwizardApp, tmp_path: Path
) -> None:
    file_ = tmp_path / "rootfs.tar"
    file_.write_bytes(system())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_container(pilot, "rootfs")
        go_to(app, "source.location")
        await press(pilot, *str(file_), "tab")
        await until(pilot, lambda: "Debian" in problem_of(app, "source.location"))
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "container"
        await press(pilot, *"/nope")
        assert "not exist" not in problem_of(app, "container.entrypoint")  # the user may type on
        await press(pilot, "tab")
        await until(
            pilot, lambda: "/nope does not exist" in problem_of(app, "container.entrypoint")
        )
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "container"
        go_to(app, "container.entrypoint")
        await press(pilot, "home", *(["delete"] * 5), *"/usr/bin/bash", "tab")
        await until(
            pilot, lambda: "Found: /usr/bin/bash" in problem_of(app, "container.entrypoint")
        )
