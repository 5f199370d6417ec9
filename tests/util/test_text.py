"""What is shown is safe for a terminal, and made for people."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zwizard.util.text import ago, duration, one_line, sanitise, size

HOSTILE = {
    "\x1b]0;owned\x07title": "title",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1b[2J\x1b[Hgone": "gone",
    "\x1b[1;31mred\x1b[0m": "red",
    "\x9b31mred": "red",
    "\x1bcreset": "reset",
    "\x1b(0box": "box",
    "\x1bP1$r0m\x1b\\dcs": "dcs",
    "over\rwritten": "over\ufffdwritten",
    "a\x00b": "a\ufffdb",
    "bell\x07": "bell\ufffd",
    "end\x1b": "end\ufffd",
    "\u202ereversed": "\ufffdreversed",
    "no\u200bwidth\u2060, \u00adnor\U000e0041": "no\ufffdwidth\ufffd, \ufffdnor\ufffd",
    "byte \udce9": "byte \ufffd",
    "[red]not markup[/]": "[red]not markup[/]",
    "tab\tnewline\n": "tab\tnewline\n",
    "grüße 漢字 🐧": "grüße 漢字 🐧",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_nothing_a_terminal_acts_on_is_left(text: str, shown: str) -> None:
    assert sanitise(text) == shown


_REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(st.characters(max_codepoint=0x2FFF)))
def test_whatever_comes_only_newlines_and_tabs_stay_of_the_controls(text: str) -> None:
    shown = sanitise(text)
    controls = {c for c in shown if unicodedata.category(c) == "Cc"}
    assert controls <= {"\n", "\t"}
    assert not {c for c in shown if unicodedata.bidirectional(c) in _REORDERING}
    assert sanitise(shown) == shown
    shown.encode()


def test_an_unfinished_sequence_loses_nothing_of_what_follows_a_line_break() -> None:
    said = sanitise("\x1b]0;title without end\nE: the error\n\x07")
    assert said.splitlines()[1] == "E: the error"


def test_one_line_stays_one_line() -> None:
    assert one_line("a\nb\tc\x1b[1m") == "a b c"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (38.4, "38 s"), (59.6, "1 min 0 s"), (72, "1 min 12 s"), (7500, "2 h 5 min")],
)
def test_durations_read_like_speech(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_sizes_are_in_powers_of_1024() -> None:
    assert size(172 * 2**20) == "172.0 MiB"


def test_ages_are_relative_to_now_and_never_in_the_future() -> None:
    assert ago(1000, 1000 + 7300) == "2 hours ago"
    assert ago(2000, 1000) == "now"
