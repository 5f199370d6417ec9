"""Parsing of a log line: colours are kept, other control sequences are dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zwizard.tui.widgets.ansi import PLAIN, Line, TextStyle, parse
from zwizard.util.text import one_line

RED = TextStyle(fore=1)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("plain", Line("plain")),
        ("", Line("")),
        ("\x1b[31mred\x1b[0m off", Line("red off", ((0, RED), (3, PLAIN)))),
        ("a\x1b[1;4;31mb", Line("ab", ((0, PLAIN), (1, TextStyle(1, bold=True, underline=True))))),
        ("a\x1b[mb", Line("ab")),
        ("a\x1b[97;41mb", Line("ab", ((0, PLAIN), (1, TextStyle(15, 1))))),
        ("a\x1b[38;5;208mb", Line("ab", ((0, PLAIN), (1, TextStyle(208))))),
        ("a\x1b[38;2;1;2;999mb", Line("ab", ((0, PLAIN), (1, TextStyle((1, 2, 255)))))),
        ("a\x1b[38:5:9mb", Line("ab", ((0, PLAIN), (1, TextStyle(9))))),
        ("a\x1b[38;5mb", Line("ab")),
        ("a\x1b[8;5;200mb", Line("ab")),  # neither hidden nor blinking
        ("a\x1b[2J\x1b]0;title\x07b", Line("ab")),
        ("\x1b[31m10%\r\x1b[32m99%", Line("99%", ((0, TextStyle(2)),))),
    ],
)
def test_text_and_colours_are_kept(raw: str, line: Line) -> None:
    assert parse(raw) == line


WHOLE = ("a", "é漢", "\x1b[31m", "\x1b[0m", "\x1b[2J", "\x1b]0;title\x07", "\x07")
TORN = (
    "\t",
    "\r",
    "\b",
    "\x1b",
    "[",
    "\x1b[",
    "31",
    ";",
    "m",
    "\x1b]0;",
    "\x1b\\",
    "\x9b",
    "2J",
    "38;5;",
)


@given(st.lists(st.sampled_from(WHOLE + TORN), max_size=30).map("".join))
def test_control_sequences_are_dropped_and_runs_fit_the_text(raw: str) -> None:
    line = parse(raw)
    assert one_line(line.text) == line.text
    starts = [start for start, _ in line.runs]
    assert starts == sorted(starts)
    assert all(0 <= start <= len(line.text) for start in starts)
    assert starts[0] == 0


@given(st.lists(st.sampled_from(WHOLE), max_size=30).map("".join))
def test_colours_do_not_change_the_text(raw: str) -> None:
    assert parse(raw).text == one_line(raw)


@pytest.mark.slow
def test_the_number_of_runs_is_limited() -> None:
    line = parse("\x1b[31ma\x1b[32mb" * 5000)
    assert line.text == "ab" * 5000
    assert len(line.runs) == 500
