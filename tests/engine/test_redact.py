"""What must not leave the machine in a bug report, and what a report needs to stay readable."""

from __future__ import annotations

import pytest

from tests.support.canaries import CANARY, GIVEN, SIGHTINGS
from tests.support.limits import bounds
from zwizard.engine.redact import HIDDEN, Identity, Redactor, hide_secrets

ADA = Identity(("ada",), "analytical.example", "/srv/people/ada")


def test_there_are_fifty_forms() -> None:
    assert len(set(GIVEN)) >= 50


@pytest.mark.parametrize("text", GIVEN)
def test_a_secret_goes_where_it_stands(text: str) -> None:
    shown = Redactor(ADA).clean(f"before\n{text}\nafter")
    assert not [form for form in SIGHTINGS if form in shown]
    assert HIDDEN in shown
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter") or text.startswith("-----BEGIN PRIVATE KEY")


@pytest.mark.parametrize("text", [text for text in GIVEN if CANARY in text and "eyJ" not in text])
def test_a_secret_that_was_given_goes_wherever_it_occurs(text: str) -> None:
    redactor = Redactor(ADA)
    redactor.learn(text)
    assert CANARY not in redactor.clean(f"a log that echoes\n{text.split('=')[-1]}\n{CANARY}!\n")


def test_names_and_paths_of_the_machine_go() -> None:
    shown = Redactor(ADA).clean(
        "/srv/people/ada/images on analytical.example (analytical) by ada; /home/bob/x; adamant"
    )
    assert shown == "~/images on HOST (HOST) by USER; /home/USER/x; adamant"


def test_what_tells_nothing_stays() -> None:
    text = "root@localhost: E: Unable to locate package debian-ada http://deb.example/debian\n"
    common = Identity(("root", "debian"), "localhost", "/root")
    assert Redactor(common).clean(text) == text


@pytest.mark.parametrize("host", ["vm", "debian", "image"])
def test_a_machine_called_like_a_word_of_ours_spoils_no_recipe(host: str) -> None:
    text = 'name = "debian-vm"\ntarget = "image"\n'
    assert Redactor(Identity(("root",), host, "/root")).clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "passwd -d root",
        "E: The repository 'http://deb.example/debian bookworm Release' is not signed.",
        "install -D -m 755 app /usr/bin/app",
        "this will create and download the basic rootfs",
        "adduser --disabled-password --gecos '' ada",
        "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbW me@example",
        "Setting up libpam-modules (1.5.2-6) ...",
        "mmdebstrap --variant=important --keyring /x/y.gpg bookworm /root http://deb.example/debian",
        "Get:1 http://deb.example/debian bookworm/main amd64 passwd amd64 1:4.13 [971 kB]",
        "mkdir -p /srv/x && cp -p a b",
        "tar -xzf x.tar.gz -C /opt --no-same-owner",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hide_secrets(text) == text


def test_a_secret_that_a_url_has_escaped_is_found_as_it_is() -> None:
    redactor = Redactor(ADA)
    redactor.learn("http://ada:p%40ss%2Fword@m.example/")
    assert "p@ss/word" not in redactor.clean("tried p@ss/word")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "password",
        "a-",
        "a://",
        "mysql ",
        "mkpasswd -m x -mx ",
        "--token",
        "echo ",
        "machine ",
    ],
)
def test_no_log_makes_it_slow(piece: str) -> None:
    with bounds(seconds=2):
        assert hide_secrets(piece * (2**16 // len(piece)))


def test_what_is_short_is_not_replaced_everywhere() -> None:
    redactor = Redactor(ADA)
    redactor.learn("PASSWORD=no")
    assert redactor.clean("PASSWORD=no; no network") == f"PASSWORD={HIDDEN}; no network"
