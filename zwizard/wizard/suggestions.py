"""What is known of possible answers: offered to be chosen, and the nearest one to a slip.

Hints only: no answer is refused for them, as the lists they come from may be old or absent.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from functools import cached_property, lru_cache, partial
from heapq import nsmallest
from itertools import islice, takewhile

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.sources.base import InputReport
from zwizard.sources.entrypoint_check import ENTRYPOINT
from zwizard.sources.inspection import FILES
from zwizard.wizard.questions import Choice, Question, RawAnswers

PACKAGES, KERNEL = "source.packages", "kernel.package"
ZONE, LOCALE, SERVICES = "system.timezone", "system.locale", "system.services"
_OFFERED = {PACKAGES, ZONE, LOCALE, SERVICES}
_PATHS = {*FILES, "output.directory"}
_FEW = 4  # names in a line of hints


@dataclass(frozen=True)
class Suggestion:
    """An answer that exists; ``means`` says more of it (a version, a summary), or is empty."""

    value: str
    means: str = ""


@dataclass(frozen=True, eq=False)
class PackageCatalogue:
    """The packages of one suite of one archive.

    ``lines`` are sorted, each ``name TAB version TAB summary``; a virtual package has neither
    version nor summary. ``read``: when the archive was asked, in seconds since 1970.
    """

    suite: str
    read: float
    lines: tuple[str, ...]

    def get(self, name: str) -> Suggestion | None:
        """The package called ``name``."""
        at = bisect_left(self.lines, f"{name}\t")
        found = at < len(self.lines) and self.lines[at].startswith(f"{name}\t")
        return _package(self.lines[at]) if found else None

    def beginning(self, prefix: str) -> Iterator[Suggestion]:
        """The packages whose names begin with ``prefix``, in order."""
        for at in range(bisect_left(self.lines, prefix), len(self.lines)):
            if not self.lines[at].startswith(prefix):
                return
            yield _package(self.lines[at])

    def having(self, words: list[str]) -> Iterator[Suggestion]:
        """The packages, virtual ones left out, in whose lines all ``words`` (lower-case) occur."""
        for line in self.lines:
            lowered = line.lower()
            if all(word in lowered for word in words) and not line.endswith("\t\t"):
                yield _package(line)

    @cached_property
    def count(self) -> int:
        """How many packages there are, virtual ones left out."""
        return sum(not line.endswith("\t\t") for line in self.lines)

    def nearest(self, name: str) -> str:
        """The package most like ``name``, or ""."""
        return name.lower() if self.get(name.lower()) else _nearest(self, name.lower())

    def around(self, name: str) -> Iterator[str]:
        """The names that ``name`` may be a slip for.

        Slips seldom go beyond the second letter of a start, or change the length by more than two.
        """
        for start in dict.fromkeys(name[:2]):
            for line in self._from(start):
                end = line.index("\t")
                if abs(end - len(name)) <= 2:
                    yield line[:end]

    def _from(self, start: str) -> Sequence[str]:
        end = bisect_left(self.lines, chr(ord(start) + 1))
        return self.lines[bisect_left(self.lines, start) : end]


@lru_cache(maxsize=32)  # it is asked for at every key that is pressed
def _nearest(catalogue: PackageCatalogue, name: str) -> str:
    found = get_close_matches(name, list(catalogue.around(name)), n=5, cutoff=0.7)
    return max(found, key=lambda other: _likeness(name, other), default="")


def _likeness(typed: str, name: str) -> float:
    """How much alike; letters in another order are the likeliest slip, then a late one."""
    alike = SequenceMatcher(None, typed, name).ratio()
    pairs = zip(typed, name, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    swapped = sorted(typed) == sorted(name)
    return alike + 0.02 * same + 0.2 * swapped - 0.03 * abs(len(typed) - len(name))


def _package(line: str) -> Suggestion:
    name, version, summary = line.split("\t", 2)
    return Suggestion(name, f"{version}  {summary}".strip())


@dataclass(frozen=True)
class Suggestions:
    """What this machine and the archive know; an empty tuple: nothing.

    ``every_locale``: there are no others. ``catalogue`` is None where there is no list of
    packages; ``state`` says why, or that it is being read. ``looks`` is what the files are that
    answers name, by key; ``start`` whether what a container starts is in its file.
    """

    zones: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    every_locale: bool = False
    catalogue: PackageCatalogue | None = None
    state: str = ""
    looks: Mapping[str, InputReport] = field(default_factory=dict)
    start: InputReport = InputReport()


@dataclass(frozen=True)
class Hint:
    """A line beside an answer.

    With ``doubt`` it is probably wrong: ``near`` is meant by ``word``. With ``begun`` it is the
    beginning of good ones.
    """

    text: str = ""
    doubt: bool = False
    word: str = ""
    near: str = ""
    begun: bool = False


def offered(question: Question) -> bool:
    """Whether there is a list to choose the answer from."""
    return question.key in _OFFERED


def is_path(question: Question) -> bool:
    """Whether the answer names something on this machine's disk."""
    return question.key in _PATHS


