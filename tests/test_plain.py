"""The wizard as questions and answers, driven by real keys through the real prompts."""

from __future__ import annotations

import io
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from tests.engine.hand import begin, end, fail, finish, new_build, running
from tests.sources.test_rootfs import system
from zwizard.engine import builds
from zwizard.host import tools as doctor
from zwizard.plain import build as plain_build
from zwizard.plain import wizard as plain
from zwizard.plain.interview import Interview
from zwizard.recipe.model import Checklist, Output, Recipe, Source, System
from zwizard.util import paths
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.wizard import package_index, questions
from zwizard.wizard.draft import Draft
from zwizard.wizard.suggestions import PackageCatalogue

ENTER, DOWN, UP, CTRL_C, CTRL_D = "\r", "\x1b[B", "\x1b[A", "\x03", "\x04"
CLEAR = "\x15"  # what the line begins with is removed
BACK_BY_WORD = CLEAR + "<" + ENTER

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the wizard is begun."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(package_index, "fetch_apart", offline)
    return place


_BINDINGS = load_key_bindings()


@pytest.fixture(autouse=True)
def bindings_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making prompt_toolkit's own key bindings takes most of a prompt's time."""
    name = "prompt_toolkit.application.application.load_key_bindings"
    monkeypatch.setattr(name, lambda: _BINDINGS)


def offline(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
    """No test asks an archive of the internet."""
    raise ZwizardError("this machine is offline")


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def press(keyboard: PipeInput, *keys: str) -> None:
    """Type these keys; after them the line is dead, so that no test waits for ever."""
    keyboard.send_text("".join(keys))
    keyboard.close()


def given() -> dict[str, str]:
    return dict(Draft.open(paths.draft()))


def kept(**answers: str) -> Draft:
    """Answers from an earlier time; ``__`` stands for the dot in a key."""
    draft = Draft.open(paths.draft())
    for key, text in answers.items():
        draft.give(key.replace("__", "."), text)
    return draft


def all_kept(recipe: Recipe | None = None) -> None:
    """Answers to everything, so that the wizard begins with the review."""
    Draft.open(paths.draft()).take(recipe or Recipe())


LEAVE = UP + ENTER  # the last entry of the review
SAVE = ("3", ENTER)
ASKED = questions.asked({})


def test_enter_all_the_way_asks_everything_and_leads_to_the_default_recipe(
    keyboard: PipeInput, capsys: Capture
) -> None:
    press(keyboard, ENTER * len(ASKED), LEAVE)
    assert plain.new(None) == 0
    said = capsys.readouterr().out
    assert (
        "== Review: debian-vm, vm · Debian bookworm\nNothing runs until you choose Build.\n"
        in said
    )
    assert questions.to_recipe(given()) == Recipe()
    assert builds.everything() == []
    asked_in_order_with_reasons(said)
    assert max(len(line) for line in said.splitlines() if " " in line.strip()) <= 80


def asked_in_order_with_reasons(said: str) -> None:
    words = " ".join(said.split())
    places = [words.index(" ".join(question.why.split())) for question in ASKED]
    assert places == sorted(places)
    for number, page in enumerate(questions.pages({}), 1):
        assert f"== {page.title} ({number} of 5): {page.heading}" in words
    assert "Container: Zero-OS boots its own small kernel" in words


def test_answers_are_taken_as_typed_and_chosen(keyboard: PipeInput) -> None:
    press(
        keyboard,
        ENTER,
        CLEAR + "jump.host" + ENTER,
        ENTER * 2,
        DOWN + ENTER,  # trixie
        "2" + ENTER,  # minimal
        ENTER * 2,
        "vim, htop" + ENTER,
        ENTER * 2,
        " nvme" + ENTER,  # beside the two that are there
        CLEAR + "Europe/Brussels" + ENTER,
        ENTER * 2,
        "echo 'a b'" + ENTER + "true" + ENTER + ENTER,
        CLEAR + "images" + ENTER,
        ENTER,
        LEAVE,
    )
    assert plain.new(None) == 0
    made = questions.to_recipe(given())
    assert made.name == "jump.host"
    assert (made.source.suite, made.source.variant) == ("trixie", "minimal")
    assert made.source.packages == ("vim", "htop")
    assert made.kernel.modules == ("virtiofs", "virtio_pci", "nvme")
    assert made.system.timezone == "Europe/Brussels"
    assert made.system.run == ("echo 'a b'", "true")
    assert made.output.directory == "images"


def test_what_cannot_be_chosen_is_passed_over(keyboard: PipeInput) -> None:
    kept(source__bootstrap="debootstrap")
    press(keyboard, ENTER * 6, DOWN, ENTER, CTRL_C)  # past the minimal base, which it cannot make
    assert plain.new(None) == 130
    assert "source.suite" in given()
    assert "source.variant" not in given()


def test_back_leads_from_every_question_to_the_one_before(
    keyboard: PipeInput, capsys: Capture
) -> None:
    back = [UP + ENTER if q.kind == "choice" else BACK_BY_WORD for q in ASKED]
    forth = len(ASKED) - 1
    press(keyboard, ENTER * forth, *reversed(back))
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    for question in ASKED[:-1]:
        assert said.count(" ".join(question.why.split())) == 2
    assert "<" not in given().values()


def test_back_keeps_what_was_answered(keyboard: PipeInput) -> None:
    press(keyboard, ENTER, CLEAR + "web" + ENTER, UP + ENTER, ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert given()["name"] == "web"


def test_a_name_that_nobody_chose_follows_the_file(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    """It is asked before the file is: one that was only accepted means nothing yet."""
    (here / "web.tar").write_bytes(system())
    kept(target="container", name="debian-container")
    press(keyboard, ENTER, "2" + ENTER, "web.tar" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert given()["name"] == "web"
    assert "Name is now: web" in capsys.readouterr().out


def test_a_name_that_was_chosen_stays(keyboard: PipeInput, capsys: Capture, here: Path) -> None:
    (here / "web.tar").write_bytes(system())
    kept(target="container", name="shop")
    press(keyboard, ENTER, "2" + ENTER, "web.tar" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert given()["name"] == "shop"
    assert "is now" not in capsys.readouterr().out


def test_a_wrong_answer_is_said_and_asked_again_beginning_as_typed(
    keyboard: PipeInput, capsys: Capture
) -> None:
    press(keyboard, ENTER, CLEAR + "my image" + ENTER, "\x7f" * 6 + "-vm" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = " ".join(capsys.readouterr().out.split())
    assert "Invalid: 'my image'. letters, digits, '_'" in said
    assert given()["name"] == "my-vm"


def test_a_wrong_answer_outlives_leaving_and_is_asked_first(
    keyboard: PipeInput, capsys: Capture
) -> None:
    all_kept()
    kept(name="my image")
    press(keyboard, ENTER, CLEAR + "web" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert "The archive becomes NAME.tar.gz" in capsys.readouterr().out
    assert given()["name"] == "web"


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D, ""], ids=["ctrl-c", "ctrl-d", "line dead"])
def test_however_it_is_left_the_answers_are_kept(
    keyboard: PipeInput, capsys: Capture, key: str
) -> None:
    press(keyboard, ENTER, CLEAR + key)
    assert plain.new(None) == 130
    assert given() == {"target": "vm"}
    assert "The draft is saved: `zwizard new --plain` continues" in capsys.readouterr().out


def test_answers_from_before_are_gone_on_with_where_they_end(
    keyboard: PipeInput, capsys: Capture
) -> None:
    kept(target="vm", name="web", source__kind="distro")
    press(keyboard, ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = capsys.readouterr().out
    assert "The document's guide to a VM is for Ubuntu jammy" in said
    assert "What kind of Zmachine?" not in said
    assert given()["name"] == "web"


def test_answers_from_before_can_be_forgotten(keyboard: PipeInput, capsys: Capture) -> None:
    kept(target="vm", name="web")
    press(keyboard, "2" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert "What kind of Zmachine?" in capsys.readouterr().out
    assert given() == {}


def test_a_recipe_begins_with_its_answers_and_keeps_what_is_not_asked(
    keyboard: PipeInput, here: Path
) -> None:
    recipe = Recipe(
        name="web",
        system=System(run=("cat <<'END'\none\n\ntwo\nEND", "true")),
        checklist=Checklist(waive=("setuid-files",)),
    )
    (here / "web.toml").write_text(recipe.to_toml())
    press(keyboard, LEAVE)
    assert plain.new(here / "web.toml") == 0
    assert questions.to_recipe(given()) == recipe


def test_a_recipes_relative_output_stays_relative_to_the_recipe(
    keyboard: PipeInput, tmp_path: Path
) -> None:
    file = tmp_path / "recipes" / "web.toml"
    file.parent.mkdir()
    file.write_text('name = "web"\noutput.directory = "../images"\n')
    press(keyboard, LEAVE)
    plain.new(file)
    assert given()["output.directory"] == str(tmp_path / "images")


def test_a_recipe_does_not_silently_replace_answers_from_before(
    keyboard: PipeInput, here: Path
) -> None:
    kept(name="precious")
    (here / "web.toml").write_text('name = "web"\n')
    press(keyboard, ENTER, CTRL_C)
    plain.new(here / "web.toml")
    assert given()["name"] == "precious"


def test_a_recipe_that_is_wrong_is_an_error_before_anything_is_asked(
    keyboard: PipeInput, here: Path
) -> None:
    (here / "web.toml").write_text('nam = "web"\n')
    kept(name="precious")
    with pytest.raises(UsageError, match="did you mean name"):
        plain.new(here / "web.toml")
    assert given()["name"] == "precious"


def test_bytes_of_another_encoding_neither_crash_nor_get_into_the_recipe(
    keyboard: PipeInput,
) -> None:
    keyboard.send_bytes(b"\r\x15gr\xfcn\r")
    press(keyboard, CTRL_C)
    assert plain.new(None) == 130
    assert given()["name"] == "gr\ufffdn"


def test_lines_that_are_there_can_be_kept_changed_or_left_alone(keyboard: PipeInput) -> None:
    all_kept(Recipe(system=System(run=("one", "two", "three"))))
    commands = DOWN * 15 + ENTER
    press(
        keyboard,
        ENTER,  # go on with them
        "4" + ENTER + commands + "2" + ENTER,  # change the commands
        ENTER,  # one stays
        CLEAR + ENTER,  # two goes
        " and a half" + ENTER,  # three
        "four" + ENTER + ENTER,
        "4" + ENTER + commands + "1" + ENTER,  # keep them
        "4" + ENTER + commands + "2" + ENTER + CLEAR + "first" + ENTER + BACK_BY_WORD,
        LEAVE,
    )
    assert plain.new(None) == 0
    assert given()["system.run"] == "first\nthree and a half\nfour"


# --- what is known of possible answers -----------------------------------------------------------


def a_list(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
    return PackageCatalogue(
        suite,
        time.time(),
        ("htop\t3.2.2-2\tinteractive processes viewer", "vim\t2:9.0\tVi \x1b[2JIMproved"),
    )


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that answers at once."""
    monkeypatch.setattr(package_index, "fetch_apart", a_list)
    monkeypatch.setattr(Interview, "read_lists", at_once)


