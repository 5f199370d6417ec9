"""What is known of possible answers, by now: lists of this machine, and of archives once read."""

from __future__ import annotations

import contextlib
import re
import time
import zoneinfo
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from zwizard.families.guest import charset
from zwizard.host import tools as doctor
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.problems import RecipeError
from zwizard.sources import entrypoint_check, inspection
from zwizard.sources.base import InputReport
from zwizard.sources.entrypoint_check import ENTRYPOINT
from zwizard.sources.inspection import FILES
from zwizard.sources.resolve import import_settings
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line
from zwizard.wizard import package_index
from zwizard.wizard.questions import RawAnswers, to_recipe
from zwizard.wizard.questions.record import distro_of
from zwizard.wizard.suggestions import PackageCatalogue, Suggestions

_SUPPORTED = Path("/usr/share/i18n/SUPPORTED")
_AGAIN = 60.0  # seconds until a list that could not be had is tried again

Place = tuple[str, str, tuple[str, ...]]  # mirror, suite, components
Fetch = Callable[[str, str, tuple[str, ...]], PackageCatalogue]


class SuggestionService:
    """The lists that hints are made of. Asking never blocks; reading is for a thread of its own.

    ``fetch`` reads a suite's list (:func:`archive.fetch_apart` if no other is given), ``clock``
    tells the time since 1970. One that is ``patient`` looks at a file at once, however long that
    takes.
    """

    def __init__(
        self,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
        *,
        wait: bool = False,
    ) -> None:
        self._fetch, self._clock = fetch or package_index.fetch_apart, clock
        self._wait = wait
        self._read: dict[Place, PackageCatalogue] = {}
        self._reading: set[Place] = set()
        self._into: set[str] = set()
        self._failed: dict[Place, tuple[float, str]] = {}
        self._here = Suggestions()

    def known(self, given: RawAnswers, key: str = "") -> Suggestions:
        """What is known for these answers at this moment; more is waited for of one ``key``."""
        place = _place(given)
        catalogue = self._read.get(place) if place else None
        return replace(
            self._here,
            catalogue=catalogue,
            state=self._state(place, given),
            files={key: inspection.report(given, key, wait=self._wait) for key in FILES},
            entrypoint=entrypoint_report(given, wait=self._wait and key == ENTRYPOINT),
        )

    def _state(self, place: Place | None, given: RawAnswers) -> str:
        if place is None:
            title = distro_of(given).title
            return f"There is no package list of {title} to look at: names are not checked here."
        if place in self._reading:
            return f"Reading the package list of {place[1] or 'the archive'} …"
        if place in self._failed:
            reason = self._failed[place][1]
            return f"No package list ({reason}): names are not checked here."
        return ""

    def begin(self, given: RawAnswers) -> Callable[[], None] | None:
        """What there is to be read for these answers, as work for a thread; None if nothing.

        From now on it counts as being read. A list from the cache serves at once, and until the
        new one has come if it is old.
        """
        place = _place(given)
        if any(inspection.takes_long(given, key) for key in FILES):
            return partial(self._look_at, dict(given))
        if (
            entrypoint_check.takes_long(given)
            and (file := given["source.location"]) not in self._into
        ):
            self._into.add(file)
            return partial(self._look_into, dict(given))
        if place in self._reading or (place is None and self._here.zones):
            return None
        failed = self._failed.get(place) if place else None
        if failed and self._clock() - failed[0] < _AGAIN:
            return None
        if place and not self._old(place):
            return None
        if place:
            self._reading.add(place)
        return partial(self._look_up, place)

    def look_here(self) -> None:
        """Take in what this machine knows: some hundred files, milliseconds."""
        self._here = this_machine()

    def _look_at(self, given: RawAnswers) -> None:
        self.look_here()
        for key in FILES:
            inspection.report(given, key)

    def _look_into(self, given: RawAnswers) -> None:
        self.look_here()
        try:
            entrypoint_report(given)
        finally:
            self._into.discard(given["source.location"])

    def _look_up(self, place: Place | None) -> None:
        self.look_here()
        if place is None:
            return
        try:
            if place not in self._read and (kept := package_index.load(*place)):
                self._read[place] = kept
            if self._old(place):
                self._read[place] = self._fetch(*place)
            self._failed.pop(place, None)
        except ZwizardError as error:
            self._failed[place] = (self._clock(), error.message)
        finally:
            self._reading.discard(place)

    def _old(self, place: Place) -> bool:
        read = self._read.get(place)
        return read is None or self._clock() - read.read > package_index.DAY


