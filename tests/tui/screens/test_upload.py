"""The upload screen: from the checklist to the address of the flist."""

from __future__ import annotations

import pytest

from tests.hub.hub import Hub
from tests.hub.samples import SAMPLE
from tests.tui.conftest import a_build, finding, finish, frame, press, until
from zwizard.checks import Mode
from zwizard.engine.builds import Build
from zwizard.hub import session
from zwizard.hub.session import CheckedArchive
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.upload import UploadScreen
from zwizard.util.hashing import sha256_of

pytestmark = pytest.mark.slow


@pytest.fixture
def build(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("ZWIZARD_HUB", hub.url)
    monkeypatch.setenv("ZWIZARD_HUB_TOKEN", hub.token)
    build = a_build("web", done=3)
    report = {"ready": True, "mode": "vm", "findings": [finding("archive-name")]}
    finish(build, report, SAMPLE)
    archive = build.archive()
    ready = CheckedArchive(archive, sha256_of(archive), ready=True, errors=0, mode=Mode.VM)
    monkeypatch.setattr(session, "check", lambda path: ready)  # the sample is no whole VM
    return build


async def test_the_checklist_leads_to_an_upload_and_to_its_address(
    app: ZwizardApp, hub: Hub, build: Build
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(build)
        await until(pilot, lambda: "u Upload" in frame(app))
        await press(pilot, "u")
        await until(pilot, lambda: "is public" in frame(app))
        await press(pilot, "u")
        await until(pilot, lambda: "◆ uploaded" in frame(app))
        assert hub.url in frame(app)
        assert hub.store.names(hub.user) == ["web.flist"]
        assert isinstance(app.screen, UploadScreen)


async def test_nothing_is_sent_that_was_not_asked_for(
    app: ZwizardApp, hub: Hub, build: Build
) -> None:
    hub.store.publish(hub.user, "web", b"older")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_upload(build.archive())
        await until(pilot, lambda: "Replace this flist?" in frame(app))
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, UploadScreen))
        assert (hub.uploads, hub.flist("web")) == ([], b"older")


async def test_a_token_is_typed_without_being_shown(
    app: ZwizardApp, hub: Hub, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZWIZARD_HUB_TOKEN")
    monkeypatch.delenv("ZFLIST_HUB_TOKEN", raising=False)
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_upload(build.archive())
        await until(pilot, lambda: "Token of the hub" in frame(app))
        await press(pilot, *"wrong.token")
        assert "wrong.token" not in frame(app)
        await press(pilot, "enter")
        await until(pilot, lambda: "itsyou.online" in frame(app))
