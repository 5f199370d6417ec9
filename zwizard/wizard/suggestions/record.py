"""What suggestions are made of, and the remarks beside an answer; a record for each kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from zwizard.sources.base import InputReport
from zwizard.wizard.questions import Choice, RawAnswers
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue, Suggestion

_FEW = 4  # names in a line of hints


@dataclass(frozen=True)
class Suggestions:
    """What this host and the package archive offer; an empty tuple: nothing.

    ``every_locale``: there are no others. ``catalogue`` is None where there is no list of
    packages; ``state`` says why, or that it is being read. ``files`` is what the files are that
    answers name, by key; ``entrypoint`` whether the container's entrypoint is in its file.
    """

    zones: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    every_locale: bool = False
    catalogue: PackageCatalogue | None = None
    state: str = ""
    files: Mapping[str, InputReport] = field(default_factory=dict)
    entrypoint: InputReport = InputReport()


@dataclass(frozen=True)
class Hint:
    """A line beside an answer.

    With ``doubt`` the answer is probably wrong: ``near`` is meant by ``word``. ``partial``: it is
    the beginning of good answers.
    """

    text: str = ""
    doubt: bool = False
    word: str = ""
    near: str = ""
    partial: bool = False


@dataclass(frozen=True)
class Suggester:
    """What is suggested for one key.

    ``hint`` is made of the answer, all answers, the suggestions, and whether the last word is
    still being typed. ``offers`` are the suggestions that have all the words, in lower case;
    ``choices`` extends a question's choices. ``is_file``: the answer is a path of this host.
    """

    hint: Callable[[str, RawAnswers, Suggestions, bool], Hint] = lambda *_: Hint()
    offers: Callable[[RawAnswers, Suggestions, list[str]], Iterator[Suggestion]] | None = None
    choices: Callable[[tuple[Choice, ...], RawAnswers, Suggestions], tuple[Choice, ...]] | None = (
        None
    )
    is_file: bool = False


def matching(offers: Iterator[Suggestion], words: list[str]) -> Iterator[Suggestion]:
    """The ``offers`` that have all ``words``."""
    for offer in offers:
        text = f"{offer.value} {offer.means}".lower().replace("_", " ")
        if all(word in text for word in words):
            yield offer


def partial_hint(names: list[str]) -> Hint:
    """The hint that an answer is the beginning of ``names``."""
    more = " …" if len(names) > _FEW else ""
    return Hint(f"{', '.join(names[:_FEW])}{more}", partial=True)


def doubt(text: str, word: str = "", near: str = "") -> Hint:
    """The hint that ``word`` of an answer is probably wrong, and ``near`` is meant."""
    return Hint(text, True, word, near)


def meant(near: str) -> str:
    """The question whether ``near`` was meant, to follow a sentence; "" where nothing is near."""
    return f" Did you mean {near!r}?" if near else ""
