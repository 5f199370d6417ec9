"""The review: all that would run, before any of it does."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import pytest

from tests.tui.conftest import (
    MACHINE,
    MakeApp,
    a_list,
    draft,
    frame,
    notes,
    on,
    press,
    settle,
    until,
)
from zwizard.engine import builds, requirements
from zwizard.engine.builds import Build
from zwizard.engine.layers import Layer, boot_id
from zwizard.host import tools as doctor
from zwizard.host.privileges import Privilege
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.tui import app as app_module
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.widgets.stable_list import StableList
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard import questions
from zwizard.wizard.questions import to_recipe
from zwizard.wizard.review import HostState


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tool is here, whatever this machine has."""
    monkeypatch.setattr(doctor, "find", lambda name: f"/usr/bin/{name}")


def a_layer(number: int, given: dict[str, str] | None = None) -> None:
    """Step ``number`` of the plan of these answers is finished."""
    made = make(to_recipe(given or {}))
    store = requirements.store_of(MACHINE.privilege)
    print_ = made.fingerprints()[number - 1]
    layer = Layer(print_, made.steps[number - 1].name, True, 2**28, 20.0, 1.79e9, boot_id())
    work = store.work("test")
    (work / "tree").mkdir(parents=True)
    store.commit(work, layer)


async def to_review(app: ZwizardApp, pilot: object) -> None:
    await settle(pilot)  # type: ignore[arg-type]
    await press(pilot, "n", "alt+6")  # type: ignore[arg-type]
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
        await settle(pilot)
        await press(pilot, "n", "c", "alt+6")
        assert "Modules in the initramfs: virtiofs" in frame(app)
        on(app, ReviewScreen).query_one(StableList).go("step:initramfs")
        await press(pilot, "enter")
        assert "virtiofs virtio_pci → virtiofs virtio_pci virtio_gpu" in frame(app)


async def test_enter_shows_every_command_whole_with_the_documents(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "enter")
        shown = frame(app)
        assert "mmdebstrap --mode=root" in shown
        assert "sudo debootstrap jammy" in shown
        assert "basic rootfs" in shown
        await press(pilot, "escape")
        on(app, ReviewScreen)


async def test_problems_come_first_and_lead_to_their_question(app: ZwizardApp) -> None:
    draft().set("system.timezone", "no where")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "n", "c", "alt+6")
        assert "cannot be built yet" in frame(app)
        assert "✗ Time zone" in frame(app)
        await press(pilot, "enter")
        page = on(app, PageScreen)
        focused = page.focused_field()
        assert page.page == "system"
        assert focused is not None
        assert focused.question.key == "system.timezone"


async def test_a_missing_tool_is_named_with_what_installs_it(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor, "find", lambda name: None if name == "mmdebstrap" else f"/usr/bin/{name}"
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


async def test_without_any_right_to_build_it_says_how_to_get_one(make_app: MakeApp) -> None:
    nothing = HostState(Privilege("none", "Nothing here gives the right", "apt-get it"), "Debian")
    app = make_app(machine=nothing)
    async with app.run_test(size=(100, 30)) as pilot:
        await to_review(app, pilot)
        assert "✗ Nothing here gives the right" in frame(app)
        assert "apt-get it" in frame(app)


async def test_the_recipe_is_saved_and_a_file_is_replaced_only_on_a_second_enter(
    app: ZwizardApp,
) -> None:
    Path("debian-vm.toml").write_text("old")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "s", "enter")
        assert Path("debian-vm.toml").read_text() == "old"
        assert "the file exists" in frame(app)
        await press(pilot, "enter")
        await until(pilot, lambda: Path("debian-vm.toml").read_text() != "old")
        assert Recipe.load(Path("debian-vm.toml")) == to_recipe(draft())


