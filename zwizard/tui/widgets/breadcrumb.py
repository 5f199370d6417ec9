"""The row of pages above a page: which one is shown, and the state of the others."""

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from zwizard.tui.format import renew
from zwizard.tui.navigation import TITLES, Navigation, PageState

_MARKS: dict[PageState, str] = {"done": "✓", "here": "●", "open": "○", "changed": "!"}
_ROOMY = 6  # this many pages fit into 80 columns with two spaces between them
_STYLES: dict[PageState, str] = {
    "done": "$text-success",
    "here": "bold $text-accent",
    "open": "$foreground-muted",
    "changed": "bold $text-warning",
}


class Breadcrumb(Static):
    """The pages in a row: ✓ done, ● here, ○ open, ! needs another look; a click opens one."""

    def __init__(self) -> None:
        super().__init__(id="breadcrumb", markup=False)

    def show(self, navigation: Navigation, here: str) -> None:
        """Show the states of the pages while ``here`` is on the screen."""
        states = {name: navigation.state(name, here) for name in navigation.pages}
        parts = [
            Content.styled(f"{_MARKS[state]}\u00a0{TITLES[name]}", _STYLES[state]).stylize(
                Style.from_meta({"page": number})
            )
            for number, (name, state) in enumerate(states.items(), 1)
        ]
        renew(self, Content("  " if len(parts) <= _ROOMY else " ").join(parts))

    async def on_click(self, event: events.Click) -> None:
        """Open the page, as its key does."""
        if number := event.style.meta.get("page"):
            await self.run_action(f"screen.page({number})")
