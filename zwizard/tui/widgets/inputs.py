"""Where one answers by keys: they act in the order they come, however quickly."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingsMap, BindingType
from textual.widget import Widget
from textual.widgets import Input, TextArea

_THE_SCREENS = {"f6", "f7"}  # selecting, to Textual; the same keys as on every other field, here
_ON = {"tab": "app.focus_next", "shift+tab": "app.focus_previous"}


class OrderedInput(Input):
    """One line to type into."""

    async def _on_key(self, event: events.Key) -> None:
        await in_order(self, event, self._bindings)


class AnswerInput(OrderedInput):
    """One of several: Enter goes on to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "app.focus_next", "Next field", show=False)
    ]


class OrderedTextArea(TextArea, inherit_bindings=False):
    """Several lines to type into."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in TextArea.BINDINGS
        if not (isinstance(binding, Binding) and binding.key in _THE_SCREENS)
    ]

    async def _on_key(self, event: events.Key) -> None:
        await in_order(self, event, self._bindings)


async def in_order(widget: Widget, event: events.Key, own: BindingsMap) -> None:
    """Do at once what the widget's ``own`` keys do, and those that go on to another field.

    Textual types a character when it arrives, but looks for what Backspace or Tab does only after
    that key has gone up through everything around: of keys that come together, as over a slow
    line, Backspace would take away the character that was typed after it, and Tab would leave it
    behind. What was sent here and comes after Tab is handed on to where one is by then.
    """
    app = widget.app
    here = app.focused or app.screen
    if here is not widget:
        _used(event)
        here._forward_event(events.Key(event.key, event.character))  # noqa: SLF001 - as App does
        return
    actions = [binding.action for binding in own.key_to_bindings.get(event.key, ())]
    for action in (*actions, *(_ON[key] for key in _ON if key == event.key)):
        if await app.run_action(action, widget):
            _used(event)
            return


def _used(event: events.Key) -> None:
    event.stop()
    event.prevent_default()