async def test_the_key_that_saves_on_the_pages_saves_here_too(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f7", "enter")
        await until(pilot, lambda: Path("debian-vm.toml").exists())


async def test_the_script_is_exported(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "x", "enter")
        await until(pilot, lambda: Path("debian-vm.sh").exists())
        assert Path("debian-vm.sh").read_text().startswith("#!/bin/bash")


async def test_every_command_is_copied_and_saved_beside(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "y")
        await until(pilot, lambda: (paths.state() / "copied.txt").exists())
        await until(pilot, lambda: any("OSC 52" in note for note in notes(app)))
        assert "mmdebstrap --mode=root" in app.clipboard
        assert (paths.state() / "copied.txt").read_text() == app.clipboard
        assert any("copied.txt" in note for note in notes(app))
        await press(pilot, "enter", "y")
        await until(pilot, lambda: app.clipboard.startswith("mmdebstrap"))


async def test_a_doubtful_answer_is_a_row_that_leads_to_its_question_and_holds_nothing_up(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(app_module, "_start", lambda build, fresh: started.append(build))
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


async def test_a_file_that_cannot_be_taken_is_one_row(make_app: MakeApp, tmp_path: Path) -> None:
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
        await until(pilot, lambda: "app: it is a text file, and no program" in frame(app))
        assert frame(app).count("it is a text file") == 1


async def test_answers_gone_on_with_at_the_review_are_doubted_there(make_app: MakeApp) -> None:
    draft().set("source.packages", "htpo")
    draft().set(questions.HERE, "review")
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        on(app, ReviewScreen)
        await until(pilot, lambda: "! More packages: 'htpo' is not in bookworm." in frame(app))


async def test_a_base_that_is_old_can_be_built_afresh(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[bool] = []
    monkeypatch.setattr(app_module, "_start", lambda build, fresh: started.append(fresh))
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        assert "F9 Rebuild all" not in frame(app)  # there is nothing to make anew
        a_layer(1, dict(draft()))
        await press(pilot, "alt+5", "alt+6")
        assert "built 4 months ago" in frame(app)
        await press(pilot, "f9")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert started == [True]


async def test_what_is_missing_is_installed_and_then_nothing_is_in_the_way(
    app: ZwizardApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a package manager that stands for the machine's, which would install for everybody."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "chroot", "mount", "umount", "tar"):
        (tools / name).symlink_to("/bin/true")
    (tools / "apt-get").write_text(f"#!/bin/sh\ncp /bin/true {tools}/mmdebstrap\n")
    (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for name in ("apt-get", "sudo"):
        (tools / name).chmod(0o755)
    monkeypatch.setattr(doctor, "find", lambda name: shutil.which(name, path=str(tools)))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        assert "missing on this machine: mmdebstrap" in frame(app)
        await press(pilot, "f6")
        await until(pilot, lambda: "missing on this" not in frame(app))
        assert "F6" not in frame(app)


async def test_an_install_that_fails_is_told(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(names: frozenset[str]) -> None:
        raise ZwizardError("apt-get install failed", "See what it printed above.")

    monkeypatch.setattr(doctor, "find", lambda name: None if name == "mmdebstrap" else name)
    monkeypatch.setattr(doctor, "install", broken)
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f6")
        await until(pilot, lambda: "apt-get install failed" in frame(app))
        await press(pilot, "escape")
        assert "missing on this machine" in frame(app)


async def test_build_starts_the_runner_shows_it_and_ends_the_draft(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Build] = []
    monkeypatch.setattr(app_module, "_start", lambda build, fresh: started.append(build))
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert [build.id for build in started] == ["debian-vm"]
        assert started[0].recipe().name == "debian-vm"
        assert not paths.draft().exists()


async def test_a_build_that_does_not_start_says_so_and_keeps_the_answers(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(build: Build, fresh: bool) -> None:
        raise ZwizardError("the process of web ended at once", "Try sudo.")

    monkeypatch.setattr(app_module, "_start", broken)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_review(app, pilot)
        await press(pilot, "f5")
        await until(pilot, lambda: "the process of web ended at once" in frame(app))
        assert "Try sudo." in frame(app)
        assert draft()["source.suite"] if "source.suite" in draft() else draft()["target"]


async def test_the_face_needs_neither_runner_nor_checklist_to_begin() -> None:
    import subprocess

    code = "import sys, zwizard.tui.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sh", "questionary", "zwizard.checklist"} & set(done.stdout.split())
