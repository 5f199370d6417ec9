"""Parse a line of terminal output into text and colours; drop all other control sequences."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from rich.ansi import SGR_STYLE_MAP
from rich.color import Color
from rich.style import Style
from rich.text import Text

from zwizard.util.text import one_line

_COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
_TAB = 8
_MOST_RUNS = 500  # in one line; the rest looks like the last run
_IGNORED = (5, 6, 8)  # blinking, and hidden text
_GREYS = frozenset({0, 7, 8, 15, 16, *range(231, 256)})


def parse(raw: str) -> Text:
    r"""The line that ``raw``, without its newline, leaves on a terminal.

    Hidden text is shown.

    >>> parse("a\x1b[31mb\x1b[2Jc").plain
    'abc'
    """
    parts: list[tuple[str, Style]] = []
    column = 0
    for piece, changed in _pieces(raw.rstrip("\r")):
        if "\r" in piece:  # the text so far is overwritten
            parts, column = [], 0
        style = _visible(changed) if len(parts) < _MOST_RUNS else parts[-1][1]
        text = _shown(_overwritten(piece), column)
        parts.append((text, style))
        column += len(text)
    runs = groupby(parts, itemgetter(1))
    return Text.assemble(*(("".join(text for text, _ in run), style) for style, run in runs))


def _pieces(raw: str) -> Iterator[tuple[str, Style]]:
    """The texts between changes of style, each with its style."""
    start, style = 0, Style.null()
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


@lru_cache(maxsize=1024)
def _changed(style: Style, parameters: str) -> Style:
    """``style`` after one sequence of SGR parameters; unknown ones are ignored."""
    codes = [int(code) if code else 0 for code in re.split("[;:]", parameters[:100])]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = Style.null()
        elif code == 38:
            style += Style(color=_extended(codes))
        elif code == 48:
            style += Style(bgcolor=_extended(codes))
        elif code in SGR_STYLE_MAP and code not in _IGNORED:
            style += Style.parse(SGR_STYLE_MAP[code])
    return style


def _extended(codes: list[int]) -> Color | None:
    """The colour of ``5;N`` or ``2;R;G;B``, removed from the front of ``codes``."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return Color.from_ansi(min(codes.pop(0), 255))
    if kind == 2 and len(codes) >= 3:
        return Color.from_rgb(*(min(codes.pop(0), 255) for _ in range(3)))
    codes.clear()
    return None


@lru_cache(maxsize=1024)
def _visible(style: Style) -> Style:
    """``style`` without colours that could be invisible on some background.

    A command must not hide text of its log.
    """
    fore, back = (
        None if colour is None or colour.is_default else colour
        for colour in (style.color, style.bgcolor)
    )
    if fore == back or (fore and not back and fore.number in _GREYS):
        fore = back = None
    return style.without_color + Style(color=fore, bgcolor=back)