def entrypoint_report(given: RawAnswers, *, wait: bool = True) -> InputReport:
    """Whether what these answers start is in their file; nothing if that cannot be known yet."""
    if given.get("target") != "container" or not (wait or inspection.is_known(given)):
        return InputReport()
    try:
        recipe = import_settings(to_recipe(given), Path.cwd())
    except RecipeError as error:
        allowed = next((p.allowed for p in error.problems if p.key == ENTRYPOINT), "")
        return InputReport(wrong=one_line(allowed))
    return entrypoint_check.report(recipe, Path.cwd(), wait=wait)


def _place(given: RawAnswers) -> Place | None:
    """What the answers would be installed from; None where no list of it can be asked for."""
    if given.get("source.kind", "distro") != "distro":
        return None
    distro = distro_of(given)
    mirror = given.get("source.mirror", "").strip()
    suite = given.get("source.suite", "")
    suite = suite if distro.suite(suite) else distro.suites[0].name
    if mirror and FIELDS["source.mirror"].problem(mirror):
        return None
    mirror = mirror or distro.mirror or _of_the_tools(distro.name, distro.bootstraps)
    return (mirror, suite, distro.components or ("main",)) if mirror else None


@cache
def _of_the_tools(name: str, tools: tuple[str, ...]) -> str:
    """The mirror that this machine's bootstrap tools take of themselves; "" if none is here."""
    for tool in tools:
        with contextlib.suppress(OSError):
            text = Path(doctor.find(tool) or "").read_text("utf-8", "replace")
            if found := re.search(rf"https?://[a-z0-9.-]+/{name}(?=[\"'])", text):
                return found[0]
    return ""


# What most people want; all there is to offer where the machine has no list.
_COMMON = (  # noqa: SIM905 - a line each would say no more
    "C.UTF-8 POSIX en_US.UTF-8 en_GB.UTF-8 ar_EG.UTF-8 cs_CZ.UTF-8 da_DK.UTF-8 de_AT.UTF-8"
    " de_CH.UTF-8 de_DE.UTF-8 el_GR.UTF-8 es_ES.UTF-8 es_MX.UTF-8 fi_FI.UTF-8 fr_BE.UTF-8"
    " fr_CA.UTF-8 fr_FR.UTF-8 he_IL.UTF-8 hi_IN.UTF-8 hu_HU.UTF-8 id_ID.UTF-8 it_IT.UTF-8"
    " ja_JP.UTF-8 ko_KR.UTF-8 nb_NO.UTF-8 nl_BE.UTF-8 nl_NL.UTF-8 pl_PL.UTF-8 pt_BR.UTF-8"
    " pt_PT.UTF-8 ro_RO.UTF-8 ru_RU.UTF-8 sv_SE.UTF-8 tr_TR.UTF-8 uk_UA.UTF-8 vi_VN.UTF-8"
    " zh_CN.UTF-8 zh_TW.UTF-8"
).split()


@cache
def this_machine() -> Suggestions:
    """The time zones and locales that this machine knows; some common ones if it has no list."""
    zones = tuple(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))
    try:
        lines = _SUPPORTED.read_text("utf-8", "replace").splitlines()
    except OSError:
        return Suggestions(zones, tuple(_COMMON))
    return Suggestions(zones, _locales(lines), every_locale=True)


def _locales(lines: list[str]) -> tuple[str, ...]:
    """The locales whose names say their charset, as the build tells it; the common ones first."""
    pairs = (line.split()[:2] for line in lines if line.count(" ") == 1)
    names = {name for name, named in pairs if named == charset(name)}
    ordered = sorted(names, key=lambda name: (".UTF-8" not in name, name))
    common = (name for name in _COMMON if name in names)
    return tuple(dict.fromkeys((*_COMMON[:2], *common, *ordered)))
