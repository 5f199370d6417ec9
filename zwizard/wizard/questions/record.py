"""The records that questions are made of: a choice, a question, a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.recipe.fields import FIELDS

Kind = Literal["choice", "text", "number", "list", "lines", "settings"]
RawAnswers = Mapping[str, str]
"""What was typed or chosen so far, by key; nothing is parsed yet."""


@dataclass(frozen=True)
class Choice:
    """One answer to choose: ``means`` says what Zero-OS or the build will do with it.

    ``unavailable`` says why it cannot be chosen, and is empty where it can.
    """

    value: str
    title: str
    means: str = ""
    unavailable: str = ""


@dataclass(frozen=True)
class Question:
    """One question, which fills one key of the recipe; its default and its check are the key's.

    ``why`` explains it, and ``guide`` quotes the Zmachine guide. ``label`` is its title where that
    is not the key's. It is asked where the key means something (recipe/relevance) and ``when`` is
    true.

    Answers are held as text, as typed: a choice's value, a line, words separated by commas or
    spaces (``list``), lines (``lines``), or lines of NAME=value (``settings``). ``value`` turns
    that into the recipe's value. ``required``: there is no default, and it may not stay empty.
    ``resets``: an answer that is no longer among the choices gives way to the default.
    ``fallback`` is a default that depends on other answers, ``reword`` this question in the words
    for other answers.
    """

    key: str
    kind: Kind
    why: str
    guide: str = ""
    label: str = ""
    choices: Callable[[RawAnswers], tuple[Choice, ...]] = lambda _: ()
    when: Callable[[RawAnswers], bool] = lambda _: True
    fallback: Callable[[RawAnswers], str] | None = None
    reword: Callable[[Question, RawAnswers], Question] | None = None
    example: str = ""
    required: bool = False
    resets: bool = False
    page: str = ""

    @property
    def text(self) -> str:
        """Its title."""
        return self.label or FIELDS[self.key].title

    @property
    def source(self) -> str:
        """The sentence of the Zmachine guide behind it, or ""."""
        return f'Zmachine guide: "{self.guide}"' if self.guide else ""

    def is_asked(self, answers: RawAnswers) -> bool:
        """Whether these answers make sense of it."""
        return FIELDS[self.key].use.covers(answers) and self.when(answers)

    def default(self, answers: RawAnswers) -> str:
        """The answer if none was given, as text."""
        if self.fallback:
            return self.fallback(answers)
        return self.as_text(FIELDS[self.key].default)

    def answer(self, answers: RawAnswers) -> str:
        """The answer as text: the user's, else the default."""
        text = answers.get(self.key)
        if text is None or (
            self.resets and text not in {choice.value for choice in self.choices(answers)}
        ):
            return self.default(answers)
        return text

    def value(self, text: str) -> object:
        """The recipe's value of an answer."""
        match self.kind:
            case "list":
                return tuple(words_of(text))
            case "lines":
                return tuple(line.strip() for line in text.splitlines() if line.strip())
            case "settings":
                lines = (line.strip() for line in text.splitlines() if line.strip())
                parts = (line.partition("=") for line in lines)
                return {name.strip(): value for name, _, value in parts}
            case "number":
                return int(text) if text.strip().isdecimal() else text.strip()
            case _:
                return text.strip()

    def as_text(self, value: object) -> str:
        """The answer that has ``value``."""
        if isinstance(value, dict):
            return "\n".join(f"{name}={content}" for name, content in value.items())
        if isinstance(value, list | tuple):
            return ("\n" if self.kind == "lines" else " ").join(map(str, value))
        return str(value)

    def own_problem(self, answers: RawAnswers) -> str:
        """What is wrong with the answer by itself, or ""."""
        text = self.answer(answers)
        if self.kind == "choice":
            options = self.choices(answers)
            chosen = next((choice for choice in options if choice.value == text), None)
            if chosen is None:
                return f"{text!r} is not one of: {', '.join(choice.value for choice in options)}"
            if chosen.unavailable:
                return chosen.unavailable
        if self.required and not text.strip():
            return "Required"
        problem = FIELDS[self.key].problem(self.value(text))
        return problem.allowed if problem else ""


@dataclass(frozen=True)
class Page:
    """One page of questions; its name becomes theirs."""

    name: str
    title: str
    heading: str
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        """Tell the questions which page is theirs."""
        own = tuple(replace(question, page=self.name) for question in self.questions)
        object.__setattr__(self, "questions", own)


def words_of(text: str) -> list[str]:
    """The words of an answer that is a list."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def distro_of(answers: RawAnswers) -> Distro:
    """The distribution that the answers name, else the first."""
    first = next(iter(distros.KNOWN.values()))
    return distros.KNOWN.get(answers.get("source.distro", ""), first)


def is_installed(answers: RawAnswers) -> bool:
    """Whether a distribution is installed into an empty tree."""
    return answers.get("source.kind", "distro") == "distro"
