"""Time zones and locales: offered from the host's lists, misspelled ones noticed."""

import re
from difflib import get_close_matches

from zwizard.families.guest import is_generated
from zwizard.wizard.questions import RawAnswers
from zwizard.wizard.suggestions.package_catalogue import Suggestion
from zwizard.wizard.suggestions.record import (
    Hint,
    Suggester,
    Suggestions,
    doubt,
    matching,
    meant,
    partial_hint,
)


def _hint_locale(text: str, _: RawAnswers, suggestions: Suggestions, typing: bool) -> Hint:
    name = text.strip()
    if not suggestions.every_locale or not is_generated(name):
        return Hint()
    return _hint(name, suggestions.locales, "locale", typing)


def _hint(text: str, names: tuple[str, ...], what: str, typing: bool) -> Hint:
    """The hint on an answer that should be one of ``names``."""
    if not names or not text or text in names:
        return Hint()
    if typing and (following := [name for name in names if name.startswith(text)]):
        return partial_hint(following)
    near = _nearest(text, names)
    return doubt(f"{text!r} is not a known {what}.{meant(near)}", text, near)


def _nearest(text: str, names: tuple[str, ...]) -> str:
    """The name most like ``text``: as a whole or its last part, whatever the case."""
    sought = _plain(text)
    by_name = {_plain(name): name for name in reversed(names)}
    by_part = {_plain(name.rpartition("/")[2]): name for name in reversed(names)}
    for index in (by_name, by_part):
        if sought in index:
            return index[sought]
    following = next((name for name in names if sought and _plain(name).startswith(sought)), "")
    if following:
        return following
    merged = by_part | by_name
    return next((merged[m] for m in get_close_matches(sought, merged, n=1, cutoff=0.7)), "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.lower())


SUGGESTERS = {
    "system.timezone": Suggester(
        lambda text, _, suggestions, typing: _hint(
            text.strip(), suggestions.zones, "time zone", typing
        ),
        lambda _, suggestions, words: matching(map(Suggestion, suggestions.zones), words),
    ),
    "system.locale": Suggester(
        _hint_locale,
        lambda _, suggestions, words: matching(map(Suggestion, suggestions.locales), words),
    ),
}
