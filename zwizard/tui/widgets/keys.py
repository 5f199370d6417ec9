"""The keys: each has a name by which it is remapped; the footer shows those that work now."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import events
from textual.binding import ActiveBinding, Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Input, Static, TextArea

from zwizard.util.text import duration

NAMES: dict[str, Binding] = {}  # every action that has a key, by its name ("review.build")


class Remappable:
    """Names the bindings of a class, so that the preferences can change their keys."""

    BINDINGS: ClassVar[list[BindingType]]

    def __init_subclass__(cls, **options: Any) -> None:
        if "BINDINGS" in cls.__dict__:
            cls.BINDINGS = named(cls.__name__.removesuffix("Screen").lower(), cls.BINDINGS)
        super().__init_subclass__(**options)


def named(owner: str, bindings: Sequence[BindingType]) -> list[BindingType]:
    """These bindings with names: ``owner.action``, as in "review.build", if they have none yet."""
    result = [_named(owner, binding) for binding in bindings if isinstance(binding, Binding)]
    NAMES.update((b.id or "", b) for b in result if b.show or b.tooltip)
    return list(result)


def _named(owner: str, binding: Binding) -> Binding:
    if binding.id:
        return binding
    action = binding.action.rpartition("app.")[2]
    words = re.sub(r"\W+", "-", action).strip("-").replace("_", "-")
    return replace(binding, id=f"{owner}.{words}")


def shown(screen: Screen[object]) -> list[ActiveBinding]:
    """The bindings to show: each action once, and only those that can be used now."""
    found: dict[tuple[object, str], ActiveBinding] = {}
    typing = isinstance(screen.focused, Input | TextArea)
    for active in screen.active_bindings.values():
        typed = typing and (len(active.binding.key) == 1 or active.binding.key == "slash")
        if active.binding.show and active.enabled and not typed:
            found.setdefault((active.node, active.binding.action), active)
    return list(found.values())


class Keys(Static):
    """The footer: keys and what they do; a click presses the key."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def on_mount(self) -> None:
        """Follow the focus and the state of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)

    def on_resize(self, _: events.Resize) -> None:
        """Arrange the keys for the new width; notifications stay above them."""
        self._renew(self.screen)
        for rack in self.screen.query("ToastRack"):
            rack.styles.margin = (0, 0, self.outer_size.height, 0)

    _waits_for = ""

    def wait_for(self, text: str, seconds: float) -> None:
        """Show in place of the keys, which do nothing now, what is waited for; "" ends it."""
        if text:
            glyph = "●○"[int(seconds * 2) % 2]
            passed = f" {duration(seconds)}" if seconds >= 1 else ""
            first = Content.styled(f"{glyph} {text} …{passed}", "bold $text-accent")
            self.update(first + Content("\n" * (self.size.height - 1)))
        if text != self._waits_for:
            self._waits_for = text
            self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        shown_here = screen is self.screen and self.is_attached and self.size.width
        if shown_here and not self._waits_for:
            self.update(Content("\n").join(self._lines(screen)))

    def _lines(self, screen: Screen[object]) -> list[Content]:
        """The keys on lines; a key and its word stay together."""
        lines: list[Content] = []
        for key in map(self._key, shown(screen)):
            wider = Content("  ").join([lines[-1], key]) if lines else key
            if lines and wider.cell_length <= self.size.width:
                lines[-1] = wider
            else:
                lines.append(key)
        return lines

    def _key(self, active: ActiveBinding) -> Content:
        key = self.app.get_key_display(active.binding)
        press = Style.from_meta({"press": active.binding.key})
        return Content.assemble(
            (key, "bold $text-accent"), " ", active.binding.description
        ).stylize(press)

    def on_click(self, event: events.Click) -> None:
        if key := event.style.meta.get("press"):
            self.app.simulate_key(key)
