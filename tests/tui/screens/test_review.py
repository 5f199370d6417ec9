"""The review screen: what a build would run, what prevents it, and its actions."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.conftest import (
    MACHINE,
    MakeApp,
    a_build,
    a_list,
    draft,
    finish,
    frame,
    notes,
    on,
    open_page,
    press,
    settle,
    until,
)
from zwizard.engine import builds, requirements
from zwizard.engine.builds import Build
from zwizard.engine.layers import Layer, boot_id
from zwizard.host import tools
from zwizard.host.privileges import Privilege
from zwizard.jobs import supervisor
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.tui.app import ZwizardApp
from zwizard.tui.navigation import REVIEW
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.widgets.stable_list import StableList
from zwizard.util import paths, user_files
from zwizard.util.errors import ZwizardError
from zwizard.wizard import questions
from zwizard.wizard.questions import to_recipe
from zwizard.wizard.review import HostState

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def all_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tool is installed, whatever this machine has."""
    monkeypatch.setattr(tools, "find", lambda name: f"/usr/bin/{name}")


def a_layer(number: int, answers: dict[str, str] | None = None) -> None:
    """Commit a layer for step ``number`` of the plan of these answers."""
    made = make(to_recipe(answers or {}))
    store = requirements.store_of(MACHINE.privilege)
    fingerprint = made.fingerprints()[number - 1]
    layer = Layer(
        fingerprint, made.steps[number - 1].name, True, 2**28, 20.0, 1.79e9, 0.0, boot_id()
    )
    work = store.work("test")
    (work / "tree").mkdir(parents=True)
    store.commit(work, layer)


async def to_review(app: ZwizardApp, pilot: Pilot[None]) -> None:
    draft().set("target", "vm")
    await open_page(pilot, REVIEW)
    on(app, ReviewScreen)


async def test_each_step_says_whether_it_will_run_and_why(app: ZwizardApp) -> None:
    a_layer(1)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        shown = frame(app)
        assert "Nothing has run yet" in shown
        assert "1 bootstrap      ✓ cached          256.0 MiB  built 4 months ago" in shown
        assert "2 packages       ● will run       ~300.0 MiB  not built yet" in shown
        assert 'depends on "packages"' in shown
        assert "root" in shown
        assert "Output " in shown


async def test_a_changed_answer_is_the_reason(app: ZwizardApp) -> None:
    builds.open_for(Recipe(), Path.cwd())
    a_layer(1)
    a_layer(2)
    draft().set("kernel.modules", "virtiofs virtio_pci virtio_gpu")
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "Modules in the initramfs: virtiofs" in frame(app)
        on(app, ReviewScreen).query_one(StableList).go("step:initramfs")
        await press(pilot, "enter")
        assert "virtiofs virtio_pci → virtiofs virtio_pci virtio_gpu" in frame(app)


async def test_enter_shows_every_command_and_the_guides(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "enter")
        shown = frame(app)
        assert "mmdebstrap --mode=root" in shown
        assert "sudo debootstrap jammy" in shown
        assert "basic rootfs" in shown
        await press(pilot, "escape")
        on(app, ReviewScreen)


async def test_problems_are_listed_first_and_open_their_question(app: ZwizardApp) -> None:
    draft().set("system.timezone", "no where")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        assert "cannot be built yet" in frame(app)
        assert "✗ Time zone" in frame(app)
        await press(pilot, "enter")
        page = on(app, PageScreen)
        focused = page.focused_field()
        assert page.page == "system"
        assert focused is not None
        assert focused.question.key == "system.timezone"


async def test_a_missing_tool_is_named_with_its_install_command(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tools, "find", lambda name: None if name == "mmdebstrap" else f"/usr/bin/{name}"
    )
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "missing on this machine: mmdebstrap" in frame(app)
        assert "install --yes mmdebstrap" in frame(app)
        assert "F6 Install tools" in frame(app)
        await press(pilot, "f5")
        await until(pilot, lambda: any("cannot start" in note for note in notes(app)))
        on(app, ReviewScreen)
        assert builds.everything() == []


async def test_without_privilege_the_remedy_is_shown(make_app: MakeApp) -> None:
    host = HostState(Privilege("none", "Nothing here gives the right", "apt-get it"), "Debian")
    app = make_app(machine=host)
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "✗ Nothing here gives the right" in frame(app)
        assert "apt-get it" in frame(app)


@pytest.mark.parametrize(("key", "name"), [("s", "debian-vm.toml"), ("x", "debian-vm.sh")])
async def test_a_file_of_others_is_replaced_only_after_a_second_enter(
    app: ZwizardApp, key: str, name: str
) -> None:
    file, target = Path(name), Path("target")
    target.write_text("precious")
    file.symlink_to("target")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, key, "enter")
        assert file.is_symlink()
        assert "which zwizard did not make" in frame(app)
        await press(pilot, "enter")
        await until(pilot, lambda: not file.is_symlink())
        assert target.read_text() == "precious"


