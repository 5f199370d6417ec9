"""The footer: every key that does something now, on as many lines as that takes."""

from __future__ import annotations

from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static


def shown(screen: Screen[object]) -> list[ActiveBinding]:
    """The bindings worth showing, each action once, those that cannot be used left out."""
    found: dict[tuple[object, str], ActiveBinding] = {}
    for active in screen.active_bindings.values():
        if active.binding.show and active.enabled:
            found.setdefault((active.node, active.binding.action), active)
    return list(found.values())


class Keys(Static):
    """Keys and what they do; a click presses the key."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def on_mount(self) -> None:
        """Keep up with what the focus and the screen's state make possible."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)
        self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        if screen is self.screen and self.is_attached:
            self.update(Content("  ").join(self._key(active) for active in shown(screen)))

    def _key(self, active: ActiveBinding) -> Content:
        key = self.app.get_key_display(active.binding)
        press = Style.from_meta({"press": active.binding.key})
        # A hard space keeps a key and its word on one line.
        words = active.binding.description.replace(" ", "\u00a0")
        return Content.assemble((key, "bold $text-accent"), ("\u00a0" + words, "$text")).stylize(
            press
        )

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        if key := event.style.meta.get("press"):
            self.app.simulate_key(key)
