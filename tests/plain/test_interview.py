"""The questions, driven by real keys through the real prompts."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from tests.plain.keys import (
    BACK_BY_WORD,
    CLEAR,
    CTRL_C,
    DOWN,
    ENTER,
    LEAVE,
    UP,
    Capture,
    answers,
    press,
    save_draft,
    save_full_draft,
)
from tests.support.archives import system
from zwizard.engine import builds
from zwizard.plain import wizard
from zwizard.plain.interview import Interview
from zwizard.recipe.fields import System
from zwizard.recipe.model import Recipe
from zwizard.wizard import package_index, questions, suggestions
from zwizard.wizard.suggestions import PackageCatalogue, Suggestions

pytestmark = pytest.mark.slow

ASKED = questions.asked({})


def test_accepting_every_default_gives_the_default_recipe(
    keyboard: PipeInput, capsys: Capture
) -> None:
    press(keyboard, ENTER * len(ASKED), LEAVE)
    assert wizard.new(None) == 0
    output = capsys.readouterr().out
    assert (
        "== Review: debian-vm, vm · Debian bookworm\nNothing runs until you choose Build.\n"
        in output
    )
    assert questions.to_recipe(answers()) == Recipe()
    assert builds.everything() == []
    asked_in_order_with_reasons(output)
    assert max(len(line) for line in output.splitlines() if " " in line.strip()) <= 80


def asked_in_order_with_reasons(output: str) -> None:
    words = " ".join(output.split())
    places = [words.index(" ".join(question.why.split())) for question in ASKED]
    assert places == sorted(places)
    for number, page in enumerate(questions.pages({}), 1):
        assert f"== {page.title} ({number} of 5): {page.heading}" in words
    assert all(f"- {choice.title}: " in words for choice in ASKED[0].choices({}))


def test_typed_and_chosen_answers_become_the_recipe(keyboard: PipeInput) -> None:
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
    assert wizard.new(None) == 0
    made = questions.to_recipe(answers())
    assert made.name == "jump.host"
    assert (made.source.suite, made.source.variant) == ("trixie", "minimal")
    assert made.source.packages == ("vim", "htop")
    assert made.kernel.modules == ("virtiofs", "virtio_pci", "nvme")
    assert made.system.timezone == "Europe/Brussels"
    assert made.system.run == ("echo 'a b'", "true")
    assert made.output.directory == "images"


def test_a_choice_that_is_unavailable_cannot_be_selected(keyboard: PipeInput) -> None:
    save_draft(source__bootstrap="debootstrap")
    press(keyboard, ENTER * 6, DOWN, ENTER, CTRL_C)  # past the minimal base, which it cannot make
    assert wizard.new(None) == 130
    assert "source.suite" in answers()
    assert "source.variant" not in answers()


def test_back_leads_from_every_question_to_the_previous_one(
    keyboard: PipeInput, capsys: Capture
) -> None:
    back = [UP + ENTER if q.kind == "choice" else BACK_BY_WORD for q in ASKED]
    forth = len(ASKED) - 1
    press(keyboard, ENTER * forth, *reversed(back))
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    for question in ASKED[:-1]:
        assert output.count(" ".join(question.why.split())) == 2
    assert "<" not in answers().values()


def test_back_keeps_the_answers(keyboard: PipeInput) -> None:
    press(keyboard, ENTER, CLEAR + "web" + ENTER, UP + ENTER, ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert answers()["name"] == "web"


def test_a_default_name_follows_the_source_file(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    """It is asked before the file is: one that was only accepted means nothing yet."""
    (here / "web.tar").write_bytes(system())
    save_draft(target="container", name="debian-container")
    press(keyboard, ENTER, "2" + ENTER, "web.tar" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert answers()["name"] == "web"
    assert "Name is now: web" in capsys.readouterr().out


def test_a_name_that_was_typed_does_not_follow_the_source_file(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    (here / "web.tar").write_bytes(system())
    save_draft(target="container", name="shop")
    press(keyboard, ENTER, "2" + ENTER, "web.tar" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert answers()["name"] == "shop"
    assert "is now" not in capsys.readouterr().out


def test_an_invalid_answer_is_explained_and_can_be_edited(
    keyboard: PipeInput, capsys: Capture
) -> None:
    press(keyboard, ENTER, CLEAR + "my image" + ENTER, "\x7f" * 6 + "-vm" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = " ".join(capsys.readouterr().out.split())
    assert "Invalid: 'my image'. " in output
    assert answers()["name"] == "my-vm"


def test_an_invalid_answer_in_the_draft_is_asked_first(
    keyboard: PipeInput, capsys: Capture
) -> None:
    save_full_draft()
    save_draft(name="my image")
    press(keyboard, ENTER, CLEAR + "web" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert "The archive becomes NAME.tar.gz" in capsys.readouterr().out
    assert answers()["name"] == "web"


def test_bytes_that_are_not_utf8_are_replaced(
    keyboard: PipeInput,
) -> None:
    keyboard.send_bytes(b"\r\x15gr\xfcn\r")
    press(keyboard, CTRL_C)
    assert wizard.new(None) == 130
    assert answers()["name"] == "gr\ufffdn"


def test_lines_can_be_kept_edited_removed_and_added(keyboard: PipeInput) -> None:
    save_full_draft(Recipe(system=System(run=("one", "two", "three"))))
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
    assert wizard.new(None) == 0
    assert answers()["system.run"] == "first\nthree and a half\nfour"


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
    if reading := interview.service.pending(dict(interview.draft)):
        reading()


def test_a_typing_error_is_warned_about_and_the_suggestion_can_be_used(
    keyboard: PipeInput, capsys: Capture, online: None
) -> None:
    save_draft(target="vm", name="web")
    press(keyboard, ENTER, ENTER * 6, "vim htpo" + ENTER, "1" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = " ".join(capsys.readouterr().out.split())
    assert re.search(r"Warning: 'htpo' .* 'htop'", output)
    assert answers()["source.packages"] == "vim htop"


def test_a_doubtful_answer_can_be_kept_or_typed_again(
    keyboard: PipeInput, capsys: Capture, online: None
) -> None:
    save_draft(target="vm", name="web")
    again = "3" + ENTER + CLEAR + "my-own" + ENTER  # nothing is near it
    press(keyboard, ENTER, ENTER * 6, "htpo" + ENTER, again, "1" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert answers()["source.packages"] == "my-own"


def test_an_entrypoint_that_is_missing_in_the_source_is_warned_about(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    (here / "given.tar").write_bytes(system())
    save_draft(target="container", name="web", source__kind="rootfs", source__location="given.tar")
    save_draft(source__sha256="", source__packages="")
    again = "2" + ENTER + CLEAR + "/usr/bin/bash" + ENTER
    press(keyboard, ENTER, "/nope" + ENTER, again, CTRL_C)
    assert wizard.new(None) == 130
    output = " ".join(capsys.readouterr().out.split())
    assert "Warning: /nope " in output
    assert "/usr/bin/bash is a file" in output
    assert answers()["container.entrypoint"] == "/usr/bin/bash"


def test_a_question_mark_searches_the_packages(
    keyboard: PipeInput, capsys: Capture, online: None
) -> None:
    save_draft(target="vm", name="web")
    search = "".join(f"?{words}{ENTER}" for words in ("viewer", "vi", "zzz"))
    press(keyboard, ENTER, ENTER * 6, search, "vim" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = capsys.readouterr().out
    assert "  htop: 3.2.2-2  interactive processes viewer\n" in output
    assert suggestions.nothing(ASKED[0], Suggestions()) in output
    assert "\x1b" not in output
    assert answers()["source.packages"] == "vim"


def test_a_time_zone_is_found_by_its_city(keyboard: PipeInput, capsys: Capture) -> None:
    save_full_draft()
    time_zone = "4" + ENTER + DOWN * 12 + ENTER
    keys = CLEAR + "?new york" + ENTER + CLEAR + "paris" + ENTER + "1" + ENTER
    press(keyboard, ENTER, time_zone, keys, LEAVE)
    assert wizard.new(None) == 0
    assert "  America/New_York\n" in capsys.readouterr().out
    assert answers()["system.timezone"] == "Europe/Paris"


def test_without_a_network_the_questions_continue(keyboard: PipeInput, capsys: Capture) -> None:
    save_draft(target="vm", name="web")
    press(keyboard, ENTER, ENTER * 6, "?vim" + ENTER, "vim" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = capsys.readouterr().out
    assert "Warning" not in output
    assert "kernel" in output
    assert answers()["source.packages"] == "vim"


def test_the_prompt_for_a_line_names_its_question(screen: tuple[PipeInput, io.StringIO]) -> None:
    keyboard, sent = screen
    save_full_draft(Recipe(system=System(run=("one",))))
    press(keyboard, ENTER, "4" + ENTER + DOWN * 15 + ENTER + "2" + ENTER, ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert "Your own commands: line 2" in sent.getvalue()
