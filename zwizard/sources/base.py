"""The record that each kind of source fills, and what an inspection of its file reports."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zwizard import distros
from zwizard.image.layered_tree import LayeredTree
from zwizard.recipe.model import Recipe
from zwizard.steps.step import Step
from zwizard.util.hashing import sha256_of
from zwizard.util.units import MIB

# No release is known, so no date of one. It caps the time stamps of what is built.
EPOCH = max(suite.epoch for distro in distros.KNOWN.values() for suite in distro.suites)


@dataclass(frozen=True)
class InputReport:
    """What a file is: ``summary`` if it can be used, else ``wrong``: why not, and what to do.

    ``doubt``: why it cannot be used, unless something that is not known yet changes that.
    ``facts`` is what was read of it, for :attr:`SourceKind.settle`.
    """

    summary: str = ""
    wrong: str = ""
    doubt: str = ""
    facts: Any = field(default=None, compare=False)


Steps = Callable[[Recipe], tuple[Step, ...]]


def _nothing(recipe: Recipe) -> Step:
    raise NotImplementedError(f"a {recipe.source.kind} is kept as it is")


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """One kind of file that a recipe names.

    ``inspect`` says what a file is; ``slow``: that takes a while. ``contents`` reads the tree of
    an archive, to look for the entrypoint in it; ``sum`` is the SHA-256 by which a step verifies
    the file. ``names`` matches the names of files to offer; without it, programs are offered.
    """

    inspect: Callable[[Path], InputReport] | None = None
    slow: bool = False
    contents: Callable[[Path], LayeredTree] | None = None
    sum: Callable[[Path], str] = sha256_of
    names: re.Pattern[str] | None = None


@dataclass(frozen=True, kw_only=True)
class SourceKind(FileKind):
    """One kind of source: ``SOURCE`` in the file of its name.

    ``title`` and ``about`` (by target) are the words of its choice, ``file_title``, ``file_why``
    and ``file_example`` those of the question for its file. ``tree`` has, by target, its first
    steps: those that fill the tree, or all but the last where nothing else is done. ``kernel``,
    ``settings`` and ``clean`` are later steps of a system that is changed. ``epoch`` caps the
    time stamps of the archive, whose ``size`` is about so many bytes. ``entrypoint`` is what a
    container starts by default. ``settle`` takes over what the file says of itself, from the facts
    of its report; RecipeError if that is not enough.
    """

    title: str
    about: Mapping[str, str]
    tree: Mapping[str, Steps]
    kernel: Callable[[Recipe], Step] = _nothing
    settings: Callable[[Recipe], Step] = _nothing
    clean: Callable[[Recipe], Step] = _nothing
    epoch: Callable[[Recipe], int] = lambda _: EPOCH
    size: int = 260 * MIB
    entrypoint: str = "/sbin/init"
    file_title: str = ""
    file_why: str = ""
    file_example: str = ""
    settle: Callable[[Recipe, Any], Recipe] = lambda recipe, _: recipe
