"""Parse a line of terminal output into text and colours; drop all other control sequences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from zwizard.util.text import one_line

_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_TAB = 8
_MOST_RUNS = 500  # in one line; the rest looks like the last run

Colour = int | tuple[int, int, int] | None  # one of 256, or (red, green, blue)


@dataclass(frozen=True)
class TextStyle:
    """The style of a run of characters; the colour None is the default."""

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
    """A line as a terminal shows it: its text without control sequences, and its styles.

    ``runs``: the first character (from 0) of each run and its style. Hidden text is shown.
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
    for piece, style in _pieces(raw):
        if "\r" in piece:  # the text so far is overwritten
            parts, runs, column = [], [], 0
        if shown := _shown(_overwritten(piece), column):
            if not runs or (runs[-1][1] != style and len(runs) < _MOST_RUNS):
                runs.append((column, style))
            parts.append(shown)
            column += len(shown)
    return Line("".join(parts), tuple(runs) or ((0, PLAIN),))


def _pieces(raw: str) -> Iterator[tuple[str, TextStyle]]:
    """The texts between changes of style, each with its style."""
    start, style = 0, PLAIN
    for match in _COLOUR.finditer(raw):
        yield raw[start : match.start()], style
        style = _changed(style, match[1])
        start = match.end()
    yield raw[start:], style


def _shown(text: str, column: int) -> str:
    """``text``, which starts in ``column``, without control characters; tabs become spaces."""
    if "\t" in text:
        ahead = column % _TAB
        text = (" " * ahead + text).expandtabs(_TAB)[ahead:]
    return one_line(text)


def _overwritten(text: str) -> str:
    """``text`` after its last carriage return; each backspace removes a character."""
    text = text.rpartition("\r")[2]
    if "\b" not in text:
        return text
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)


def _changed(style: TextStyle, parameters: str) -> TextStyle:
    """``style`` after one sequence of SGR parameters; unknown ones are ignored."""
    codes = [int(code) if code else 0 for code in re.split("[;:]", parameters[:100])]
    while codes:
        code = codes.pop(0)
        match code:
            case 0:
                style = PLAIN
            case 1 | 2 | 3 | 4 | 7 | 22 | 23 | 24 | 27:
                style = replace(style, **_SWITCHES[code])
            case 38 | 48:
                colour = _extended(codes)
                style = replace(style, fore=colour) if code == 38 else replace(style, back=colour)
            case 39:
                style = replace(style, fore=None)
            case 49:
                style = replace(style, back=None)
            case _ if 30 <= code <= 37 or 90 <= code <= 97:
                style = replace(style, fore=code - 30 if code < 90 else code - 82)
            case _ if 40 <= code <= 47 or 100 <= code <= 107:
                style = replace(style, back=code - 40 if code < 100 else code - 92)
            case _:
                pass
    return style


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
    """The colour of ``5;N`` or ``2;R;G;B``, removed from the front of ``codes``."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return min(codes.pop(0), 255)
    if kind == 2 and len(codes) >= 3:
        red, green, blue = (min(codes.pop(0), 255) for _ in range(3))
        return (red, green, blue)
    codes.clear()
    return None
