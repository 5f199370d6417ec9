"""The user's preferences: theme and keys, from a TOML file that may hold anything."""

import errno
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from zwizard.util import paths

THEMES = ("dark", "light", "high-contrast")
_THEME_LINE = re.compile(r"^theme\s*=.*$", re.MULTILINE)


@dataclass(frozen=True)
class Preferences:
    """``theme`` is one of THEMES, or "" for the terminal's default; ``keys`` by name of action.

    ``complaints`` say what in the file is ignored, and why.
    """

    theme: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()


def load() -> Preferences:
    """The user's preferences; what cannot be used is ignored, with a complaint."""
    path = paths.preferences()
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Preferences()
    except (OSError, ValueError) as error:
        return Preferences(complaints=(f"{path} cannot be read: {error}",))
    complaints = [
        f"{path}: unknown setting {name!r}; allowed: theme, keys"
        for name in sorted(data.keys() - {"theme", "keys"})
    ]
    theme = data.get("theme", "")
    if theme not in ("", *THEMES):
        complaints.append(f"{path}: theme = {theme!r}; allowed: {', '.join(THEMES)}")
        theme = ""
    keys = data.get("keys", {})
    if not isinstance(keys, dict):
        complaints.append(f"{path}: keys = {keys!r}; allowed: a table of names and keys")
        keys = {}
    usable = {name: key for name, key in keys.items() if isinstance(key, str) and key}
    complaints += [
        f"{path}: keys.{name} = {keys[name]!r}; allowed: keys, such as 'f8' or 'ctrl+r'"
        for name in sorted(keys.keys() - usable.keys())
    ]
    return Preferences(theme, usable, tuple(complaints))


def save_theme(theme: str) -> None:
    """Write ``theme`` into the file; the rest of it does not change.

    OSError if it cannot be written; a link, or a file that is not TOML, is left alone.
    """
    path, line = paths.preferences(), f'theme = "{theme}"'
    try:
        text = path.read_text("utf-8")
        tomllib.loads(text)
    except FileNotFoundError:
        text = ""
    except ValueError:
        return
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link; set it in that file", str(path))
    table = re.search(r"^\s*\[", text, re.MULTILINE)
    end = table.start() if table else len(text)  # of the keys outside of tables
    replaced, count = _THEME_LINE.subn(line, text[:end], count=1)
    head = replaced if count else f"{line}\n{replaced}"
    paths.write_atomically(path, head + text[end:])