def at_once(interview: Interview) -> None:
    if reading := interview.service.begin(dict(interview.draft)):
        reading()


def test_a_slip_is_doubted_and_what_was_meant_can_be_taken(
    keyboard: PipeInput, capsys: Capture, online: None
) -> None:
    kept(target="vm", name="web")
    press(keyboard, ENTER, ENTER * 6, "vim htpo" + ENTER, "1" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: 'htpo' is not in bookworm. Did you mean 'htop'?" in said
    assert given()["source.packages"] == "vim htop"


def test_a_doubtful_answer_can_be_kept_or_typed_again(
    keyboard: PipeInput, capsys: Capture, online: None
) -> None:
    kept(target="vm", name="web")
    again = "3" + ENTER + CLEAR + "my-own" + ENTER  # nothing is near it
    press(keyboard, ENTER, ENTER * 6, "htpo" + ENTER, again, "1" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert given()["source.packages"] == "my-own"


def test_an_entrypoint_that_is_not_in_the_file_is_told_where_it_is_given(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    (here / "given.tar").write_bytes(system())
    kept(target="container", name="web", source__kind="rootfs", source__location="given.tar")
    kept(source__sha256="", source__packages="")
    again = "2" + ENTER + CLEAR + "/usr/bin/bash" + ENTER
    press(keyboard, ENTER, "/nope" + ENTER, again, CTRL_C)
    assert plain.new(None) == 130
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: /nope is not there, and no package or command of yours" in said
    assert "There: /usr/bin/bash is a file" in said
    assert given()["container.entrypoint"] == "/usr/bin/bash"


def test_what_there_is_can_be_searched(keyboard: PipeInput, capsys: Capture, online: None) -> None:
    kept(target="vm", name="web")
    search = "".join(f"?{words}{ENTER}" for words in ("viewer", "vi", "zzz"))
    press(keyboard, ENTER, ENTER * 6, search, "vim" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = capsys.readouterr().out
    assert "  htop: 3.2.2-2  interactive processes viewer\n" in said
    assert "Nothing is called so." in said
    assert "\x1b" not in said
    assert given()["source.packages"] == "vim"


def test_a_time_zone_is_found_by_its_city(keyboard: PipeInput, capsys: Capture) -> None:
    all_kept()
    time_zone = "4" + ENTER + DOWN * 12 + ENTER
    keys = CLEAR + "?new york" + ENTER + CLEAR + "paris" + ENTER + "1" + ENTER
    press(keyboard, ENTER, time_zone, keys, LEAVE)
    assert plain.new(None) == 0
    assert "  America/New_York\n" in capsys.readouterr().out
    assert given()["system.timezone"] == "Europe/Paris"


def test_offline_it_says_so_and_asks_on(keyboard: PipeInput, capsys: Capture) -> None:
    kept(target="vm", name="web")
    press(keyboard, ENTER, ENTER * 6, "?vim" + ENTER, "vim" + ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = capsys.readouterr().out
    assert "Warning" not in said
    assert "kernel" in said
    assert given()["source.packages"] == "vim"


def test_what_is_probably_not_meant_is_said_again_in_the_review(
    keyboard: PipeInput, capsys: Capture
) -> None:
    all_kept(Recipe(system=System(timezone="Europe/Pariss")))
    press(keyboard, ENTER, LEAVE)
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: Time zone: 'Europe/Pariss' is not a known time zone." in said


# --- review -------------------------------------------------------------------------------------


def test_the_review_shows_every_step_whether_it_runs_and_where_the_archive_goes(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    all_kept()
    press(keyboard, ENTER, LEAVE)
    plain.new(None)
    said = capsys.readouterr().out
    assert "   1. bootstrap     ~320.0 MiB  will run: not made yet\n" in said
    assert "   7. pack          ~260.0 MiB  will run: it lies on bootstrap\n" in said
    assert f"Archive: {here / 'debian-vm.tar.gz'} Runs as:" in " ".join(said.split())


def test_every_command_is_shown_whole_and_safe(keyboard: PipeInput, capsys: Capture) -> None:
    command = "echo " + "x" * 200 + " # \x1b]0;owned\x07"
    all_kept(Recipe(system=System(run=(command,))))
    press(keyboard, ENTER, "2" + ENTER, LEAVE)
    assert plain.new(None) == 0
    said = capsys.readouterr().out
    assert "echo " + "x" * 200 + " # '" in said
    assert "owned" not in said
    assert "\x1b" not in said


def test_an_answer_is_changed_from_the_review(keyboard: PipeInput, capsys: Capture) -> None:
    all_kept()
    press(keyboard, ENTER, "4" + ENTER, DOWN + ENTER, CLEAR + "web" + ENTER, LEAVE)
    assert plain.new(None) == 0
    assert "== Review: web," in capsys.readouterr().out
    assert given()["name"] == "web"


def test_going_back_from_changing_an_answer_changes_nothing(keyboard: PipeInput) -> None:
    all_kept()
    before = given()
    back = "4" + ENTER + UP + ENTER
    press(keyboard, ENTER, back, "4" + ENTER + DOWN + ENTER + BACK_BY_WORD, LEAVE)
    assert plain.new(None) == 0
    assert given() == before


def test_answers_that_do_not_go_together_are_said_and_mended_from_the_review(
    keyboard: PipeInput, capsys: Capture
) -> None:
    all_kept(Recipe(source=Source(variant="minimal")))
    to_debootstrap = "4" + ENTER + DOWN * 6 + ENTER + "2" + ENTER
    # Nothing can be built now: the first entry is to change an answer, and the wrong one first.
    to_standard = ENTER + ENTER + "1" + ENTER
    press(keyboard, ENTER, to_debootstrap, to_standard, LEAVE)
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Problem: Base: debootstrap makes the standard base;" in said
    assert questions.to_recipe(given()).source == Source(bootstrap="debootstrap")


def test_a_recipe_is_saved_as_it_was_reviewed(keyboard: PipeInput, here: Path) -> None:
    all_kept(Recipe(name="web"))
    press(keyboard, ENTER, *SAVE, ENTER, LEAVE)
    assert plain.new(None) == 0
    assert Recipe.load(here / "web.toml") == Recipe(name="web")


def test_a_recipe_saved_elsewhere_still_means_the_same_directory(
    keyboard: PipeInput, here: Path, tmp_path: Path
) -> None:
    all_kept(Recipe(name="web"))
    press(keyboard, ENTER, *SAVE, CLEAR + "../elsewhere/web.toml" + ENTER, LEAVE)
    assert plain.new(None) == 0
    saved = Recipe.load(tmp_path / "elsewhere/web.toml")
    assert saved == Recipe(name="web", output=Output(directory=str(here)))


def test_a_file_that_is_there_is_replaced_only_when_told_so(
    keyboard: PipeInput, here: Path
) -> None:
    all_kept(Recipe(name="web"))
    (here / "web.toml").write_text("precious")
    (here / "other.toml").write_text("old")
    again = CLEAR + "other.toml" + ENTER + "1" + ENTER
    press(keyboard, ENTER, *SAVE, ENTER, "2" + ENTER, again, LEAVE)
    assert plain.new(None) == 0
    assert (here / "web.toml").read_text() == "precious"
    assert Recipe.load(here / "other.toml").name == "web"


def test_where_a_recipe_cannot_be_saved_is_said_and_asked_again(
    keyboard: PipeInput, here: Path, capsys: Capture
) -> None:
    all_kept(Recipe(name="web"))
    (here / "file").write_text("")
    tries = [f"{CLEAR}{name}{ENTER}" for name in (".", "file/x.toml", "~no-such-user/x", "<")]
    press(keyboard, ENTER, *SAVE, *tries, LEAVE)
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "is a directory" in said
    assert "Error: file/x.toml: " in said
    assert "there is no such home directory" in said
    assert [path.name for path in here.iterdir()] == ["file"]


def test_a_script_is_exported(keyboard: PipeInput, here: Path) -> None:
    all_kept(Recipe(name="web"))
    press(keyboard, ENTER, "5" + ENTER, ENTER, LEAVE)
    assert plain.new(None) == 0
    assert (here / "web.sh").read_text().startswith("#!/bin/bash")


def test_a_recipe_is_opened_from_the_review(
    keyboard: PipeInput, here: Path, capsys: Capture
) -> None:
    all_kept(Recipe(name="web"))
    (here / "other.toml").write_text('name = "other"\n')
    (here / "bad.toml").write_text('nam = "x"\n')
    keys = "6" + ENTER, "nowhere" + ENTER, CLEAR + "bad.toml" + ENTER, CLEAR + "other.toml" + ENTER
    press(keyboard, ENTER, *keys, LEAVE)
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "nowhere cannot be read" in said
    assert "did you mean name" in said
    assert given()["name"] == "other"


def test_the_documents_own_commands_are_shown_too(keyboard: PipeInput, capsys: Capture) -> None:
    all_kept()
    press(keyboard, ENTER, "2" + ENTER, LEAVE)
    assert plain.new(None) == 0
    said = capsys.readouterr().out
    assert (
        "bootstrap, with the commands of the Zmachine guide:\n      sudo debootstrap jammy" in said
    )


def test_answers_that_cannot_be_kept_are_told(
    keyboard: PipeInput, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, *, lasting: bool) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("zwizard.wizard.draft.write_atomically", full)
    press(keyboard, ENTER, CTRL_C)
    assert plain.new(None) == 130
    said = " ".join(capsys.readouterr().out.split())
    assert "could not be saved:" in said
    assert "No space left on device" in said


def test_missing_tools_are_told_and_can_be_installed_and_until_then_nothing_is_built(
    keyboard: PipeInput, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "chroot", "mount", "umount", "tar"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/true")
    # Stands for the machine's package manager, which would install it for everybody.
    (tools / "apt-get").write_text(f"#!/bin/sh\ncp /bin/true {tools}/mmdebstrap\n")
    (tools / "apt-get").chmod(0o755)
    (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (tools / "sudo").chmod(0o755)
    monkeypatch.setattr(doctor, "PATH", str(tools))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    all_kept()
    press(keyboard, ENTER, ENTER, LEAVE)  # Build cannot be chosen, so Install is where it begins
    assert plain.new(None) == 0
    before, after = capsys.readouterr().out.split("Runs: ")
    assert "Problem: missing on this machine: mmdebstrap" in before
    assert "apt-get install --yes mmdebstrap" in before
    assert "Problem:" not in after
    assert builds.everything() == []


def test_a_place_that_cannot_be_built_to_is_told_before_the_build(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    (here / "file").write_text("")
    all_kept(Recipe(output=Output(directory="file")))
    press(keyboard, ENTER, LEAVE)
    assert plain.new(None) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Problem: {here / 'file'} is not a directory To fix it: Choose another dir" in said


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="by another right it may ask")
needs_mmdebstrap = pytest.mark.skipif(
    not doctor.find("mmdebstrap"), reason="mmdebstrap is not here"
)


def failing(tmp_path: Path) -> Recipe:
    """What a real runner fails to build: its mirror is an empty directory."""
    (tmp_path / "mirror").mkdir()
    return Recipe(name="web", source=Source(mirror=f"file://{tmp_path}/mirror"))


RETRY, CHANGE_IT, SHELL, REPORT = ("1" + ENTER, "2" + ENTER, "3" + ENTER, "4" + ENTER)


@needs_mmdebstrap
def test_a_build_that_fails_is_a_place_to_work(
    keyboard: PipeInput, capsys: Capture, here: Path, tmp_path: Path
) -> None:
    all_kept(failing(tmp_path))
    press(keyboard, ENTER, ENTER, RETRY, REPORT, CHANGE_IT + "x" + ENTER, LEAVE)
    assert plain.new(None) == 1
    said = capsys.readouterr().out
    assert "Ctrl-C stops the build; finished steps are kept." in said
    assert said.count("● bootstrap") == 2  # it was tried again
    assert said.count("Probably: The mirror has no ") == 2
    (report,) = here.glob("web-report-*.tar.gz")
    assert f"saved to {report}" in said
    assert given()["source.mirror"] == f"file://{tmp_path}/mirrorx"
    assert said.count("== Review: web,") == 2  # and back to it
    assert not builds.find("web").running()
    assert "\x1b" not in said


@needs_mmdebstrap
@needs_root
def test_the_tree_of_the_step_that_failed_can_be_entered(
    keyboard: PipeInput, capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = tmp_path / "typed"
    typed.write_text('echo "root: $ROOT"\n')
    all_kept(failing(tmp_path))
    press(keyboard, ENTER, ENTER, SHELL, UP + ENTER, LEAVE)
    before = os.dup(0)
    with typed.open() as file:
        os.dup2(file.fileno(), 0)
    try:
        assert plain.new(None) == 1
    finally:
        os.dup2(before, 0)
        os.close(before)
    said = capfd.readouterr().out
    assert "What you change is thrown away when you leave" in said
    assert "/tree/root\n" in said.partition("root: ")[2]


@needs_mmdebstrap
def test_a_picked_build_that_fails_leads_to_its_answers(
    keyboard: PipeInput, capsys: Capture, here: Path, tmp_path: Path
) -> None:
    build = new_build("web", here, failing(tmp_path))
    press(keyboard, CHANGE_IT + "x" + ENTER, LEAVE)
    assert plain.resume(build) == 0
    said = capsys.readouterr().out
    assert "✗ bootstrap" in said
    assert given()["source.mirror"] == f"file://{tmp_path}/mirrorx"


@needs_mmdebstrap
@pytest.mark.parametrize(("keys", "code"), [(UP + ENTER, 1), ("", 1)], ids=["leave", "line dead"])
def test_a_failure_can_be_left_as_it_is(
    keyboard: PipeInput, here: Path, tmp_path: Path, keys: str, code: int
) -> None:
    press(keyboard, keys)
    assert plain.resume(new_build("web", here, failing(tmp_path))) == code


# --- the picker ---------------------------------------------------------------------------------


@pytest.fixture
def screen() -> Iterator[tuple[PipeInput, io.StringIO]]:
    """A keyboard, and what the terminal is sent."""
    sent = io.StringIO()
    output = Vt100_Output(sent, lambda: Size(rows=24, columns=80), term="dumb", enable_cpr=False)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
        yield pipe, sent


def test_a_line_that_is_asked_for_says_of_what(screen: tuple[PipeInput, io.StringIO]) -> None:
    keyboard, sent = screen
    all_kept(Recipe(system=System(run=("one",))))
    press(keyboard, ENTER, "4" + ENTER + DOWN * 15 + ENTER + "2" + ENTER, ENTER, CTRL_C)
    assert plain.new(None) == 130
    assert "Your own commands, one a line: line 2" in sent.getvalue()


def unfinished(here: Path) -> None:
    """A failed build, a stopped one, and one that is ready."""
    failed = new_build("failed-one", here)
    begin(failed)
    finish(failed, "bootstrap")
    finish(failed, "packages")
    fail(failed, "initramfs")
    begin(new_build("stopped-one", here))
    end(new_build("ready-one", here))


def test_the_picker_shows_what_is_unfinished_with_step_and_age(
    screen: tuple[PipeInput, io.StringIO], here: Path
) -> None:
    keyboard, sent = screen
    unfinished(here)
    press(keyboard, DOWN, ENTER)
    assert plain_build.pick() == "failed-one"
    shown = sent.getvalue()
    assert re.search(r"failed-one  failed  3/7 initramfs  (now|\S+ seconds? ago)", shown)
    assert re.search(r"stopped-one  interrupted  (now|\S+ seconds? ago)", shown)
    assert "Cancel" in shown
    assert "ready-one" not in shown


def test_a_running_build_can_be_picked_to_look_on(keyboard: PipeInput, here: Path) -> None:
    build = new_build("web", here)
    begin(build)
    press(keyboard, ENTER)
    with running(build):
        assert plain_build.pick() == "web"


@pytest.mark.parametrize("keys", [UP + ENTER, CTRL_C, ""], ids=["cancel", "ctrl-c", "line dead"])
def test_picking_none_is_an_interruption(keyboard: PipeInput, here: Path, keys: str) -> None:
    unfinished(here)
    press(keyboard, keys)
    with pytest.raises(KeyboardInterrupt):
        plain_build.pick()


def test_with_nothing_to_pick_it_says_why(keyboard: PipeInput, here: Path) -> None:
    with pytest.raises(UsageError, match="there are no builds yet"):
        plain_build.pick()
    end(new_build("web", here))
    with pytest.raises(UsageError, match="every build is finished"):
        plain_build.pick()


def test_more_builds_than_there_are_keys_can_be_picked_from(
    keyboard: PipeInput, here: Path
) -> None:
    for number in range(12):
        begin(new_build(f"web{number}", here))
    press(keyboard, UP * 2 + ENTER)
    assert plain_build.pick() == "web0"
