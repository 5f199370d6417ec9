"""Tokens: whose they are, and what is refused before anything is sent."""

from __future__ import annotations

import base64
import sys
import types

import pytest

from tests.hub.hub import Hub
from zwizard.hub import token
from zwizard.util.errors import UsageError

URL = "https://hub.example"


ALICE = '["alice.3bot", 1700000000]'


def signed(text: str) -> str:
    return base64.urlsafe_b64encode(bytes(64) + text.encode()).decode()


def test_a_token_says_whose_it_is_and_since_when() -> None:
    own = token.read(f" {signed(ALICE)}\n", URL)
    assert (own.name, own.made) == ("alice.3bot", 1_700_000_000)
    assert own.text not in repr(own)


def test_a_token_of_the_hub_is_read(hub: Hub) -> None:
    assert token.read(hub.token, hub.url).name == hub.user


BAD = {
    "nothing": ("", "there is no token"),
    "blank": (" \n", "there is no token"),
    "itsyou.online": ("eyJhbGciOiJFUzM4NCJ9.eyJ1c2VybmFtZSI6ImEifQ.c2ln", "itsyou.online"),
    "cut": (signed(ALICE)[:60], "damaged"),
    "cut inside": (signed(ALICE)[:100], "damaged"),
    "no base64": ("!" * 120, "damaged"),
    "two lines": (signed('["a", 1]') + "\nmore", "damaged"),
    "not JSON": (signed("alice"), "damaged"),
    "another shape": (signed('{"name": "alice"}'), "damaged"),
    "no name": (signed("[1, 1]"), "damaged"),
    "no time": (signed('["alice", "now"]'), "damaged"),
    "true for a time": (signed('["alice", true]'), "damaged"),
    "endless": (signed('["a", 1]') * 200, "damaged"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_what_is_no_token_is_refused_and_not_repeated(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        token.read(text, URL)
    shown = f"{raised.value.message} {raised.value.hint}"
    assert f"{URL}/token" in shown
    assert not text.strip() or text not in shown


def test_the_token_comes_from_the_environment_or_the_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = types.ModuleType("keyring")
    kept.get_password = lambda service, name: f"{service} {name}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", kept)
    for name in token.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert token.find(URL) == "zwizard hub.example"
    monkeypatch.setenv("ZFLIST_HUB_TOKEN", "theirs")
    assert token.find(URL) == "theirs"
    monkeypatch.setenv("ZWIZARD_HUB_TOKEN", "ours")
    assert token.find(URL) == "ours"


def test_without_a_keyring_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    for name in token.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert token.find(URL) == ""


def test_a_token_that_the_hub_repeats_is_hidden() -> None:
    own = token.Token("abc-_123==", "alice.3bot", 1.0)
    assert own.hide("x abc-_123== y abc-_123 z abc-_123%3D%3D") == "x [token] y [token] z [token]"
