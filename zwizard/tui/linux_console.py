"""Replace characters that the fonts of the Linux console lack with similar ones."""

import os
import unicodedata

from rich.cells import cell_len
from textual.driver import Driver

_ALWAYS = frozenset(bytes(range(128, 256)).decode("cp437"))  # lines and blocks included
_SUBSTITUTES = {
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
    """The substitute of each character, of the same width; computed at its first use."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code < 0x80 or character in _ALWAYS:
            drawn = character
        else:
            drawn = _SUBSTITUTES.get(character) or _letters(character)
        self[code] = drawn
        return drawn


def _letters(character: str) -> str:
    """The letter without its accents, or a question mark for each cell."""
    width = cell_len(character)
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare if len(bare) == width else "?" * width


_GLYPHS = _Glyphs()


def drawable(text: str) -> str:
    """``text`` in characters that the console can draw, each as wide as the original."""
    return text.translate(_GLYPHS)


def driver() -> type[Driver] | None:
    """The driver for this terminal; None for Textual's own choice."""
    if os.environ.get("TERM") != "linux":
        return None
    from textual.drivers.linux_driver import LinuxDriver

    class ConsoleDriver(LinuxDriver):
        """Writes only what the console can draw."""

        def write(self, data: str) -> None:
            super().write(drawable(data))

    return ConsoleDriver
