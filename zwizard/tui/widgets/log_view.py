"""A view of a log file that follows its end, scrolls and searches; it holds no text itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from zwizard.tui.background import in_background
from zwizard.tui.widgets.keys import named
from zwizard.tui.widgets.log_file import LogFile, matcher

_TICK = 0.15  # seconds between reads of the file
_SOON = 0.01  # the same while the index is behind


class LogView(ScrollView, can_focus=True):
    """The lines of a log file. At its end the view follows; elsewhere it stays."""

    HELP = (
        "The log as the commands write it. At its end the view follows it; scroll up to stop"
        " following. Lines that end in › are longer: Left and Right scroll. A search ignores"
        " case unless it has capital letters."
    )

    BINDINGS: ClassVar[list[BindingType]] = named(
        "log",
        [
            Binding("f", "follow", "Follow log", tooltip="Go to the end of the log and follow it"),
            Binding("end", "follow", "Follow", show=False),
            Binding(
                "slash",
                "search(False)",
                "Search log",
                tooltip="Find a text in the log",
                id="log.search",
            ),
            Binding(
                "question_mark",
                "search(True)",
                "Search back",
                key_display="?",
                tooltip="Find a text further up in the log",
                id="log.search-back",
            ),
            Binding("n", "again(False)", "Next", tooltip="Next match", id="log.next"),
            Binding("N", "again(True)", "Previous", tooltip="Previous match", id="log.previous"),
            Binding("home", "start", "Start", show=False),
            Binding("left", "sideways(-1)", "Left", show=False),
            Binding("right", "sideways(1)", "Right", show=False),
        ],
    )

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--current", "log--match", "log--more"}

    @dataclass
    class Search(Message):
        """Ask for the search field; search upwards if ``back``."""

        back: bool

    class Changed(Message):
        """The log has more lines, or the view has scrolled."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self.file: LogFile | None = None
        self.following = True
        self.pattern = ""
        self.match: int | None = None
        self.empty = "No output yet."
        self._scrolling = False
        self._widest = 0

    def on_mount(self) -> None:
        """Read the file regularly."""
        self.set_interval(_TICK, self._tick)

    def on_unmount(self) -> None:
        self._close()

    def open(self, path: Path | None, empty: str) -> None:
        """Show the end of the log at ``path``; ``empty`` is shown while it has no lines."""
        self._close()
        self.file = LogFile(path) if path else None
        self.following, self.match, self.empty = True, None, empty
        self._widest = 0
        self.virtual_size = Size(0, 0)
        self._tick()
        self.refresh()

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file = None

    def _tick(self) -> None:
        if self.file is None or not self.file.grow():
            return
        if self.file.behind:
            self.set_timer(_SOON, self._tick)
        self.virtual_size = Size(self._widest, len(self.file))
        if self.following:
            self._to_end()
        self.refresh()
        self.post_message(self.Changed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "again" or bool(self.pattern)

    # --- position ---

    @property
    def current_line(self) -> int:
        """The number of the match if it is visible, else of the first visible line."""
        top = round(self.scroll_y)
        if self.match is not None and top <= self.match < top + self.size.height:
            return self.match
        return top

    def _to_end(self) -> None:
        self._scrolling = True
        self.scroll_end(animate=False, immediate=True, x_axis=False)
        self._scrolling = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when scrolled up; follow again at the end."""
        super().watch_scroll_y(old_value, new_value)
        if not self._scrolling and self.is_attached:
            self.following = new_value >= self.max_scroll_y
            self.post_message(self.Changed())

    def on_resize(self, _: events.Resize) -> None:
        """Stay at the end while following."""
        self._keep_following()
        self.call_after_refresh(self._keep_following)

    def _keep_following(self) -> None:
        if self.following:
            self._to_end()
            self.refresh()

    def action_follow(self) -> None:
        self.following = True
        self._to_end()
        self.post_message(self.Changed())

    def action_start(self) -> None:
        self.scroll_home(animate=False, x_axis=False)

    def action_sideways(self, direction: int) -> None:
        """Scroll sideways by a third of the width."""
        step = max(8, self.size.width // 3)
        self.scroll_relative(x=direction * step, animate=False)

    # --- searching ---

    def action_search(self, back: bool) -> None:
        self.post_message(self.Search(back))

    def action_again(self, back: bool) -> None:
        """Go to the next match, or to the previous one if ``back``."""
        if self.pattern:
            self.search(self.pattern, back=back)
        else:
            self.action_search(back)

    @work(exclusive=True, group="search")
    async def search(self, text: str, *, back: bool = False) -> None:
        """Go to the nearest line with ``text`` after (or before) the last match, or the view."""
        file = self.file
        if file is None or not text:
            return
        repeated = text == self.pattern
        self.pattern = text
        self.refresh_bindings()
        if not repeated or self.match is None:
            start = min(
                round(self.scroll_y) + (self.size.height - 1 if back else 0), len(file) - 1
            )
        else:
            start = self.match + (-1 if back else 1)
        ends = (start, len(file) - 1 if back else 0)  # to one end, then from the other
        for line in ends:
            if 0 <= line < len(file):
                number = await in_background(lambda at=line: file.find(text, at, back=back))  # type: ignore[misc]
                if number is not None:
                    if line != start:
                        end = "beginning" if back else "end"
                        self.app.notify(
                            f"Reached the {end} of the log; continued from the other end."
                        )
                    self._show_match(number)
                    return
        self.app.notify(f"{text!r} is not in this log")

    def _show_match(self, number: int) -> None:
        self.match = number
        self.following = False
        self._scrolling = True
        self.scroll_to(y=max(0, number - self.size.height // 2), animate=False, immediate=True)
        self._scrolling = False
        self.refresh()
        self.post_message(self.Changed())

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        """Draw one line of the widget."""
        left, top = self.scroll_offset
        width, number = self.scrollable_content_region.width, top + y
        style = self.rich_style
        if self.file is None or number >= len(self.file):
            text = self.empty if number == 0 else ""
            return Strip([Segment(text, style)]).crop_extend(0, width, style)
        line = self.file.look(number)
        length = line.cell_len
        self._widen(length)
        strip = Strip(self._segments(line, number)).crop_extend(left, left + width, style)
        strip = strip.apply_offsets(left, number)
        if length <= left + width:
            return strip
        more = Segment("›", style + self.get_component_rich_style("log--more"))
        return Strip([*strip.crop(0, width - 1), more], width)

    def _segments(self, line: Text, number: int) -> list[Segment]:
        """The line in its colours, with matches and selection highlighted."""
        for start, end in self._matches(line.plain):
            line.stylize(self._match_style(number), start, end)
        if self.text_selection and (span := self.text_selection.get_span(number)):
            end = len(line) if span[1] == -1 else span[1]
            line.stylize(self.screen.get_component_rich_style("screen--selection"), span[0], end)
        line.stylize_before(self.rich_style)
        return list(line.render(self.app.console))

    def _matches(self, text: str) -> list[tuple[int, int]]:
        if not self.pattern:
            return []
        return [match.span() for match in matcher(self.pattern).finditer(text)]

    def _match_style(self, number: int) -> Style:
        name = "log--current" if number == self.match else "log--match"
        return self.get_component_rich_style(name)

    def _widen(self, width: int) -> None:
        if width > self._widest and self.file is not None:
            self._widest = width
            size = Size(width, len(self.file))
            self.call_later(self._resize_to, size)

    def _resize_to(self, size: Size) -> None:
        if self.file is not None and size.width == self._widest:
            self.virtual_size = Size(size.width, len(self.file))

    # --- copying ---

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text; reads only the selected lines."""
        if self.file is None:
            return None
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else len(self.file) - 1
        lines = []
        for number in range(first, min(last + 1, len(self.file))):
            start, end = selection.get_span(number) or (0, 0)
            text = self.file.line(number)
            lines.append(text[start : None if end == -1 else end])
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        """Draw the new selection."""
        self.refresh()
