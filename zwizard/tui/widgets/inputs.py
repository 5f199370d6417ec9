"""Text inputs that handle keys strictly in order (works around Textual's async bindings)."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingsMap, BindingType
from textual.widget import Widget
from textual.widgets import Input, TextArea

_SCREEN_KEYS = {"f6", "f7"}  # Textual selects text with these; here they belong to the screen
_FOCUS_KEYS = {"tab": "app.focus_next", "shift+tab": "app.focus_previous"}


class OrderedInput(Input):
    """An input of one line."""

    async def _on_key(self, event: events.Key) -> None:
        await in_order(self, event, self._bindings)


class AnswerInput(OrderedInput):
    """An input among other fields: Enter goes to the next, and after the last to the next page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.next_field", "Next field", show=False)
    ]


class OrderedTextArea(TextArea, inherit_bindings=False):
    """An input of several lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in TextArea.BINDINGS
        if not (isinstance(binding, Binding) and binding.key in _SCREEN_KEYS)
    ]

    async def _on_key(self, event: events.Key) -> None:
        await in_order(self, event, self._bindings)


async def in_order(widget: Widget, event: events.Key, own: BindingsMap) -> None:
    """Run the actions of the widget's ``own`` keys, and of Tab, at once.

    Textual inserts a character when it arrives, but runs the action of Backspace or Tab only after
    that key has bubbled through all parents. When keys arrive together, as over a slow line,
    Backspace would delete the character that was typed after it, and Tab would leave it behind.
    Keys that arrive here after Tab are forwarded to the widget that has the focus by then.
    """
    app = widget.app
    here = app.focused or app.screen
    if here is not widget:
        _used(event)
        here._forward_event(events.Key(event.key, event.character))  # noqa: SLF001 - as App does
        return
    actions = [binding.action for binding in own.key_to_bindings.get(event.key, ())]
    for action in (*actions, *(_FOCUS_KEYS[key] for key in _FOCUS_KEYS if key == event.key)):
        if await app.run_action(action, widget):
            _used(event)
            return


def _used(event: events.Key) -> None:
    event.stop()
    event.prevent_default()
