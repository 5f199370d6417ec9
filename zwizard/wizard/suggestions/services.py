"""Services: those of the chosen packages first; those of other packages noticed."""

from collections.abc import Iterator
from difflib import get_close_matches

from zwizard.wizard.questions import RawAnswers
from zwizard.wizard.questions.record import distro_of, words_of
from zwizard.wizard.suggestions import packages
from zwizard.wizard.suggestions.package_catalogue import Suggestion
from zwizard.wizard.suggestions.record import (
    Hint,
    Suggester,
    Suggestions,
    doubt,
    matching,
    meant,
)

KEY = "system.services"


def _all(answers: RawAnswers) -> Iterator[Suggestion]:
    """The units of the chosen packages, then those of others."""
    distro, chosen = distro_of(answers), packages.chosen(answers)
    ordered = sorted(distro.units.items(), key=lambda item: item[0] not in chosen)
    for package, units in ordered:
        for unit in units:
            where = "your package" if package in chosen else "the package"
            always = package in distro.vm_packages or not package
            yield Suggestion(unit, "always installed" if always else f"in {where} {package}")


def _hint(text: str, answers: RawAnswers, _: Suggestions, typing: bool) -> Hint:
    """A unit of a package that is not chosen, or one that is probably misspelled."""
    distro, chosen = distro_of(answers), packages.chosen(answers)
    owner = {unit: package for package, units in distro.units.items() for unit in units}
    installed = chosen | {"", *distro.vm_packages}
    names = [unit.removesuffix(".service") for unit in owner]
    for word in words_of(text):
        unit = word if "." in word else f"{word}.service"
        package = owner.get(unit)
        if package is not None and package not in installed:
            return doubt(f"{unit} is in the package {package}, which you have not chosen.", word)
        near = get_close_matches(word.removesuffix(".service"), names, n=1, cutoff=0.8)
        if package is None and near and not (typing and near[0].startswith(word)):
            return doubt(f"{word!r} is not a known service.{meant(near[0])}", word, near[0])
    units = [unit for package in sorted(chosen - {""}) for unit in distro.units.get(package, ())]
    return Hint(f"In your packages: {', '.join(units)}" if units and typing else "")


SUGGESTERS = {
    KEY: Suggester(_hint, lambda answers, _, words: matching(_all(answers), words)),
}
