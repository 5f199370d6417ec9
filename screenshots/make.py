"""Pictures of the real app, as SVG: ``python screenshots/make.py [DIRECTORY]``.

The states are those of two real builds, kept beside this file in ``builds/`` (recipe, journal,
logs, report; only paths and mirrors in them are rewritten). What differs between machines (clock,
free space, tools) is fixed, so that the same program makes the same pictures.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZE = (100, 30)
HOME = "/home/ada"


async def main(target: Path) -> None:
    """Make every picture, as on a terminal with all colours."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    for name, scene in (
        ("home", home),
        ("source", source),
        ("disk", disk),
        ("container", container),
        ("review", review),
        ("build", build),
        ("failure", failure),
        ("checklist", checklist),
    ):
        with tempfile.TemporaryDirectory() as place:
            os.environ["XDG_STATE_HOME"] = f"{place}/state"
            os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
            picture = await scene()
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.svg").write_text(offline(picture), "utf-8")
        print(f"{name}.svg")


# --- scenes --------------------------------------------------------------------------------------


async def home() -> str:
    """A build that is ready, one that failed, one at work, and answers begun."""
    from zwizard.util import paths
    from zwizard.wizard.draft import Draft

    ready = kept("debian-vm")
    failed = kept("web")
    running = kept("debian-vm", "trixie", until=("step-finished", "packages"))
    rewrite(running, '"bookworm"', '"trixie"')
    Draft.open(paths.draft()).set("name", "database")
    now = last(ready) + 3 * 3600
    shift(failed, now - 26 * 3600)
    shift(running, now - 40)
    with held(running):
        async with shown(now) as (app, pilot):
            await settle(pilot)
            return app.export_screenshot(title="zwizard")


async def source() -> str:
    """A page of questions."""
    async with shown(0) as (app, pilot):
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("f3", "tab", "tab", "tab")
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


async def disk() -> str:
    """How a disk image is divided, drawn to scale."""
    from zwizard.util import paths
    from zwizard.wizard.draft import Draft

    answers = Draft.open(paths.draft())
    answers.set("target", "image")
    answers.set("disk.size", "3GiB")
    async with shown(0) as (app, pilot):
        await settle(pilot)
        await pilot.press("n", "c", "alt+4")
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


async def container() -> str:
    """What a container starts, and what a deployment gives it."""
    from zwizard.util import paths
    from zwizard.wizard.draft import Draft

    answers = Draft.open(paths.draft())
    answers.set("target", "container")
    answers.set("container.entrypoint", "/usr/sbin/nginx")
    answers.set("container.args", "-g\ndaemon off;")
    answers.set("container.env", "LOG_LEVEL=info\nTOKEN=")
    async with shown(0) as (app, pilot):
        await settle(pilot)
        await pilot.press("n", "c", "alt+3")
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


async def review() -> str:
    """An answer changed after a build: what is still good, what will run, and why."""
    from zwizard.util import paths
    from zwizard.wizard.draft import Draft
    from zwizard.wizard.questions import from_recipe

    built = kept("debian-vm")
    recipe = built.recipe()
    layers(recipe, built)
    answers = Draft.open(paths.draft())
    answers.load(recipe)
    answers.set("system.timezone", "Europe/Brussels")
    assert from_recipe(recipe)
    async with shown(last(built) + 2 * 86400) as (app, pilot):
        await settle(pilot)
        app.continue_draft()  # type: ignore[attr-defined]
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


async def build() -> str:
    """A build at work."""
    running = kept("debian-vm", until=("step-started", "packages"))
    log = running.step_log(2, "packages")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    for later in sorted((running.directory / "logs").glob("0[3-9]*")):
        later.unlink()
    now = last(running) + 21
    os.utime(log, (now - 1, now - 1))
    running.report_file.unlink()
    with held(running):
        async with shown(now) as (app, pilot):
            app.show_build(running)  # type: ignore[attr-defined]
            await settle(pilot)
            return app.export_screenshot(title="zwizard")


async def failure() -> str:
    """A build that failed."""
    failed = kept("web")
    async with shown(last(failed) + 5) as (app, pilot):
        app.show_build(failed)  # type: ignore[attr-defined]
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


async def checklist() -> str:
    """The report of a finished build, what holds opened."""
    ready = kept("debian-vm")
    async with shown(last(ready)) as (app, pilot):
        app.show_check(ready)  # type: ignore[attr-defined]
        await settle(pilot)
        from zwizard.tui.widgets.stable_list import StableList

        app.screen.query_one(StableList).go("group:holds")
        await pilot.press("enter", "down", "down", "down")
        await settle(pilot)
        return app.export_screenshot(title="zwizard")


# --- the app -------------------------------------------------------------------------------------


@asynccontextmanager
async def shown(now: float) -> AsyncIterator[tuple[Any, Any]]:
    """The app, on a machine that is always the same."""
    from zwizard.engine import requirements, verdicts
    from zwizard.host import tools
    from zwizard.host.privileges import Privilege
    from zwizard.tui.app import ZwizardApp
    from zwizard.util import places
    from zwizard.util.user_files import UserFiles
    from zwizard.wizard.review import HostState
    from zwizard.wizard.suggestion_service import SuggestionService
    from zwizard.wizard.suggestions import PackageCatalogue

    places.free_space = lambda _: 65 * 2**30
    UserFiles.state = lambda *_: "same"  # type: ignore[method-assign] - the archive is ada's
    verdicts.verified = lambda build: verdicts.kept(build).report
    requirements._place_problem = lambda *_: []  # noqa: SLF001 - nobody is ada
    tools.find = lambda name: f"/usr/bin/{name}"
    host = HostState(
        Privilege("userns", "You, in a user namespace: no sudo is needed."), "Debian 12"
    )
    service = SuggestionService(
        lambda _, suite, __: PackageCatalogue(suite, now, ()), clock=lambda: now
    )
    app = ZwizardApp(clock=lambda: now, inspect=lambda: host, suggestion_service=service)
    app.animation_level = "none"
    async with app.run_test(size=SIZE) as pilot:
        yield app, pilot


