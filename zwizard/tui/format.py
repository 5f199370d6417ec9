"""Text on the screen: states as glyph and word, aligned columns, text from outside made safe."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widgets import Static

from zwizard.console.tables import MARKS, WORDS
from zwizard.engine.status import State, StepState
from zwizard.util.text import one_line, sanitise

COLOURS: dict[State | StepState, str] = {
    "running": "$text-accent",
    "ready": "$text-success",
    "done": "$text-success",
    "cached": "$text-success",
    "not-ready": "$text-warning",
    "changed": "$text-warning",
    "missing": "$text-warning",
    "failed": "$text-error",
    "stopped": "$text-warning",
    "waiting": "$foreground-muted",
}
MUTED = "$foreground-muted"


def plain(text: str, style: str = "") -> Content:
    """Text from outside as content: one line, nothing in it acts on the terminal or is markup."""
    return Content.styled(one_line(text), style) if style else Content(one_line(text))


def block(text: str, style: str = "") -> Content:
    """The same for text of several lines."""
    return Content.styled(sanitise(text), style) if style else Content(sanitise(text))


def mark(state: State | StepState, width: int = 0, text: str = "") -> Content:
    """A state as its glyph and word, or as ``text``; never as colour alone."""
    return Content.styled(fit(text or f"{MARKS[state]} {WORDS[state]}", width), COLOURS[state])


def fit(text: str, width: int) -> str:
    """``text`` in one line, cut or padded to ``width`` cells; 0 leaves its length as it is."""
    line = one_line(text)
    if not width:
        return line
    if cell_len(line) > width:
        return set_cell_size(line, width - 1) + "…"
    return set_cell_size(line, width)


def join(*parts: Content | str, between: str = "  ") -> Content:
    """The parts in one line."""
    return Content(between).join(
        Content(part) if isinstance(part, str) else part for part in parts
    )


def joined(parts: Iterable[Content | None], width: int, spare: Sequence[int]) -> Content:
    """The parts in one line of ``width`` cells; parts are left out until they fit.

    ``spare`` lists the positions of the parts that may be left out, the first to go first. None is
    no part, and keeps its position.
    """
    left = {place: part for place, part in enumerate(parts) if part is not None}
    for place in spare:
        line = Content(" · ").join(left.values())
        if line.cell_length <= width:
            return line
        left.pop(place, None)
    return Content(" · ").join(left.values())


def renew(place: Static, text: Content) -> None:
    """Show ``text`` in ``place``; the layout is redone only if the text needs other room."""
    old = place.content
    if isinstance(old, Content) and old == text:
        return
    width = place.size.width
    lines = (old, text) if isinstance(old, Content) else ()
    fits = (line and "\n" not in line.plain and line.cell_length <= width for line in lines)
    place.update(text, layout=not lines or not all(fits))


def bar(fraction: float, width: int = 12) -> Content:
    """A bar of ``width`` cells, filled up to ``fraction`` (0 to 1), and the per cent."""
    filled = round(max(0.0, min(1.0, fraction)) * width)
    parts = ("▓" * filled, "$text-accent"), ("░" * (width - filled), MUTED)
    return Content.assemble(*parts, f" {int(100 * fraction):>2} %")


def age(seconds: float) -> str:
    """How long ago in a narrow column: ``15 s ago``, ``3 h ago``, ``2 d ago``."""
    whole = max(0, round(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= length:
            return f"{whole // length} {unit} ago"
    return f"{whole} s ago"