def choices(question: Question, given: RawAnswers, known: Suggestions) -> tuple[Choice, ...]:
    """The choices of a question, with what the archive knows of them and has beside them."""
    those = question.choices(given)
    if question.key != KERNEL or not known.catalogue:
        return those
    told = [_with_version(choice, given, known.catalogue) for choice in those]
    usual = distro_of(given).kernels[0].package
    have = {choice.value for choice in those} | {usual}
    more = (kernel for kernel in _kernels(known.catalogue, usual) if kernel.value not in have)
    return (*told, *more)


def _with_version(choice: Choice, given: RawAnswers, catalogue: PackageCatalogue) -> Choice:
    found = catalogue.get(choice.value or distro_of(given).kernels[0].package)
    version = _version(found) or f"not in {catalogue.suite}"
    return replace(choice, means=f"{version}. {choice.means}".strip())


_KERNEL = re.compile(r"linux-image-(?!.*(?:-dbg|-unsigned))(\d\S*)?.*amd64")


def _kernels(catalogue: PackageCatalogue, usual: str) -> Iterator[Choice]:
    """The archive's other kernels of the version that the ``usual`` one has."""
    now = _version(catalogue.get(usual))
    for offer in catalogue.beginning("linux-image-"):
        kernel = _KERNEL.fullmatch(offer.value)
        if kernel and now and _version(offer) == now:
            stays = " It stays at this version." if kernel[1] else ""
            yield Choice(offer.value, offer.value, f"{offer.means}.{stays}")


def _version(offer: Suggestion | None) -> str:
    return offer.means.partition(" ")[0] if offer else ""


def search(
    question: Question, given: RawAnswers, known: Suggestions, words: str, most: int
) -> list[Suggestion]:
    """At most ``most`` offers that have all ``words``; those called so, or so begun, first."""
    sought = words.lower().replace("_", " ").split()
    found = _offers(question, given, known, sought)
    if not sought:
        return list(islice(found, most))
    return nsmallest(most, found, key=lambda offer: _rank(offer, sought[0]))


def _rank(offer: Suggestion, word: str) -> int:
    name = offer.value.lower()
    if name == word:
        return 0
    if name.startswith(word) or word in re.split(r"[/_.]", name):
        return 1
    return 2 if word in name else 3


def _offers(
    question: Question, given: RawAnswers, known: Suggestions, sought: list[str]
) -> Iterator[Suggestion]:
    """The offers that have all the words ``sought``, in their own order."""
    those: Iterable[Suggestion]
    match question.key:
        case "source.packages":
            return known.catalogue.having(sought) if known.catalogue else iter(())
        case "system.timezone":
            those = map(Suggestion, known.zones)
        case "system.locale":
            those = map(Suggestion, known.locales)
        case _:
            those = _services(given)
    return (offer for offer in those if all(word in _searched(offer) for word in sought))


