"""Suggestions: what exists is offered, misspelled answers are noticed, none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zwizard.wizard import suggestions
from zwizard.wizard.questions import all_questions
from zwizard.wizard.suggestions import Hint, PackageCatalogue, Suggestions

BY_KEY = {question.key: question for question in all_questions()}

PACKAGES = {
    "htp": "1.19\tnice HTML pre-processor",
    "htop": "3.2.2-2\tinteractive processes viewer",
    "libsilly-dev": "1\tnothing much",
    "libssl-dev": "3.0\tSecure Sockets Layer toolkit",
    "linux-image-6.1.0-47-amd64": "6.1.170-3\tan older one",
    "linux-image-6.1.0-50-amd64": "6.1.176-1\tLinux 6.1 for 64-bit PCs",
    "linux-image-6.1.0-50-amd64-dbg": "6.1.176-1\tdebug symbols",
    "linux-image-amd64": "6.1.176-1\tLinux for 64-bit PCs",
    "linux-image-cloud-amd64": "6.1.176-1\tLinux for x86-64 cloud",
    "linux-image-rt-amd64": "6.1.176-1\tLinux, PREEMPT_RT",
    "mail-transport-agent": "\t",
    "nginx": "1.22.1-9\tsmall, powerful, scalable web/proxy server",
    "toot": "0.2\ta client",
    "vim": "2:9.0\tVi IMproved",
    "vim-nox": "2:9.0\tVi IMproved, with scripting",
}
LIST = PackageCatalogue(
    "bookworm", 0.0, tuple(sorted(f"{name}\t{said}" for name, said in PACKAGES.items()))
)
ZONES = ("America/New_York", "Europe/Berlin", "Europe/Paris", "UTC")
LOCALES = ("C.UTF-8", "en_US.UTF-8", "de_DE.UTF-8", "de_DE")
KNOWN = Suggestions(ZONES, LOCALES, True, LIST)


def hint(
    key: str, text: str, *, typing: bool = False, known: Suggestions = KNOWN, **more: str
) -> Hint:
    answers = {key: text} | {name.replace("__", "."): said for name, said in more.items()}
    return suggestions.hint(BY_KEY[key], answers, known, typing=typing)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("htpo", "htop"),  # letters in another order are the likeliest slip
        ("htoo", "htop"),  # the beginning counts more
        ("vim, ngnix", "nginx"),
        ("libsll-dev", "libssl-dev"),  # a wrong letter is likelier than one too many
        ("Vim", "vim"),
        ("zzzzz", ""),
    ],
)
def test_an_unknown_package_is_doubted_and_the_nearest_named(text: str, near: str) -> None:
    said = hint("source.packages", text)
    assert said.doubt
    assert "is not in bookworm." in said.text
    assert said.near == near
    assert (f"Did you mean {near!r}?" in said.text) == bool(near)


@pytest.mark.parametrize(
    "text", ["", "vim htop", "vim=2:9.0", "vim:amd64", "vim/bookworm", "mail-transport-agent"]
)
def test_installable_words_are_not_doubted(text: str) -> None:
    assert not hint("source.packages", text).doubt


def test_several_misspelled_packages_are_all_named() -> None:
    assert "Nor is 'yyy'." in hint("source.packages", "xxx yyy").text
    assert "Nor are 'yyy', 'zzz'." in hint("source.packages", "xxx yyy zzz").text


def test_while_typing_the_last_word_may_be_incomplete() -> None:
    said = hint("source.packages", "vim ht", typing=True)
    assert (said.text, said.doubt, said.partial) == ("htop, htp", False, True)
    assert hint("source.packages", "htx", typing=True).doubt
    assert hint("source.packages", "ht ", typing=True).doubt  # it is whole now
    assert hint("source.packages", "htop", typing=True).text.startswith("htop: 3.2.2-2")
    assert hint("system.timezone", "Eur", typing=True).text == "Europe/Berlin, Europe/Paris"


@pytest.mark.parametrize(
    ("key", "text", "near"),
    [
        ("system.timezone", "paris", "Europe/Paris"),
        ("system.timezone", "new york", "America/New_York"),
        ("system.timezone", "Europe/Berln", "Europe/Berlin"),
        ("system.locale", "en_us.utf8", "en_US.UTF-8"),
        ("system.locale", "de", "de_DE.UTF-8"),
        ("system.services", "ngnix", "nginx"),
    ],
)
def test_names_are_understood_as_people_write_them(key: str, text: str, near: str) -> None:
    said = hint(key, text)
    assert said.doubt
    assert said.near == near


def test_without_a_list_nothing_is_doubted_and_the_reason_is_shown_while_typing() -> None:
    offline = Suggestions(state="No package list (offline)")
    said = hint("source.packages", "xyzzy", typing=True, known=offline)
    assert (said.text, said.doubt) == ("No package list (offline)", False)
    assert hint("source.packages", "", known=offline).text == ""
    for key, text in (("system.timezone", "Mars/Rover"), ("system.locale", "xx_XX.UTF-8")):
        assert not hint(key, text, known=offline).doubt
    some = Suggestions(locales=LOCALES, every_locale=False)
    assert not hint("system.locale", "xx_XX.UTF-8", known=some).doubt


def test_a_service_names_its_package() -> None:
    assert (
        "is in the package nginx, which you have not chosen"
        in hint("system.services", "nginx").text
    )
    assert not hint("system.services", "nginx", source__packages="nginx").doubt
    assert not hint("system.services", "ssh fstrim.timer").doubt  # they are there anyway
    assert not hint("system.services", "my-own.service").doubt
    brought = hint("system.services", "", typing=True, source__packages="nginx vim")
    assert brought.text == "In your packages: nginx.service"


def test_kernels_are_offered_with_their_versions() -> None:
    offered = suggestions.choices(BY_KEY["kernel.package"], {}, KNOWN)
    assert [choice.value for choice in offered] == [
        "",
        "linux-image-amd64",
        "linux-image-6.1.0-50-amd64",
        "linux-image-rt-amd64",
    ]
    assert offered[0].means.startswith("6.1.176-1. ")
    assert "stays at this version" in offered[2].means
    assert "stays" not in offered[3].means
    for choice in offered:  # each can be taken
        assert BY_KEY["kernel.package"].own_problem({"kernel.package": choice.value}) == ""
    assert suggestions.choices(BY_KEY["kernel.package"], {}, Suggestions()) == BY_KEY[
        "kernel.package"
    ].choices({})


def found(key: str, words: str, **given: str) -> list[str]:
    answers = {name.replace("__", "."): said for name, said in given.items()}
    return [o.value for o in suggestions.search(BY_KEY[key], answers, KNOWN, words, 5)]


def test_a_search_finds_names_first_then_summaries() -> None:
    assert found("source.packages", "vi") == ["vim", "vim-nox", "htop"]  # a viewer
    assert found("source.packages", "vim")[0] == "vim"
    assert found("source.packages", "web server") == ["nginx"]
    assert found("source.packages", "mail-transport") == []  # nothing to be chosen by name
    assert found("system.timezone", "new york") == ["America/New_York"]
    assert found("system.locale", "de_DE") == ["de_DE.UTF-8", "de_DE"]
    assert found("system.services", "", source__packages="nginx")[0] == "nginx.service"
    assert len(found("source.packages", "")) == 5


def test_doubts_are_listed_by_key() -> None:
    told = suggestions.doubts(
        all_questions(), {"source.packages": "htpo", "system.timezone": "UTC"}, KNOWN
    )
    assert list(told) == ["source.packages"]


@pytest.mark.slow
@settings(max_examples=150)
@given(st.sampled_from(sorted(BY_KEY)), st.text(max_size=30), st.booleans())
def test_no_answer_is_too_strange(key: str, text: str, typing: bool) -> None:
    for known in (KNOWN, Suggestions()):
        said = hint(key, text, typing=typing, known=known)
        assert said.text or not said.doubt
        suggestions.search(BY_KEY[key], {}, known, text, 5)


ARCH = {"source.distro": "arch", "source.packages": "nginx"}


def test_services_of_arch_have_the_names_of_arch() -> None:
    offers = suggestions.search(BY_KEY["system.services"], ARCH, Suggestions(), "", 99)
    found = {offer.value: offer.means for offer in offers}
    assert found["sshd.service"] == "always installed"
    assert found["nginx.service"] == "in your package nginx"
    assert "ssh.service" not in found


def test_kernels_of_arch_have_the_versions_of_the_archive() -> None:
    lines = ("linux\t6.17.1\tkernel", "linux-headers\t6.17.1\theaders", "linux-lts\t6.12\tkernel")
    known = Suggestions(catalogue=PackageCatalogue("the archive", 0.0, lines))
    usual, lts = suggestions.choices(BY_KEY["kernel.package"], ARCH, known)
    assert (usual.value, lts.value) == ("", "linux-lts")
    assert usual.means.startswith("6.17.1. ")
    assert lts.means.startswith("6.12.")
