"""Kernel packages: the distribution's choices with their versions, and the archive's others."""

import re
from collections.abc import Iterator
from dataclasses import replace

from zwizard.wizard.questions import Choice, RawAnswers
from zwizard.wizard.questions.record import distro_of
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue, Suggestion
from zwizard.wizard.suggestions.record import Suggester, Suggestions

KEY = "kernel.package"
_NAME = re.compile(r"linux-image-(?!.*(?:-dbg|-unsigned))(\d\S*)?.*amd64")


def _choices(
    choices: tuple[Choice, ...], answers: RawAnswers, suggestions: Suggestions
) -> tuple[Choice, ...]:
    catalogue = suggestions.catalogue
    if not catalogue:
        return choices
    first = distro_of(answers).kernels[0].package
    there = {choice.value for choice in choices} | {first}
    return (
        *(_with_version(choice, first, catalogue) for choice in choices),
        *(kernel for kernel in _others(catalogue, first) if kernel.value not in there),
    )


def _with_version(choice: Choice, first: str, catalogue: PackageCatalogue) -> Choice:
    version = _version(catalogue.get(choice.value or first)) or f"not in {catalogue.suite}"
    return replace(choice, means=f"{version}. {choice.means}".strip())


def _others(catalogue: PackageCatalogue, first: str) -> Iterator[Choice]:
    """The archive's other kernels of the version that the ``first`` one has."""
    version = _version(catalogue.get(first))
    for offer in catalogue.starting_with("linux-image-"):
        kernel = _NAME.fullmatch(offer.value)
        if kernel and version and _version(offer) == version:
            stays = " It stays at this version." if kernel[1] else ""
            yield Choice(offer.value, offer.value, f"{offer.means}.{stays}")


def _version(offer: Suggestion | None) -> str:
    return offer.means.partition(" ")[0] if offer else ""


SUGGESTERS = {KEY: Suggester(choices=_choices)}
