"""Keys while an action is pending: it is not started twice, and no other screen gets them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input
from textual.worker import Worker

from zwizard.tui.screens.dialogs import Dialog
from zwizard.tui.widgets.keys import Keys, shown

_EVERY = 0.05  # seconds between two looks at what is pending
_ALWAYS = {"escape", "f1", "ctrl+c", "ctrl+q"}  # leaving and help work at any time


@dataclass(frozen=True)
class _Action:
    """An action that a key started on ``screen``."""

    text: str
    screen: Screen[object]
    worker: Worker[object]
    since: float


class PendingActions:
    """The actions started by keys that have neither ended nor opened another screen.

    Keys pressed meanwhile are kept for the input of the dialog that such an action opens; if it
    opens none, they are dropped.
    """

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._actions: list[_Action] = []
        self._kept: list[events.Key] = []
        self._pressed_on: WeakKeyDictionary[events.Key, Screen[object]] = WeakKeyDictionary()
        self._timer: Timer | None = None
        self._looks = 0  # in a row that found something pending: most actions are done at once

    def holds(self, key: events.Key) -> bool:
        """Whether ``key`` must not be handled now: it comes, or comes back from a widget."""
        screen = self._pressed_on.setdefault(key, self._app.screen)
        if key.key in _ALWAYS:
            return False
        if screen is self._app.screen and not self._pending() and self._is_ready(screen):
            return False
        self._kept.append(key)
        self._wait()
        return True

    def started(self, key: events.Key, before: set[Worker[object]]) -> None:
        """Notice what ``key`` started: the workers that were not there ``before``."""
        screen = self._pressed_on.get(key)
        new = [w for w in set(self._app.workers) - before if w.group == "default"]
        if screen is None or not new:
            return
        bindings = (active.binding for active in shown(screen) if active.binding.key == key.key)
        text = next((binding.description for binding in bindings), "")
        now = time.monotonic()
        self._actions += [_Action(text, screen, worker, now) for worker in new]
        self._wait()

    def _pending(self) -> list[_Action]:
        self._actions = [action for action in self._actions if not action.worker.is_finished]
        return [action for action in self._actions if action.screen is self._app.screen]

    def _is_ready(self, screen: Screen[object]) -> bool:
        return not isinstance(screen, Dialog) or screen.was_focused

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self._app.set_interval(_EVERY, self._look)
            self._look()

    def _look(self) -> None:
        """Show what is waited for; give the kept keys to the dialog that has opened."""
        screen, pending = self._app.screen, self._pending()
        self._looks = self._looks + 1 if pending else 0
        for keys in screen.query(Keys):
            since = min((action.since for action in pending), default=0.0)
            text = next((action.text for action in pending if self._looks > 1), "")
            keys.wait_for(text, time.monotonic() - since if text else 0.0)
        if pending or not self._is_ready(screen):
            return
        kept, self._kept = self._kept, []
        if isinstance(screen, Dialog) and isinstance(screen.focused, Input):
            for key in sorted(kept, key=lambda key: key.time):
                self._app.post_message(events.Key(key.key, key.character))
        if self._timer and not self._actions:
            self._timer.stop()
            self._timer = None
