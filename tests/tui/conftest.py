"""The app with its own builds and draft, at a fixed time, on a host that never changes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from rich.console import Console
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

from tests.support.builds import deliver
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.host.privileges import Privilege
from zwizard.jobs import events, journal, lock
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.tui import background
from zwizard.tui.app import ZwizardApp
from zwizard.tui.navigation import Navigation
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard.draft import Draft
from zwizard.wizard.review import HostState
from zwizard.wizard.suggestion_service import Fetch, SuggestionService
from zwizard.wizard.suggestions import PackageCatalogue

NOW = 1_800_000_000.0
MACHINE = HostState(Privilege("root", "root"), "Debian 12")
HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]not[/] [@click=app.quit]markup[/] \u202eabc"
SHOWN = "[red]not[/] [@click=app.quit]markup[/]"  # of HOSTILE, on the screen, literally


def offline(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
    """Fail as an offline machine does: no test uses the internet."""
    raise ZwizardError("this machine is offline")


def a_list(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
    """The packages of a small archive, read three hours ago."""
    packages = {
        "htop": "3.2.2-2\tinteractive processes viewer",
        "httpie": "3.2.1-1\tCLI, cURL-like tool for humans",
        "linux-image-6.1.0-50-cloud-amd64": "6.1.176-1\tLinux 6.1 for x86-64 cloud",
        "linux-image-amd64": "6.1.176-1\tLinux for 64-bit PCs (meta-package)",
        "linux-image-cloud-amd64": "6.1.176-1\tLinux for x86-64 cloud (meta-package)",
        "mail-transport-agent": "\t",
        "nginx": "1.22.1-9\tsmall, powerful, scalable web/proxy server",
        "vim": "2:9.0.1378-2\tVi IMproved - enhanced vi editor",
        "vim-nox": "2:9.0.1378-2\tVi IMproved - with scripting languages",
    }
    return PackageCatalogue(
        suite, NOW - 3 * 3600, tuple(f"{n}\t{rest}" for n, rest in packages.items())
    )


_parse_rules = Stylesheet._parse_rules
_parsed: dict[object, list[RuleSet]] = {}


def _parse_once(stylesheet: Stylesheet, *source: object, **more: object) -> list[RuleSet]:
    """The rules of one source, parsed once for all apps of this process."""
    key = (source, *more.items(), *stylesheet._variables.items())
    if key not in _parsed:
        _parsed[key] = _parse_rules(stylesheet, *source, **more)  # type: ignore[arg-type]
    return _parsed[key]


_paint = Screen._compositor_refresh


def _paint_later(screen: Screen[object]) -> None:
    """Paint nothing on the screen on top: :func:`frame` paints all of it."""
    if screen is not screen.app.screen:
        _paint(screen)
        return
    screen._compositor._dirty_regions.clear()
    screen._dirty_widgets.clear()
    screen.app._update_mouse_over(screen)


async def _give_way(*_: float) -> None:
    """Let posted messages arrive; :func:`settle` waits for their results."""
    for _turn in range(5):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for messages instead of time; paint only what is looked at, unless "painted" asks."""
    if not request.node.get_closest_marker("painted"):
        monkeypatch.setattr(Screen, "_compositor_refresh", _paint_later)
    monkeypatch.setattr(Stylesheet, "_parse_rules", _parse_once)
    monkeypatch.setattr("textual.app.wait_for_idle", _give_way)
    monkeypatch.setattr("textual.pilot.wait_for_idle", _give_way)
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 0.2)  # settle() paints
    monkeypatch.setattr("zwizard.tui.screens.build._EVERY", 0.05)
    monkeypatch.setattr("zwizard.tui.screens.boot_test._EVERY", 0.05)
    monkeypatch.setattr("zwizard.tui.screens.home._EVERY", 0.1)
    monkeypatch.setattr("zwizard.tui.screens.picker._EVERY", 0.05)
    monkeypatch.setattr("zwizard.tui.widgets.log_view._TICK", 0.02)


MakeApp = Callable[..., ZwizardApp]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state, cache and working directory of its own for each test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TERM", "xterm-256color")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def make_app(monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    def made(
        recipe: Path | None = None, machine: HostState = MACHINE, fetch: Fetch = offline
    ) -> ZwizardApp:
        service = SuggestionService(fetch, clock=lambda: NOW)
        app = ZwizardApp(
            recipe, clock=lambda: NOW, inspect=lambda: machine, suggestion_service=service
        )
        app.animation_level = "none"
        monkeypatch.setattr(app, "NOTIFICATION_TIMEOUT", 600)  # however slow this machine is
        return app

    return made


@pytest.fixture
def app(make_app: MakeApp) -> ZwizardApp:
    return make_app()


S = TypeVar("S")


def on(app: ZwizardApp, kind: type[S]) -> S:
    """The screen that is shown, which must be of this kind."""
    screen: object = app.screen
    assert isinstance(screen, kind), screen
    return screen