async def test_f7_saves_the_recipe_as_on_the_pages(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f7", "enter")
        await until(pilot, lambda: Path("debian-vm.toml").exists())
        assert Recipe.load(Path("debian-vm.toml")) == to_recipe(draft())


async def test_the_plan_is_exported_as_a_script(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "x", "enter")
        await until(pilot, lambda: Path("debian-vm.sh").exists())
        assert Path("debian-vm.sh").read_text().startswith("#!/bin/bash")


async def test_all_commands_are_copied_and_saved_to_a_file(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: (paths.state() / "copied.txt").exists())
        await until(pilot, lambda: any("OSC 52" in note for note in notes(app)))
        assert "mmdebstrap --mode=root" in app.clipboard
        assert (paths.state() / "copied.txt").read_text() == app.clipboard
        assert any("copied.txt" in note for note in notes(app))
        await press(pilot, "enter", "y")
        await until(pilot, lambda: app.clipboard.startswith("on_tree mmdebstrap"))


async def test_a_doubtful_answer_is_listed_opens_its_question_and_does_not_prevent_the_build(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
    app = make_app(fetch=a_list)
    draft().set("source.packages", "htpo")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "alt+2", "alt+6")
        assert "! More packages: 'htpo' is not in bookworm." in frame(app)
        await press(pilot, "home", "enter")
        focused = on(app, PageScreen).focused_field()
        assert focused is not None
        assert focused.question.key == "source.packages"
        await press(pilot, "alt+6", "f5")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert started


async def test_an_unsuitable_file_is_reported_once(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "app").write_text("hello\n")
    draft().set("target", "container")
    draft().set("source.kind", "binary")
    draft().set("source.location", str(tmp_path / "app"))
    draft().set(questions.HERE, "review")
    app = make_app()
    async with app.run_test(size=(160, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        on(app, ReviewScreen)
        await until(pilot, lambda: "it is a text file, and no program" in frame(app))
        assert frame(app).count("it is a text file") == 1


async def test_a_draft_opened_at_the_review_is_checked_for_doubtful_answers(
    make_app: MakeApp,
) -> None:
    draft().set("source.packages", "htpo")
    draft().set(questions.HERE, "review")
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        on(app, ReviewScreen)
        await until(pilot, lambda: "! More packages: 'htpo' is not in bookworm." in frame(app))


async def test_rebuild_all_is_offered_when_steps_are_cached(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(supervisor, "start", lambda _, *options: started.append(options))
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        assert "F9 Rebuild all" not in frame(app)  # no step is cached
        a_layer(1, dict(draft()))
        await press(pilot, "alt+5", "alt+6")
        assert "built 4 months ago" in frame(app)
        await press(pilot, "f9")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert started == [("rebuild-all",)]


async def test_installing_the_missing_tools_removes_the_problem(
    app: ZwizardApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package manager is a fake: the host's would install for everybody."""
    programs = tmp_path / "tools"
    programs.mkdir()
    for name in ("base64", "bash", "bwrap", "mount", "nsenter", "tar", "umount", "unshare"):
        (programs / name).symlink_to("/bin/true")
    (programs / "apt-get").write_text(f"#!/bin/sh\ncp /bin/true {programs}/mmdebstrap\n")
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for name in ("apt-get", "sudo"):
        (programs / name).chmod(0o755)
    monkeypatch.setattr(tools, "find", lambda name: shutil.which(name, path=str(programs)))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        assert "missing on this machine: mmdebstrap" in frame(app)
        await press(pilot, "f6")
        await until(pilot, lambda: "missing on this" not in frame(app))
        assert "F6" not in frame(app)


async def test_a_failed_install_is_reported(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(names: frozenset[str]) -> None:
        raise ZwizardError("apt-get install failed", "See what it printed above.")

    monkeypatch.setattr(tools, "find", lambda name: None if name == "mmdebstrap" else name)
    monkeypatch.setattr(tools, "install", broken)
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f6")
        await until(pilot, lambda: "apt-get install failed" in frame(app))
        await press(pilot, "escape")
        assert "missing on this machine" in frame(app)


async def test_build_starts_the_supervisor_shows_the_build_and_ends_the_draft(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert [build.id for build in started] == ["debian-vm"]
        assert started[0].recipe().name == "debian-vm"
        assert not paths.draft().exists()


async def test_an_archive_of_others_is_named_and_asked_about_before_the_build(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(supervisor, "start", started.append)
    archive = Path("debian-vm.tar.gz")
    archive.write_text("precious")
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "debian-vm.tar.gz there was not written by zwizard" in frame(app)
        await press(pilot, "f5", "k")
        on(app, ReviewScreen)
        assert builds.everything() == started == []
        await press(pilot, "f5", "r")
        await until(pilot, lambda: started)
        assert archive.read_text() == "precious"  # until the new one is made
        assert user_files.here().foreign(archive) == ""


async def test_the_archive_of_an_earlier_build_is_named(app: ZwizardApp) -> None:
    finish(a_build(), {"ready": True, "findings": []})
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "Replaces debian-vm.tar.gz of the build debian-vm" in frame(app)


async def test_a_build_that_cannot_start_shows_the_error_and_keeps_the_draft(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(build: Build) -> None:
        raise ZwizardError("the process of web ended at once", "Try sudo.")

    monkeypatch.setattr(supervisor, "start", broken)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: "the process of web ended at once" in frame(app))
        assert "Try sudo." in frame(app)
        assert draft()["target"] == "vm"


async def test_the_app_and_commands_on_builds_import_neither_the_checks_nor_sh() -> None:
    import subprocess

    code = (
        "import sys, zwizard.tui.app, zwizard.cli.builds, zwizard.cli.recipes; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sh", "questionary", "zwizard.checks"} & set(done.stdout.split())
