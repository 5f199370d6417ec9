"""A view of a log file: it follows at the end, scrolls, searches, and holds no text itself."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widgets import Input, Static

from zwizard.tui.background import in_background
from zwizard.tui.show import plain
from zwizard.tui.widgets.logfile import LogFile

_TICK = 0.15  # seconds between looks at the file


class LogView(ScrollView, can_focus=True):
    """The lines of a log file. At its end it follows; anywhere else it stays where it is."""

    HELP = (
        "The log as the commands write it. At its end it follows; scroll up and it stays."
        " Left and right show the rest of long lines."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow log", tooltip="Go to the end of the log and stay there"),
        Binding("end", "follow", "Follow", show=False),
        Binding("slash", "search", "Search log", tooltip="Find a text in the log"),
        Binding("n", "again(False)", "Next", tooltip="The next match"),
        Binding("N", "again(True)", "Previous", tooltip="The match before"),
        Binding("home", "start", "Start", show=False),
    ]

    class Search(Message):
        """The user wants to type what to look for."""

    class Grown(Message):
        """The log has more lines, or the view shows another place of it."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self.file: LogFile | None = None
        self.following = True
        self.wanted = ""
        self.found: int | None = None
        self.quiet = "Nothing yet."
        self._moving = False
        self._widest = 0

    def on_mount(self) -> None:
        """Look at the file regularly."""
        self.set_interval(_TICK, self._tick)

    def on_unmount(self) -> None:
        """Let go of the file."""
        self._close()

    def open(self, path: Path | None, quiet: str) -> None:
        """Show the log at ``path``, from its end; ``quiet`` is said while there is nothing."""
        self._close()
        self.file = LogFile(path) if path else None
        self.following, self.found, self.quiet = True, None, quiet
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
        self.virtual_size = Size(self._widest, len(self.file))
        if self.following:
            self._to_end()
        self.refresh()
        self.post_message(self.Grown())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """The next match needs one to begin with."""
        return action != "again" or bool(self.wanted)

    # --- where it is ---

    def _to_end(self) -> None:
        self._moving = True
        self.scroll_end(animate=False, immediate=True, x_axis=False)
        self._moving = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up ends following; reaching the end begins it."""
        super().watch_scroll_y(old_value, new_value)
        if not self._moving and self.is_attached:
            self.following = new_value >= self.max_scroll_y
            self.post_message(self.Grown())

    def on_resize(self, _: events.Resize) -> None:
        """A view at the end stays there."""
        self.call_after_refresh(self._keep_following)

    def _keep_following(self) -> None:
        if self.following:
            self._to_end()

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.following = True
        self._to_end()
        self.post_message(self.Grown())

    def action_start(self) -> None:
        """Go to the beginning."""
        self.scroll_home(animate=False, x_axis=False)

    # --- searching ---

    def action_search(self) -> None:
        """Ask what to look for."""
        self.post_message(self.Search())

    def action_again(self, back: bool) -> None:
        """Go to the next match, or the one before."""
        if self.wanted:
            self.search(self.wanted, back=back)
        else:
            self.action_search()

    @work(exclusive=True, group="search")
    async def search(self, text: str, *, back: bool = False) -> None:
        """Go to the nearest line with ``text`` after (or before) the last match, or the view."""
        file = self.file
        if file is None or not text:
            return
        fresh = text != self.wanted or self.found is None
        self.wanted = text
        self.refresh_bindings()
        here = round(self.scroll_y) if fresh or self.found is None else self.found
        start = here if fresh else here + (-1 if back else 1)
        ends = (start, len(file) - 1 if back else 0)  # once round
        for place in ends:
            if 0 <= place < len(file):
                number = await in_background(lambda at=place: file.find(text, at, back=back))  # type: ignore[misc]
                if number is not None:
                    self._show_match(number)
                    return
        self.app.notify(plain(f"{text!r} is not in this log").plain, markup=False)

    def _show_match(self, number: int) -> None:
        self.found = number
        self.following = False
        self._moving = True
        self.scroll_to(y=max(0, number - self.size.height // 2), animate=False, immediate=True)
        self._moving = False
        self.refresh()
        self.post_message(self.Grown())

    # --- drawing ---

    def render_line(self, y: int) -> Strip:
        """One line of the widget."""
        left, top = self.scroll_offset
        width, number = self.size.width, top + y
        style = self.rich_style
        if self.file is None or number >= len(self.file):
            text = self.quiet if number == 0 else ""
            return Strip([Segment(text, style)]).crop_extend(0, width, style)
        text = self.file.line(number)
        self._widen(cell_len(text))
        strip = Strip(self._segments(text, number))
        return strip.crop_extend(left, left + width, style).apply_offsets(left, number)

    def _segments(self, text: str, number: int) -> list[Segment]:
        style = self.rich_style
        span = self.text_selection.get_span(number) if self.text_selection else None
        if span:
            start, end = span[0], len(text) if span[1] == -1 else span[1]
            chosen = self.screen.get_component_rich_style("screen--selection")
            middle = Segment(text[start:end], style + chosen)
            return [Segment(text[:start], style), middle, Segment(text[end:], style)]
        if number == self.found:
            return [Segment(text, style + self.get_component_rich_style("log--found"))]
        return [Segment(text, style)]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--found"}

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
        """The selected text; only the lines it touches are read."""
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
        """Draw what is selected now."""
        self.refresh()


class LogPane(Vertical):
    """A log view with a line that says what it shows, and one to type what to look for."""

    def compose(self) -> ComposeResult:
        """Title, log, search line."""
        yield Static(id="log-title", markup=False)
        yield LogView()
        field = Input(placeholder="look for …", id="log-search", compact=True)
        field.display = False
        yield field

    def open(self, path: Path | None, title: str, quiet: str) -> None:
        """Show the log at ``path`` under ``title``."""
        self._name = title
        self.query_one(LogView).open(path, quiet)
        self._retitle()

    def say_when_empty(self, quiet: str) -> None:
        """What stands there while the log has no lines."""
        view = self.query_one(LogView)
        if view.quiet != quiet:
            view.quiet = quiet
            view.refresh()

    _name = ""

    @on(LogView.Grown)
    def _retitle(self) -> None:
        view = self.query_one(LogView)
        count = 0 if view.file is None else len(view.file)
        if not count:
            place = ""
        elif view.following:
            place = f"{count:,} lines · following"
        else:
            place = f"line {round(view.scroll_y) + 1:,} of {count:,} · f follows"
        title = Content(" · ").join(filter(None, (plain(self._name, "bold"), Content(place))))
        self.query_one("#log-title", Static).update(title)

    @on(LogView.Search)
    def _ask(self) -> None:
        field = self.query_one("#log-search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#log-search")
    def _look(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave_search()
        if event.value:
            view = self.query_one(LogView)
            view.found = None
            view.search(event.value)

    def leave_search(self) -> bool:
        """Close the search line; whether it was open."""
        field = self.query_one("#log-search", Input)
        if not field.display:
            return False
        field.display = False
        self.query_one(LogView).focus()
        return True
