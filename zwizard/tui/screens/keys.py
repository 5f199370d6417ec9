"""Every key by its name, and how to change it."""

from textual.content import Content

from zwizard.tui.base_app import BaseApp
from zwizard.tui.format import block, plain
from zwizard.tui.screens.base import ScreenEntry
from zwizard.tui.screens.dialogs import Reader
from zwizard.tui.widgets.keys import NAMES
from zwizard.util import paths


def _keys_screen(wizard: BaseApp) -> Reader:
    how = f'To change a key, write into {paths.preferences()}:\n\n[keys]\n"page.next" = "f9"'
    lines = [block(how), Content("")]
    for name, binding in sorted(NAMES.items()):
        key = wizard.preferences.keys.get(name, binding.key)
        lines.append(plain(f"{name:<24} {key:<17} {binding.description}"))
    return Reader("Keys", Content("\n").join(lines))


ENTRY = ScreenEntry("keys", "Keys", "Every key, and where to change it", _keys_screen)
