"""The pages that only disk images have."""

from __future__ import annotations

import pytest

from tests.tui.conftest import draft, frame, on, open_page, press, settle
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.widgets.field import Field, field_id
from zwizard.util import paths
from zwizard.wizard.draft import Draft

pytestmark = pytest.mark.slow


def set_draft(**values: str) -> None:
    """Save these answers as the draft; ``__`` in a key stands for a dot."""
    saved = Draft.open(paths.draft())
    for key, text in values.items():
        saved.set(key.replace("__", "."), text)


@pytest.mark.painted
async def test_a_disk_image_has_the_pages_disk_and_grub(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "down", "down")
        assert draft()["target"] == "image"
        row = frame(app).splitlines()[0]
        assert "○ Disk ○ GRUB ○ System ○ Output ○ Review" in row
        visited = []
        for _ in range(7):
            visited.append(on(app, PageScreen).page)
            await press(pilot, "f3")
        assert visited == ["target", "source", "kernel", "disk", "grub", "system", "output"]
        on(app, ReviewScreen)
        shown = frame(app)
        assert "debian-image.tar.gz · image · Debian bookworm" in shown
        assert "disk" in shown


async def test_the_partition_bar_follows_the_answers_and_is_hidden_for_wrong_ones(
    app: ZwizardApp,
) -> None:
    set_draft(target="image")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "disk")
        before = frame(app)
        assert "▓ root 1.9 GiB, ext4, cloud-root" in before
        await press(pilot, *"4GiB")
        after = frame(app)
        assert "▓ root 3.9 GiB" in after
        assert after.count("▓") > before.count("▓")
        await press(pilot, "home", "9")
        rejected = frame(app)
        assert "at most the rented disk" in " ".join(rejected.split())
        assert "▓" not in rejected
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "disk"


async def test_a_disk_that_is_too_small_is_reported_with_the_size_while_typing(
    app: ZwizardApp,
) -> None:
    set_draft(target="image")
    async with app.run_test(size=(120, 40)) as pilot:
        await open_page(pilot, "disk")
        await press(pilot, *"700MiB")
        shown = frame(app)
        assert "! disk.size" in shown
        assert "598" in shown  # MiB are left for the root


async def test_the_grub_page_previews_the_configuration(app: ZwizardApp) -> None:
    set_draft(target="image", grub__cmdline="console=ttyS0 debug")
    async with app.run_test(size=(120, 40)) as pilot:
        await open_page(pilot, "grub")
        assert 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0 debug"' in frame(app)


async def test_a_cloud_image_needs_a_location_that_exists(app: ZwizardApp) -> None:
    set_draft(target="image")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        await press(pilot, "down")
        assert draft()["source.kind"] == "cloud-image"
        assert "○ Disk" not in frame(app)
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "source"  # the location is missing
        assert "✗ Required." in " ".join(frame(app).split())
        app.screen.query_one(f"#{field_id('source.location')}", Field).control.focus()
        await press(pilot, *"x.qcow2", "f3")
        assert on(app, PageScreen).page == "source"  # the file does not exist
        assert "No such file" in " ".join(frame(app).split())
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "output"
