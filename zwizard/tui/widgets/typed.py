"""Where something is typed: Textual's own widgets, whose keys act in the order they come."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingsMap, BindingType
from textual.widget import Widget
from textual.widgets import Input, TextArea

_THE_SCREENS = {"f6", "f7"}  # selecting, to Textual; the same keys as on every other field, here


class TypedLine(Input):
    """One line to type into."""

    async def _on_key(self, event: events.Key) -> None:
        await _act(self, event, self._bindings)


class TypedLines(TextArea, inherit_bindings=False):
    """Several lines to type into."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in TextArea.BINDINGS
        if not (isinstance(binding, Binding) and binding.key in _THE_SCREENS)
    ]

    async def _on_key(self, event: events.Key) -> None:
        await _act(self, event, self._bindings)


async def _act(widget: Widget, event: events.Key, own: BindingsMap) -> None:
    """Do at once what the widget's own keys do.

    Textual types a character when it arrives, but looks for what Backspace does only after that
    key has gone up through everything around: of keys that come together, as over a slow line,
    Backspace would take away the character that was typed after it.
    """
    for binding in own.key_to_bindings.get(event.key, ()):
        if await widget.app.run_action(binding.action, widget):
            event.stop()
            event.prevent_default()
            return
