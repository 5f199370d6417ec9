"""Packages of the archive: offered by name and summary, misspelled ones noticed."""

import re
from collections.abc import Iterator
from itertools import islice

from zwizard.wizard.questions import RawAnswers
from zwizard.wizard.questions.record import words_of
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue, Suggestion
from zwizard.wizard.suggestions.record import (
    Hint,
    Suggester,
    Suggestions,
    doubt,
    meant,
    partial_hint,
)

KEY = "source.packages"
_FEW = 5


def chosen(answers: RawAnswers) -> set[str]:
    """The names of the packages that the user has chosen."""
    return {_name(word) for word in words_of(answers.get(KEY, ""))}


def _name(word: str) -> str:
    """A package as apt-get takes it, without its version, architecture or suite."""
    return re.split(r"[=:/]", word)[0]


def _is_installable(word: str, catalogue: PackageCatalogue) -> bool:
    name = _name(word)
    # "vim-" tells apt-get to leave vim out, "vim+" to take it.
    return any(catalogue.get(name) for name in (name, name.rstrip("-"), name.rstrip("+")))


def _hint(text: str, _: RawAnswers, suggestions: Suggestions, typing: bool) -> Hint:
    catalogue = suggestions.catalogue
    if catalogue is None:
        return Hint(suggestions.state if typing or text.strip() else "")
    words = words_of(text)
    last = words.pop() if typing and words and text == text.rstrip(", \t") else ""
    wrong = [word for word in words if not _is_installable(word, catalogue)]
    if last and not _is_installable(last, catalogue):
        following = list(islice(catalogue.starting_with(last), _FEW))
        if not following:
            wrong.append(last)
        elif not wrong:
            return partial_hint([offer.value for offer in following])
    if wrong:
        return _doubt(wrong, catalogue)
    if last and (found := catalogue.get(_name(last))):
        return Hint(f"{found.value}: {found.means}" if found.means else "")
    return Hint()


def _doubt(wrong: list[str], catalogue: PackageCatalogue) -> Hint:
    first, *others = wrong
    near = catalogue.nearest(_name(first))
    text = f"{_name(first)!r} is not in {catalogue.suite}.{meant(near)}"
    if others:
        text += f" Nor {'is' if len(others) == 1 else 'are'} {', '.join(map(repr, others))}."
    return doubt(text, first, near)


def _offers(_: RawAnswers, suggestions: Suggestions, words: list[str]) -> Iterator[Suggestion]:
    return suggestions.catalogue.containing(words) if suggestions.catalogue else iter(())


SUGGESTERS = {KEY: Suggester(_hint, _offers)}
