"""What must not leave the machine in a bug report, and what a report needs to stay readable."""

from __future__ import annotations

import pytest

from zwizard.engine.redact import HIDDEN, Identity, Redactor

ADA = Identity(("ada",), "analytical.example", "/srv/people/ada")
CANARY = "c4n4ry-S3cr3t"

GIVEN = (
    f"export API_TOKEN={CANARY}",
    f"PASSWORD='{CANARY}'",
    f'"db_password": "{CANARY}"',
    f'API_TOKEN = "{CANARY}"',
    f"curl -u ada:{CANARY} https://m.example/",
    f"curl -H 'Authorization: Bearer {CANARY}'",
    f"tool --password {CANARY} --verbose",
    f"tool --auth-token={CANARY}",
    f"echo root:{CANARY} | chpasswd",
    f"echo 'root:{CANARY}' | chpasswd -e",
    f"openssl passwd -6 {CANARY}",
    f"sshpass -p {CANARY} ssh host",
    f"http://ada:{CANARY}@proxy.example:3128/",
    f"http://{CANARY}@m.example/debian",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    f"root:$6$saltsalt${CANARY.replace('-', '/')}aaaaaaaaaaaaaaaa:19000::",
    f"eyJhbGciOiJI.eyJzdWIiOiIx.{CANARY}",
    f"ghp_{CANARY.replace('-', '0')}",
)


@pytest.mark.parametrize("text", GIVEN)
def test_a_secret_goes_where_it_stands(text: str) -> None:
    shown = Redactor(ADA).clean(f"before {text} after")
    assert CANARY not in shown
    assert CANARY.replace("-", "/") not in shown
    assert CANARY.replace("-", "0") not in shown
    assert HIDDEN in shown
    assert shown.startswith("before ")


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


def test_what_is_short_is_not_replaced_everywhere() -> None:
    redactor = Redactor(ADA)
    redactor.learn("PASSWORD=no")
    assert redactor.clean("PASSWORD=no; no network") == f"PASSWORD={HIDDEN}; no network"
