"""Parsing of a log line: colours are kept, other control sequences are dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from rich.text import Span, Text

from zwizard.tui.widgets.ansi import parse
from zwizard.util.text import one_line


def _line(text: str, *runs: tuple[int, int, str]) -> Text:
    return Text(text, spans=[Span(start, end, Style.parse(style)) for start, end, style in runs])


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("plain", _line("plain")),
        ("", _line("")),
        ("\x1b[31mred\x1b[0m off", _line("red off", (0, 3, "color(1)"))),
        ("a\x1b[1;4;31mb", _line("ab", (1, 2, "bold underline color(1)"))),
        ("a\x1b[mb", _line("ab")),
        ("a\x1b[97;41mb", _line("ab", (1, 2, "color(15) on color(1)"))),
        ("a\x1b[38;5;208mb", _line("ab", (1, 2, "color(208)"))),
        ("a\x1b[38;2;1;2;999mb", _line("ab", (1, 2, "#0102ff"))),
        ("a\x1b[38:5:9mb", _line("ab", (1, 2, "color(9)"))),
        ("a\x1b[38;5mb", _line("ab")),
        ("a\x1b[8;5;200mb", _line("ab")),  # neither hidden nor blinking
        ("a\x1b[2J\x1b]0;title\x07b", _line("ab")),
        ("\x1b[31ma\x1b[39mb", _line("ab", (0, 1, "color(1)"))),
        ("\x1b[31;41ma\x1b[0;30mb\x1b[38;5;240mc", _line("abc")),  # invisible somewhere
        ("\x1b[31m10%\r\x1b[32m99%", _line("99%", (0, 3, "color(2)"))),
    ],
)
def test_text_and_colours_are_kept(raw: str, line: Text) -> None:
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
    assert one_line(line.plain) == line.plain
    edges = [edge for span in line.spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(line.plain) for edge in edges)


@given(st.lists(st.sampled_from(WHOLE), max_size=30).map("".join))
def test_colours_do_not_change_the_text(raw: str) -> None:
    assert parse(raw).plain == one_line(raw)


@pytest.mark.slow
def test_the_number_of_runs_is_limited() -> None:
    line = parse("\x1b[31ma\x1b[32mb" * 5000)
    assert line.plain == "ab" * 5000
    assert 400 < len(line.spans) <= 500
