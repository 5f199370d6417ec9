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
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from zwizard.tui.format import MUTED
from zwizard.tui.widgets.inputs import in_order
from zwizard.util.text import one_line
from zwizard.wizard.questions import Choice

_GAP = 2  # cells between two choices in a row


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
        return Content("\n").join(self._lines(self.content_size.width or 40))

    def get_content_height(
        self,
        container: Size,  # noqa: ARG002 - Textual's signature
        viewport: Size,  # noqa: ARG002
        width: int,
    ) -> int:
        """The number of lines that this takes."""
        return len(list(self._lines(width)))

    def _lines(self, width: int) -> Iterator[Content]:
        row = Content(" " * _GAP).join(
            self._styled(choice, self._title(choice)) for choice in self._available()
        )
        if not self.roomy and row.cell_length <= width:
            yield row
            yield from self._others(width)
            return
        for choice in self.options:
            yield from self._stacked(choice, width)

    def _others(self, width: int) -> Iterator[Content]:
        """The unavailable choices, by their reason."""
        rest = [choice for choice in self.options if choice.unavailable]
        for reason, group in groupby(rest, key=lambda choice: choice.unavailable):
            names = ", ".join(choice.title for choice in group)
            for line in _wrap(f"– {names}: {reason}", width, indent=2):
                yield Content.styled(line, MUTED)

    def _stacked(self, choice: Choice, width: int) -> Iterator[Content]:
        title = self._title(choice)
        if choice.unavailable:
            title = f"{title} – {one_line(choice.unavailable)}"
        for text in _wrap(title, width, indent=4):
            yield self._styled(choice, text)
        if self.roomy:
            for text in _wrap(choice.means, width - 4):
                yield Content.styled(f"    {text}", MUTED).stylize(_clickable(choice))

    def _title(self, choice: Choice) -> str:
        mark = " – " if choice.unavailable else "(•)" if choice.value == self.value else "( )"
        return f"{mark} {one_line(choice.title)}"

    def _styled(self, choice: Choice, text: str) -> Content:
        if choice.unavailable:
            return Content.styled(text, MUTED)
        style = ("bold reverse" if self.has_focus else "bold") * (choice.value == self.value)
        return Content.styled(text, style).stylize(_clickable(choice))


def _clickable(choice: Choice) -> Style:
    return Style.from_meta({"choice": choice.value})


def _wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """``text`` in lines of at most ``width``, all but the first indented."""
    return TextWrapper(
        max(10, width), subsequent_indent=" " * indent, break_on_hyphens=False
    ).wrap(one_line(text))
