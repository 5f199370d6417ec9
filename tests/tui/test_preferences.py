"""Preferences: whatever the file holds, the wizard starts, and says what it ignores."""

from __future__ import annotations

import tomllib
from pathlib import Path

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


def test_without_a_file_the_preferences_are_the_defaults() -> None:
    assert preferences.load() == Preferences()


def test_theme_and_keys_are_read() -> None:
    write('theme = "light"\n[keys]\n"page.next" = "f9"\n')
    assert preferences.load() == Preferences("light", {"page.next": "f9"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("theme = ", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ('theme = "blue"', "theme = 'blue'; allowed: dark, light, high-contrast"),
        ("theme = [1]", "theme = [1]"),
        ('keys = "f9"', "keys = 'f9'; allowed: a table"),
        ("[keys]\na = 1", "keys.a = 1; allowed: keys"),
        ('[keys]\na = ""', "keys.a = ''"),
        ("colour = 1", "unknown setting 'colour'"),
    ],
)
def test_an_invalid_preference_is_ignored_with_a_complaint(
    text: str | bytes, complaint: str
) -> None:
    write(text)
    loaded = preferences.load()
    assert (loaded.theme, loaded.keys) == ("", {})
    assert len(loaded.complaints) == 1
    assert complaint in loaded.complaints[0]
    assert str(paths.preferences()) in loaded.complaints[0]


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
def test_saving_a_theme_keeps_the_rest_of_the_file(before: str) -> None:
    write(before)
    preferences.save_theme("light")
    after = paths.preferences().read_text()
    assert preferences.load().theme == "light"
    assert preferences.load().complaints == ()
    assert preferences.load().keys == tomllib.loads(before).get("keys", {})
    assert ("# mine" in after) == ("# mine" in before)


def test_a_file_that_is_not_toml_is_not_overwritten() -> None:
    write("theme = [")
    preferences.save_theme("light")
    assert paths.preferences().read_text() == "theme = ["


def test_saving_a_theme_creates_the_file() -> None:
    preferences.save_theme(THEMES[2])
    assert paths.preferences().read_text() == 'theme = "high-contrast"\n'


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_any_file_can_be_loaded(data: bytes) -> None:
    write(data)
    assert preferences.load().theme in ("", *THEMES)


def test_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("# mine\n")
    paths.preferences().parent.mkdir(parents=True)
    paths.preferences().symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="symbolic link"):
        preferences.save_theme("light")
    assert paths.preferences().is_symlink()
    assert (tmp_path / "mine").read_text() == "# mine\n"