def nothing(question: Question, known: Suggestions) -> str:
    """What is to be said where a search finds nothing."""
    reason = known.state if question.key == PACKAGES else ""
    return reason or "Nothing is called so."


def _searched(offer: Suggestion) -> str:
    return f"{offer.value} {offer.means}".lower().replace("_", " ")


def _services(given: RawAnswers) -> Iterator[Suggestion]:
    """The units that come with the chosen packages, then those of others."""
    distro, chosen = distro_of(given), _chosen_packages(given)
    ordered = sorted(distro.units.items(), key=lambda item: item[0] not in chosen)
    for package, units in ordered:
        for unit in units:
            where = "your package" if package in chosen else "the package"
            always = package in distro.vm_packages or not package
            yield Suggestion(unit, "always there" if always else f"comes with {where} {package}")


def distro_of(given: RawAnswers) -> Distro:
    """The distribution that the answers name."""
    first = next(iter(distros.KNOWN.values()))
    return distros.KNOWN.get(given.get("source.distro", ""), first)


def _chosen_packages(given: RawAnswers) -> set[str]:
    return {_bare(word) for word in re.split(r"[,\s]+", given.get(PACKAGES, ""))}


def _bare(word: str) -> str:
    """A package as apt-get takes it, without its version, architecture or suite."""
    return re.split(r"[=:/]", word)[0]


# --- beside an answer ---------------------------------------------------------------------------


def hint(
    question: Question, given: RawAnswers, known: Suggestions, *, typing: bool = False
) -> Hint:
    """What is to be said of the answer; while ``typing``, its last word may yet go on."""
    judge = _JUDGES.get(question.key)
    return judge(question.answer(given), given, known, typing) if judge else Hint()


def doubts(asked: Iterable[Question], given: RawAnswers, known: Suggestions) -> dict[str, str]:
    """The answers that are probably wrong, by key, and why."""
    told = ((question.key, hint(question, given, known)) for question in asked)
    return {key: said.text for key, said in told if said.doubt}


def _judge_packages(text: str, _: RawAnswers, known: Suggestions, typing: bool) -> Hint:
    catalogue = known.catalogue
    if catalogue is None:
        return Hint(known.state if typing or text.strip() else "")
    words = [word for word in re.split(r"[,\s]+", text) if word]
    begun = words.pop() if typing and words and text == text.rstrip(", \t") else ""
    wrong = [word for word in words if not _installable(word, catalogue)]
    if begun and not _installable(begun, catalogue):
        following = list(islice(catalogue.beginning(begun), _FEW + 1))
        if not following:
            wrong.append(begun)
        elif not wrong:
            return _beginning([offer.value for offer in following])
    if wrong:
        near = catalogue.nearest(_bare(wrong[0]))
        said = f"{_bare(wrong[0])!r} is not in {catalogue.suite}."
        others = f" Nor {'is' if len(wrong) == 2 else 'are'} {', '.join(map(repr, wrong[1:]))}."
        return _doubt(f"{said}{meant(near)}{others if wrong[1:] else ''}", wrong[0], near)
    if begun and (found := catalogue.get(_bare(begun))):
        return Hint(f"{found.value}: {found.means}" if found.means else "")
    return Hint()


def _installable(word: str, catalogue: PackageCatalogue) -> bool:
    name = _bare(word)
    # "vim-" tells apt-get to leave vim out, "vim+" to take it.
    return any(catalogue.get(name) for name in (name, name.rstrip("-"), name.rstrip("+")))


def _beginning(names: list[str]) -> Hint:
    return Hint(f"{', '.join(names[:_FEW])}{' …' if len(names) > _FEW else ''}", begun=True)


def _doubt(said: str, word: str, near: str = "") -> Hint:
    return Hint(said, True, word, near)


def meant(near: str) -> str:
    """The question whether ``near`` was meant, to follow a sentence; "" where nothing is near."""
    return f" Did you mean {near!r}?" if near else ""


def _judge_zone(text: str, _: RawAnswers, known: Suggestions, typing: bool) -> Hint:
    return _judge_name(text.strip(), known.zones, "time zone", typing)