async def settle(pilot: Any) -> None:
    """Wait until nothing moves any more."""
    for _ in range(3):
        await pilot.pause()
        while any(not w.is_finished and w.group != "default" for w in pilot.app.workers):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)


def offline(svg: str) -> str:
    """Without the fonts that would be fetched from the network."""
    return re.sub(r"\s*@font-face\s*{.*?}", "", svg, flags=re.DOTALL)


# --- the kept builds -----------------------------------------------------------------------------


def kept(name: str, as_: str = "", until: tuple[str, str] | None = None) -> Any:
    """A kept build in this state directory, up to (and with) the event ``until``."""
    from zwizard.engine import builds
    from zwizard.util import state_files

    place = builds.directory() / (as_ or name)
    shutil.copytree(HERE / "builds" / name, place)
    found = builds.Build(place)
    state_files.write(found.recipe_file, found.recipe_file.read_text("utf-8"))
    if until:
        events = [json.loads(line) for line in found.journal.read_text("utf-8").splitlines()]
        end = next(i for i, e in enumerate(events) if (e["event"], e.get("step")) == until)
        following = 2 if until[0] == "step-finished" else 1
        write(found, events[: end + following])
    os.utime(found.journal, (last(found), last(found)))
    return found


def write(build: Any, events: list[dict[str, Any]]) -> None:
    """Give ``build`` this journal."""
    lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    build.journal.write_text(lines, "utf-8")


def last(build: Any) -> float:
    """When something last happened to it."""
    return float(json.loads(build.journal.read_text("utf-8").splitlines()[-1])["at"])


def shift(build: Any, to: float) -> None:
    """Let its last event have happened at ``to``."""
    by = to - last(build)
    events = [json.loads(line) for line in build.journal.read_text("utf-8").splitlines()]
    write(build, [{**event, "at": event["at"] + by} for event in events])
    os.utime(build.journal, (to, to))


def rewrite(build: Any, old: str, new: str) -> None:
    """Another word in its recipe."""
    from zwizard.util import state_files

    text = state_files.read(build.recipe_file, "")
    state_files.write(build.recipe_file, text.replace(old, new))


class held:  # noqa: N801 - reads as a verb
    """Hold a build's lock as its runner does."""

    def __init__(self, build: Any) -> None:
        self._descriptor = os.open(build.lock, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __enter__(self) -> None:
        """It is held already."""

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def layers(recipe: Any, build: Any) -> None:
    """The layers that ``build`` left, as far as a review looks at them."""
    from zwizard.engine import requirements
    from zwizard.engine.layers import Layer, boot_id
    from zwizard.host.privileges import Privilege
    from zwizard.plan.targets import make

    store = requirements.store_of(Privilege("userns", ""))
    events = [json.loads(line) for line in build.journal.read_text("utf-8").splitlines()]
    made = make(recipe)
    below = 0.0
    for step, print_ in zip(made.steps, made.fingerprints(), strict=True):
        done = next(e for e in events if e["event"] == "step-finished" and e["step"] == step.name)
        work = store.work("picture")
        (work / "tree").mkdir(parents=True)
        facts = done["bytes"], done["seconds"], done["at"], below, boot_id()
        store.commit(work, Layer(print_, step.name, False, *facts))
        below = done["at"]


# --- keeping a build -----------------------------------------------------------------------------


def keep(directory: Path) -> None:
    """Keep a real build for the pictures: its last whole run, without this machine's names."""
    place = HERE / "builds" / directory.name
    shutil.rmtree(place, ignore_errors=True)
    (place / "logs").mkdir(parents=True)
    output = re.search(
        r'^directory = "(.*)"', (directory / "recipe.toml").read_text(), re.MULTILINE
    )
    assert output
    kept = f"{HOME}/.local/state/zwizard/builds/{directory.name}"

    def tidy(text: str) -> str:
        text = text.replace(str(directory), kept).replace(output[1], HOME)
        return re.sub(r"(https?://)[a-z0-9.-]+(?=/debian)", r"\1mirror.example", text)

    for name in ("recipe.toml", "report.json"):
        if (directory / name).exists():
            (place / name).write_text(tidy((directory / name).read_text("utf-8")), "utf-8")
    for log in (directory / "logs").iterdir():
        (place / "logs" / log.name).write_text(tidy(log.read_text("utf-8")), "utf-8")
    events = (directory / "journal.jsonl").read_text("utf-8").splitlines()
    begun = max(i for i, line in enumerate(events) if '"build-started"' in line)
    text = "".join(f"{line}\n" for line in events[begun:])
    (place / "journal.jsonl").write_text(tidy(text), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--keep"]:
        keep(Path(sys.argv[2]))
    else:
        asyncio.run(main(Path(sys.argv[1]) if sys.argv[1:] else HERE))