def frame(app: ZwizardApp) -> str:
    """What is on the screen, as text."""
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    below = app._background_screens
    console.print(app.screen._compositor.render_update(full=True, screen_stack=below))
    return console.export_text().replace("\u00a0", " ")


def notes(app: ZwizardApp) -> list[str]:
    """The notifications so far."""
    return [note.message for note in app._notifications]


async def settle(pilot: Pilot[None]) -> None:
    """Wait until all messages are handled, no thread is at work, and the screen is painted."""
    async with asyncio.timeout(60):
        await handled(pilot)
        while _working():
            while _working():
                await asyncio.sleep(0.002)
            await handled(pilot)


async def handled(pilot: Pilot[None]) -> None:
    """Wait until all messages are handled and the screen is painted."""
    loop: Any = asyncio.get_running_loop()
    quiet = False
    while not quiet:
        await asyncio.sleep(0 if loop._ready else 0.001)
        if loop._ready:  # other tasks can go on
            continue
        await pilot.app._animator.wait_until_complete()
        pilot.app.screen._on_timer_update()
        quiet = not loop._ready and _is_quiet(pilot.app)


def _working() -> bool:
    return any(thread.name == background.NAME for thread in threading.enumerate())


def _is_quiet(app: App[None]) -> bool:
    """Whether no message waits anywhere, and nothing has to be painted."""
    shown: Any = app.screen
    pumps: tuple[Any, ...] = (app, *app.screen_stack, *shown.walk_children())
    to_do = [app._resize_event, shown._callbacks, shown._dirty_widgets, shown._layout_required]
    to_do += [shown._scroll_required, shown._repaint_required]
    to_do += [pump._next_callbacks or pump._message_queue.qsize() for pump in pumps]
    return not any(to_do)


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    """Wait for something that happens a little later."""
    async with asyncio.timeout(60):
        await settle(pilot)
        while not true():
            await asyncio.sleep(0.02)
            await settle(pilot)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, one after the other; what is typed into a field comes at once."""
    for key in keys:
        await pilot.app._press_keys([key])
        if len(key) > 1 or not isinstance(pilot.app.focused, Input | TextArea):
            await settle(pilot)
    await settle(pilot)


async def open_page(pilot: Pilot[None], page: str) -> None:
    """Show a page of the draft, or its review."""
    app = pilot.app
    assert isinstance(app, ZwizardApp)
    app.show_page(Navigation(app.draft()), page)
    await settle(pilot)


def draft() -> Draft:
    return Draft.open(paths.draft())


def recipe(name: str = "debian-vm", **sections: Any) -> Recipe:
    return Recipe.from_dict({"name": name, "target": "vm", **sections})


def a_build(
    name: str = "debian-vm",
    done: int = 0,
    *,
    logs: dict[int, bytes] | None = None,
    **sections: Any,
) -> Build:
    """A real build directory whose journal says that ``done`` steps are finished."""
    made = recipe(name, **sections)
    build = builds.open_for(made, Path.cwd())
    steps = make(made).steps
    journal.append(
        build.journal,
        events.BuildStarted(steps=[{"name": step.name, "title": step.title} for step in steps]),
    )
    for number, step in enumerate(steps[: done + 1], 1):
        log = build.step_log(number, step.name)
        log.write_bytes((logs or {}).get(number, f"log of {step.name}\n".encode()))
        journal.append(build.journal, events.StepStarted(step=step.name, log=str(log)))
        if number <= done:
            journal.append(
                build.journal, events.StepFinished(step=step.name, seconds=38.0, bytes=2**20)
            )
    return build


def fail(build: Build, step: str, **facts: Any) -> None:
    """The running step of ``build`` fails."""
    journal.append(build.journal, events.StepFailed(step=step, seconds=3.0))
    journal.append(build.journal, events.BuildFailed(**facts))


def finish(build: Build, report: dict[str, Any], archive: bytes = b"archive") -> None:
    """``build`` ends with an archive and its report."""
    journal.append(build.journal, events.StepFinished(step="pack", seconds=9.0, bytes=1))
    path, sha256 = build.archive(), deliver(build, archive)
    report = {"artefact": str(path), "mode": "vm", **report}
    build.report_file.write_text(json.dumps({"basis": [], "sha256": sha256, "report": report}))
    journal.append(
        build.journal,
        events.BuildFinished(
            build=build.id,
            archive=str(path),
            sha256=sha256,
            bytes=180_000_000,
            ready=report["ready"],
            blocks=sum(
                f["severity"] == "must" and f["outcome"] == "fail" for f in report["findings"]
            ),
        ),
    )


def finding(
    rule: str, severity: str = "must", outcome: str = "pass", **fields: str
) -> dict[str, Any]:
    texts = {"evidence": f"seen {rule}", "source": f"because {rule}", "fix": f"repair {rule}"}
    return {"rule": rule, "severity": severity, "outcome": outcome, **texts, **fields}


class Held:
    """Holds the lock of a build, as its supervisor does."""

    def __init__(self, build: Build) -> None:
        descriptor = lock.acquire(build.lock)
        assert descriptor is not None
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