def _judge_locale(text: str, _: RawAnswers, known: Suggestions, typing: bool) -> Hint:
    name = text.strip()
    if not known.every_locale or name.partition(".")[0] in {"C", "POSIX"}:
        return Hint()
    return _judge_name(name, known.locales, "locale", typing)


def _judge_name(text: str, names: tuple[str, ...], what: str, typing: bool) -> Hint:
    """Judge the one name that is the answer by all there are."""
    if not names or not text or text in names:
        return Hint()
    if typing and (begun := [name for name in names if name.startswith(text)]):
        return _beginning(begun)
    near = _alike(text, names)
    return _doubt(f"{text!r} is not a known {what}.{meant(near)}", text, near)


def _alike(text: str, names: tuple[str, ...]) -> str:
    """The name most like ``text``: as a whole or its last part, whatever the case."""
    sought = _plain(text)
    by_name = {_plain(name): name for name in reversed(names)}
    by_part = {_plain(re.split(r"[/]", name)[-1]): name for name in reversed(names)}
    for index in (by_name, by_part):
        if sought in index:
            return index[sought]
    begun = next((name for name in names if sought and _plain(name).startswith(sought)), "")
    if begun:
        return begun
    merged = by_part | by_name
    return next((merged[m] for m in get_close_matches(sought, merged, n=1, cutoff=0.7)), "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.lower())


def _judge_services(text: str, given: RawAnswers, _: Suggestions, typing: bool) -> Hint:
    """A unit of a package that is not chosen, or one that is nearly known."""
    chosen, known = _chosen_packages(given), distro_of(given).units
    owner = {unit: package for package, units in known.items() for unit in units}
    always = {"", *distro_of(given).vm_packages}
    names = [unit.removesuffix(".service") for unit in owner]
    for word in (word for word in re.split(r"[,\s]+", text) if word):
        unit = word if "." in word else f"{word}.service"
        package = owner.get(unit)
        if package is not None and package not in chosen | always:
            said = f"{unit} comes with the package {package}, which is not among yours."
            return _doubt(said, word)
        near = get_close_matches(word.removesuffix(".service"), names, n=1, cutoff=0.8)
        if package is None and near and not (typing and near[0].startswith(word)):
            return _doubt(f"{word!r} is not a known service.{meant(near[0])}", word, near[0])
    brought = [unit for package in sorted(chosen - {""}) for unit in known.get(package, ())]
    return Hint(f"Your packages bring: {', '.join(brought)}" if brought and typing else "")


def _judge_file(key: str, _: str, __: RawAnswers, known: Suggestions, typing: bool) -> Hint:
    look = known.looks.get(key, InputReport())
    """What the file is, as far as its name is typed."""
    if look.wrong:
        return Hint() if typing else _doubt(f"{look.wrong}.", "")
    return Hint(look.summary)


_OF_PACKAGES = re.compile(r"/(usr/(?!local/)|s?bin/|lib(32|64|x32)?/|opt/|etc/|var/)")


def _judge_entrypoint(text: str, given: RawAnswers, known: Suggestions, typing: bool) -> Hint:
    """Whether it is in the file; of a distribution, whether a package can bring it."""
    told = known.start.wrong or known.start.doubt
    if told:
        return Hint() if typing else _doubt(f"{told}.", "")
    path, run = text.strip(), given.get("system.run", "").strip()
    installed = given.get("source.kind", "distro") == "distro"
    if not (installed and path.startswith("/")) or run or _OF_PACKAGES.match(path) or typing:
        return Hint(known.start.summary)
    return _doubt(f"No package puts {path!r} there: a command of your own has to (System).", "")


_JUDGES: dict[str, Callable[[str, RawAnswers, Suggestions, bool], Hint]] = {
    **{key: partial(_judge_file, key) for key in FILES},
    PACKAGES: _judge_packages,
    ZONE: _judge_zone,
    LOCALE: _judge_locale,
    ENTRYPOINT: _judge_entrypoint,
    SERVICES: _judge_services,
}
