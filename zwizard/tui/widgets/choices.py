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
from textual.widget import Widget

from zwizard.tui.widgets.inputs import in_order
from zwizard.util.text import one_line
from zwizard.wizard.questions import Choice

_GAP = 2  # cells between two choices in a row


@dataclass(frozen=True)
class _Line:
    """A line as drawn, and the choices on it: (from, to, value)."""

    content: Content
    spots: tuple[tuple[int, int, str], ...] = ()


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

    class Changed(Message):
        """Another choice was made."""

        def __init__(self, choices: Choices, value: str) -> None:
            super().__init__()
            self.choices = choices
            self.value = value

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
        """Choose what was clicked."""
        lines = list(self._lines(self.content_size.width))
        offset = event.get_content_offset(self)
        if offset and offset.y < len(lines):
            for start, end, value in lines[offset.y].spots:
                if start <= offset.x < end:
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
        return Content("\n").join(line.content for line in lines)

    def get_content_height(
        self,
        container: Size,  # noqa: ARG002 - Textual's signature
        viewport: Size,  # noqa: ARG002
        width: int,
    ) -> int:
        """The number of lines that this takes."""
        return len(list(self._lines(width)))

    def _lines(self, width: int) -> Iterator[_Line]:
        available = self._available()
        row = sum(len(_title(choice)) for choice in available) + _GAP * (len(available) - 1)
        if not self.roomy and row <= width:
            yield self._row(available)
            yield from self._others(width)
            return
        for choice in self.options:
            yield from self._stacked(choice, width)

    def _row(self, available: list[Choice]) -> _Line:
        parts, spots, x = [], [], 0
        for choice in available:
            parts.append(self._styled(choice, _title(choice, choice.value == self.value)))
            spots.append((x, x + len(_title(choice)), choice.value))
            x += len(_title(choice)) + _GAP
        return _Line(Content(" " * _GAP).join(parts), tuple(spots))

    def _others(self, width: int) -> Iterator[_Line]:
        """The unavailable choices, by their reason."""
        rest = [choice for choice in self.options if choice.unavailable]
        for reason, group in groupby(rest, key=lambda choice: choice.unavailable):
            names = ", ".join(choice.title for choice in group)
            for line in _wrap(f"– {names}: {reason}", width, indent=2):
                yield _Line(Content.styled(line, "$foreground-muted"))

    def _stacked(self, choice: Choice, width: int) -> Iterator[_Line]:
        title = _title(choice, choice.value == self.value)
        if choice.unavailable:
            title = f"{title} – {one_line(choice.unavailable)}"
        spots = () if choice.unavailable else ((0, width, choice.value),)
        for text in _wrap(title, width, indent=4):
            yield _Line(self._styled(choice, text), spots)
        if self.roomy:
            for text in _wrap(choice.means, width - 4):
                yield _Line(Content.styled("    " + text, "$foreground-muted"), spots)

    def _styled(self, choice: Choice, text: str) -> Content:
        if choice.unavailable:
            return Content.styled(text, "$foreground-muted")
        if choice.value != self.value:
            return Content(text)
        return Content.styled(text, "bold reverse" if self.has_focus else "bold")


def _title(choice: Choice, chosen: bool = False) -> str:
    mark = "–" if choice.unavailable else ("(•)" if chosen else "( )")
    return f"{mark if len(mark) == 3 else f' {mark} '} {one_line(choice.title)}"


def _wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """``text`` in lines of at most ``width``, all but the first indented."""
    return TextWrapper(
        max(10, width), subsequent_indent=" " * indent, break_on_hyphens=False
    ).wrap(one_line(text))
