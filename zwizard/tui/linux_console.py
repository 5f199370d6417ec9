"""The Linux console: its fonts have few glyphs, so what they lack is drawn with what they have."""

from __future__ import annotations

import os
import unicodedata

from rich.cells import cell_len
from textual.driver import Driver

_ALWAYS = frozenset(bytes(range(128, 256)).decode("cp437"))  # with the lines and blocks
_INSTEAD = {
    "✓": "+",
    "✗": "x",
    "●": "*",
    "○": "o",
    "■": "#",
    "•": "*",
    "→": ">",
    "›": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "×": "x",
    "…": ".",
    **dict.fromkeys("–—−", "-"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’‚", "'"),
    **dict.fromkeys("▁▂▃▅▆▇", "▄"),
    **dict.fromkeys("▔🮂🮃🮄🮅🮆", "▀"),
    **dict.fromkeys("▏▎▍▋▊▉", "▌"),
    **dict.fromkeys("▕🮇🮈🮉🮊🮋", "▐"),
    **dict.fromkeys("╭┏", "┌"),
    **dict.fromkeys("╮┓", "┐"),
    **dict.fromkeys("╰┗", "└"),
    **dict.fromkeys("╯┛", "┘"),
    **dict.fromkeys("━╺╸╴╶╍╌", "─"),
    **dict.fromkeys("┃╏╎╻╹", "│"),
    "▸": ">",
    "▾": "v",
}


class _Glyphs(dict[int, str]):
    """What stands for a character, as wide as it; worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code < 0x80 or character in _ALWAYS:
            drawn = character
        else:
            drawn = _INSTEAD.get(character) or _letters(character)
        self[code] = drawn
        return drawn


def _letters(character: str) -> str:
    """The letter without its accents, else a question mark for each cell."""
    width = cell_len(character)
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare if len(bare) == width else "?" * width


_GLYPHS = _Glyphs()


def drawable(text: str) -> str:
    """``text`` in glyphs that the console has, each in its place."""
    return text.translate(_GLYPHS)


def driver() -> type[Driver] | None:
    """The driver for this terminal; None for Textual's own choice."""
    return _console_driver() if os.environ.get("TERM") == "linux" else None


def _console_driver() -> type[Driver]:
    from textual.drivers.linux_driver import LinuxDriver

    class ConsoleDriver(LinuxDriver):
        """Writes only what the console can draw."""

        def write(self, data: str) -> None:
            super().write(drawable(data))

    return ConsoleDriver
