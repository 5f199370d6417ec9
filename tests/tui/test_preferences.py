"""Preferences: whatever the file holds, the wizard starts, and says what it passed over."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zwizard.tui import preferences
from zwizard.tui.preferences import THEMES, Preferences
from zwizard.util import paths


def write(text: str | bytes) -> None:
    file = paths.preferences()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_a_file_there_are_none() -> None:
    assert preferences.load() == Preferences()


def test_theme_and_keys_are_read() -> None:
    write('theme = "light"\n[keys]\n"page.next" = "f9"\n')
    assert preferences.load() == Preferences("light", {"page.next": "f9"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = ", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ('theme = "blue"', "theme = 'blue'; allowed: dark, light, high-contrast"),
        ("theme = [1]", "theme = [1]"),
        ('keys = "f9"', "keys = 'f9'; allowed: a table"),
        ("[keys]\na = 1", "keys.a = 1; allowed: keys"),
        ('[keys]\na = ""', "keys.a = ''"),
        ("colour = 1", "there is no 'colour'"),
    ],
)
def test_what_cannot_be_used_is_passed_over_and_said(text: str | bytes, said: str) -> None:
    write(text)
    liked = preferences.load()
    assert (liked.theme, liked.keys) == ("", {})
    assert len(liked.complaints) == 1
    assert said in liked.complaints[0]
    assert str(paths.preferences()) in liked.complaints[0]


@pytest.mark.parametrize(
    "before",
    [
        "",
        'theme = "dark"\n',
        "# mine\n",
        '# mine\ntheme="dark" # nice\n[keys]\na = "b"\n',
        '[keys]\ntheme = "f2"\n',
        'keys = { a = "b" }',
    ],
)
def test_a_theme_is_kept_and_the_rest_of_the_file_left_alone(before: str) -> None:
    write(before)
    preferences.keep_theme("light")
    after = paths.preferences().read_text()
    assert preferences.load().theme == "light"
    assert preferences.load().complaints == ()
    assert preferences.load().keys == tomllib.loads(before).get("keys", {})
    assert ("# mine" in after) == ("# mine" in before)


def test_a_file_that_is_no_toml_is_not_overwritten() -> None:
    write("theme = [")
    preferences.keep_theme("light")
    assert paths.preferences().read_text() == "theme = ["


def test_the_first_theme_makes_the_file() -> None:
    preferences.keep_theme(THEMES[2])
    assert paths.preferences().read_text() == 'theme = "high-contrast"\n'


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_no_file_is_too_strange(data: bytes) -> None:
    write(data)
    assert preferences.load().theme in ("", *THEMES)
