"""A control for one of several choices: in a row where they fit, else one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from textwrap import TextWrapper
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from zwizard.tui.format import MUTED
from zwizard.tui.widgets.inputs import in_order
from zwizard.util.text import one_line
from zwizard.wizard.questions import Choice

_GAP = 2  # cells between two choices in a row

# Of a line: a text, what a click on it chooses, and whether the text is its title.
_Piece = tuple[str, Choice | None, bool]


class Choices(Widget, can_focus=True):
    """The choices of a question. Arrows choose; an unavailable one is shown with its reason.

    ``roomy`` puts each on lines of its own, with its meaning.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left", "move(-1)", "Choose", show=False),
        Binding("down,right", "move(1)", "Choose", show=False),
        Binding("home", "end(0)", "First", show=False),
        Binding("end", "end(-1)", "Last", show=False),
    ]

    @dataclass
    class Changed(Message):
        """Another choice was made."""

        choices: Choices
        value: str

    def __init__(self, options: tuple[Choice, ...], value: str, *, roomy: bool) -> None:
        super().__init__()
        self.options = options
        self.value = value
        self.roomy = roomy

    @property
    def chosen(self) -> Choice | None:
        """The chosen choice; None if the answer is none of them."""
        return next((c for c in self.options if c.value == self.value), None)

    def set(self, options: tuple[Choice, ...], value: str) -> None:
        """Change the choices, or which one is chosen."""
        if (options, value) != (self.options, self.value):
            self.options, self.value = options, value
            self.refresh(layout=True)

    def explain(self, roomy: bool) -> None:
        """Put each choice on lines of its own, with its meaning, or all in a row that fits."""
        if roomy != self.roomy:
            self.roomy = roomy
            self.refresh(layout=True)

    @property
    def chosen_region(self) -> Region:
        """The lines of the chosen choice, in this widget; the first line if none is chosen."""
        lines = list(self._lines(self.content_size.width or 40))
        chosen = [
            number
            for number, line in enumerate(lines)
            if any(choice and choice.value == self.value for _, choice, _ in line)
        ] or [0]
        return Region(0, chosen[0], max(1, self.size.width), chosen[-1] - chosen[0] + 1)

    # --- choosing ---

    async def _on_key(self, event: events.Key) -> None:
        await in_order(self, event, self._bindings)

    def action_move(self, by: int) -> None:
        """Choose the next one or the previous one; it does not wrap around."""
        available = self._available()
        if not available:
            return
        values = [choice.value for choice in available]
        now = (
            values.index(self.value)
            if self.value in values
            else (-1 if by > 0 else len(available))
        )
        self._choose(values[max(0, min(len(values) - 1, now + by))])

    def action_end(self, index: int) -> None:
        """Choose the first (0) or the last (-1)."""
        if available := self._available():
            self._choose(available[index].value)

    def on_click(self, event: events.Click) -> None:
        if (value := event.style.meta.get("choice")) is not None:
            self._choose(value)

    def _available(self) -> list[Choice]:
        return [choice for choice in self.options if not choice.unavailable]

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.refresh(layout=True)
            self.post_message(self.Changed(self, value))

    # --- drawing ---

    def render(self) -> Content:
        """The choices, drawn for the width of the widget."""
        lines = self._lines(self.content_size.width or 40)
        return Content("\n").join(Content.assemble(*map(self._styled, line)) for line in lines)

    def get_content_height(
        self,
        container: Size,  # noqa: ARG002 - Textual's signature
        viewport: Size,  # noqa: ARG002
        width: int,
    ) -> int:
        """The number of lines that this takes."""
        return len(list(self._lines(width)))

    def _lines(self, width: int) -> Iterator[list[_Piece]]:
        row: list[_Piece] = []
        for choice in self._available():
            row += [(_title(choice, self.value), choice, True), (" " * _GAP, None, False)]
        explained = self.roomy and any(choice.means for choice in self.options)
        if not explained and sum(len(text) for text, _, _ in row) - _GAP <= width:
            yield row[:-1]
            yield from self._others(width)
            return
        for choice in self.options:
            yield from self._stacked(choice, width)

    def _others(self, width: int) -> Iterator[list[_Piece]]:
        """The unavailable choices, by their reason."""
        rest = [choice for choice in self.options if choice.unavailable]
        for reason, group in groupby(rest, key=lambda choice: choice.unavailable):
            names = ", ".join(choice.title for choice in group)
            for line in _wrap(f"– {names}: {reason}", width, indent=2):
                yield [(line, None, False)]

    def _stacked(self, choice: Choice, width: int) -> Iterator[list[_Piece]]:
        title, chosen = _title(choice, self.value), None if choice.unavailable else choice
        if choice.unavailable:
            title = f"{title} – {one_line(choice.unavailable)}"
        for text in _wrap(title, width, indent=4):
            yield [(text, chosen, True)]
        if self.roomy:
            for text in _wrap(choice.means, width - 4):
                yield [(f"    {text}", chosen, False)]

    def _styled(self, piece: _Piece) -> Content:
        text, choice, is_title = piece
        if choice is None:
            return Content.styled(text, MUTED)
        style = "" if is_title else MUTED
        if is_title and choice.value == self.value:
            style = "bold reverse" if self.has_focus else "bold"
        return Content.styled(text, style).stylize(Style.from_meta({"choice": choice.value}))


def _title(choice: Choice, chosen: str) -> str:
    mark = " – " if choice.unavailable else "(•)" if choice.value == chosen else "( )"
    return f"{mark} ".replace(" ", "\u00a0") + one_line(choice.title)  # never a mark alone


def _wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """``text`` in lines of at most ``width``, all but the first indented."""
    return TextWrapper(
        max(10, width), subsequent_indent=" " * indent, break_on_hyphens=False
    ).wrap(one_line(text))
