"""One line of terminal output as text and colours: colours are kept, nothing else acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from zwizard.util.text import one_line

_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_TAB = 8
_MOST_RUNS = 500  # in one line; what follows looks like the last

Colour = int | tuple[int, int, int] | None  # of the terminal's 256, or red, green and blue


@dataclass(frozen=True)
class TextStyle:
    """How a run of characters looks; None is the colour of the place it is shown at."""

    fore: Colour = None
    back: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


PLAIN = TextStyle()


@dataclass(frozen=True)
class Line:
    """A line as a terminal shows it: its text, safe to show, and how runs of it look.

    ``runs``: from which character on (the first is 0) which look. Hiding is not kept: what stands
    in the log can be read.
    """

    text: str
    runs: tuple[tuple[int, TextStyle], ...] = ((0, PLAIN),)


def parse(raw: str) -> Line:
    r"""The line that ``raw``, without its newline, leaves on a terminal.

    >>> parse("a\x1b[31mb\x1b[2Jc").text
    'abc'
    """
    raw = raw.rstrip("\r")
    if "\x1b" not in raw and "\x9b" not in raw:
        return Line(_shown(_overwritten(raw), 0))
    parts: list[str] = []
    runs: list[tuple[int, TextStyle]] = []
    column = 0
    for piece, look in _pieces(raw):
        if "\r" in piece:  # back to the line's beginning: what follows is written over it
            parts, runs, column = [], [], 0
        if shown := _shown(_overwritten(piece), column):
            if not runs or (runs[-1][1] != look and len(runs) < _MOST_RUNS):
                runs.append((column, look))
            parts.append(shown)
            column += len(shown)
    return Line("".join(parts), tuple(runs) or ((0, PLAIN),))


def _pieces(raw: str) -> Iterator[tuple[str, TextStyle]]:
    """What stands between the changes of colour, and how it looks."""
    start, look = 0, PLAIN
    for found in _COLOUR.finditer(raw):
        yield raw[start : found.start()], look
        look = _changed(look, found[1])
        start = found.end()
    yield raw[start:], look


def _shown(text: str, column: int) -> str:
    """``text``, which begins in ``column``, made safe, its tabs spaces."""
    if "\t" in text:
        ahead = column % _TAB
        text = (" " * ahead + text).expandtabs(_TAB)[ahead:]
    return one_line(text)


def _overwritten(text: str) -> str:
    """``text`` after its last carriage return, each backspace taking a character with it."""
    text = text.rpartition("\r")[2]
    if "\b" not in text:
        return text
    left: list[str] = []
    for character in text:
        if character != "\b":
            left.append(character)
        elif left:
            left.pop()
    return "".join(left)


def _changed(look: TextStyle, parameters: str) -> TextStyle:
    """``look`` after one sequence of SGR parameters; unknown ones change nothing."""
    codes = [int(code) if code else 0 for code in re.split("[;:]", parameters[:100])]
    while codes:
        code = codes.pop(0)
        match code:
            case 0:
                look = PLAIN
            case 1 | 2 | 3 | 4 | 7 | 22 | 23 | 24 | 27:
                look = replace(look, **_SWITCHES[code])
            case 38 | 48:
                colour = _extended(codes)
                look = replace(look, fore=colour) if code == 38 else replace(look, back=colour)
            case 39:
                look = replace(look, fore=None)
            case 49:
                look = replace(look, back=None)
            case _ if 30 <= code <= 37 or 90 <= code <= 97:
                look = replace(look, fore=code - 30 if code < 90 else code - 82)
            case _ if 40 <= code <= 47 or 100 <= code <= 107:
                look = replace(look, back=code - 40 if code < 100 else code - 92)
            case _:
                pass
    return look


_SWITCHES: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"reverse": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
}


def _extended(codes: list[int]) -> Colour:
    """The colour that ``5;N`` or ``2;R;G;B`` names, taken from the front of ``codes``."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return min(codes.pop(0), 255)
    if kind == 2 and len(codes) >= 3:
        red, green, blue = (min(codes.pop(0), 255) for _ in range(3))
        return (red, green, blue)
    codes.clear()
    return None
