"""The lists that suggestions come from: the host's, and the package archive's, read once."""

import contextlib
import re
import time
import zoneinfo
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from zwizard.families.guest import charset
from zwizard.host import tools
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
from zwizard.wizard.questions.record import distro_of, is_installed
from zwizard.wizard.suggestions import PackageCatalogue, Suggestions

_SUPPORTED = Path("/usr/share/i18n/SUPPORTED")
_RETRY = 60.0  # seconds until a list that could not be read is tried again

Place = tuple[str, str, tuple[str, ...]]  # mirror, suite, components
Fetch = Callable[[str, str, tuple[str, ...]], PackageCatalogue]


class SuggestionService:
    """The current suggestions. Asking never blocks; reading is for a thread of its own.

    ``fetch`` reads a suite's list (:func:`package_index.fetch_apart` by default), ``clock`` is
    the time in seconds since 1970. With ``wait``, files are inspected at once, however long that
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
        self._lists: dict[Place, PackageCatalogue] = {}
        self._reading: set[object] = set()  # what is read on other threads now
        self._failed: dict[Place, tuple[float, str]] = {}
        self._host = Suggestions()

    def current(self, answers: RawAnswers, key: str = "") -> Suggestions:
        """What can be suggested for these answers now; the entrypoint's file is read for its
        ``key`` only."""
        place = _place(answers)
        return replace(
            self._host,
            catalogue=self._lists.get(place) if place else None,
            state=self._state(place, answers),
            files={key: inspection.report(answers, key, wait=self._wait) for key in FILES},
            entrypoint=entrypoint_report(answers, wait=self._wait and key == ENTRYPOINT),
        )

    def _state(self, place: Place | None, answers: RawAnswers) -> str:
        if place is None:
            title = distro_of(answers).title
            return f"There is no package list of {title}: names are not checked."
        if place in self._reading:
            return f"Reading the package list of {place[1] or 'the archive'} …"
        if place in self._failed:
            return f"No package list ({self._failed[place][1]}): names are not checked."
        return ""

    def pending(self, answers: RawAnswers) -> Callable[[], None] | None:
        """What has to be read for these answers, as work for a thread; None if nothing.

        From now on it counts as being read. A cached list is used at once, and an old one until
        the new one is read.
        """
        answers, place = dict(answers), _place(answers)
        files = tuple(answers.get(key, "") for key in FILES)
        works: tuple[tuple[object, bool, Callable[[], object]], ...] = (
            (
                files,
                any(inspection.takes_long(answers, key) for key in FILES),
                lambda: [inspection.report(answers, key) for key in FILES],
            ),
            (files[0], entrypoint_check.takes_long(answers), lambda: entrypoint_report(answers)),
            (place, self._is_due(place), lambda: self._read_list(place)),
        )
        for key, due, work in works:
            if due and key not in self._reading:
                self._reading.add(key)
                return partial(self._read, key, work)
        return None if self._host.zones or self._reading else self.read_host

    def read_host(self) -> None:
        """Read the host's lists: some hundred files, milliseconds."""
        self._host = host_lists()

    def _read(self, key: object, work: Callable[[], object]) -> None:
        self.read_host()
        try:
            work()
        finally:
            self._reading.discard(key)

    def _read_list(self, place: Place | None) -> None:
        assert place is not None
        try:
            if place not in self._lists and (cached := package_index.load(*place)):
                self._lists[place] = cached
            if self._is_old(place):
                self._lists[place] = self._fetch(*place)
            self._failed.pop(place, None)
        except ZwizardError as error:
            self._failed[place] = (self._clock(), error.message)

    def _is_due(self, place: Place | None) -> bool:
        """Whether the list is old, or missing and was not tried just now."""
        if place is None or not self._is_old(place):
            return False
        return self._clock() - self._failed.get(place, (0.0, ""))[0] >= _RETRY

    def _is_old(self, place: Place) -> bool:
        catalogue = self._lists.get(place)
        return catalogue is None or self._clock() - catalogue.read > package_index.DAY


def entrypoint_report(answers: RawAnswers, *, wait: bool = True) -> InputReport:
    """Whether the entrypoint of these answers is in their file; empty if that is not known yet."""
    if answers.get("target") != "container" or not (wait or inspection.is_known(answers)):
        return InputReport()
    try:
        recipe = import_settings(to_recipe(answers), Path.cwd())
    except RecipeError as error:
        allowed = next((p.allowed for p in error.problems if p.key == ENTRYPOINT), "")
        return InputReport(wrong=one_line(allowed))
    return entrypoint_check.report(recipe, Path.cwd(), wait=wait)


def _place(answers: RawAnswers) -> Place | None:
    """Where the answers install packages from; None where no list of it can be read."""
    if not is_installed(answers):
        return None
    distro = distro_of(answers)
    mirror, suite = answers.get("source.mirror", "").strip(), answers.get("source.suite", "")
    suite = suite if distro.suite(suite) else distro.suites[0].name
    if mirror and FIELDS["source.mirror"].problem(mirror):
        return None
    mirror = mirror or distro.mirror or _default_mirror(distro.name, distro.bootstraps)
    return (mirror, suite, distro.components or ("main",)) if mirror else None


@cache
def _default_mirror(name: str, programs: tuple[str, ...]) -> str:
    """The mirror that this host's bootstrap tools use by default; "" if there is none."""
    for program in programs:
        with contextlib.suppress(OSError):
            text = Path(tools.find(program) or "").read_text("utf-8", "replace")
            if found := re.search(rf"https?://[a-z0-9.-]+/{name}(?=[\"'])", text):
                return found[0]
    return ""


# The most common ones; all there is to offer where the host has no list.
_COMMON = (  # noqa: SIM905 - a line each would tell no more
    "C.UTF-8 POSIX en_US.UTF-8 en_GB.UTF-8 ar_EG.UTF-8 cs_CZ.UTF-8 da_DK.UTF-8 de_AT.UTF-8"
    " de_CH.UTF-8 de_DE.UTF-8 el_GR.UTF-8 es_ES.UTF-8 es_MX.UTF-8 fi_FI.UTF-8 fr_BE.UTF-8"
    " fr_CA.UTF-8 fr_FR.UTF-8 he_IL.UTF-8 hi_IN.UTF-8 hu_HU.UTF-8 id_ID.UTF-8 it_IT.UTF-8"
    " ja_JP.UTF-8 ko_KR.UTF-8 nb_NO.UTF-8 nl_BE.UTF-8 nl_NL.UTF-8 pl_PL.UTF-8 pt_BR.UTF-8"
    " pt_PT.UTF-8 ro_RO.UTF-8 ru_RU.UTF-8 sv_SE.UTF-8 tr_TR.UTF-8 uk_UA.UTF-8 vi_VN.UTF-8"
    " zh_CN.UTF-8 zh_TW.UTF-8"
).split()


@cache
def host_lists() -> Suggestions:
    """The time zones and locales of this host; some common locales if it has no list."""
    zones = tuple(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))
    try:
        lines = _SUPPORTED.read_text("utf-8", "replace").splitlines()
    except OSError:
        return Suggestions(zones, tuple(_COMMON))
    return Suggestions(zones, _locales(lines), every_locale=True)


def _locales(lines: list[str]) -> tuple[str, ...]:
    """The locales whose names have the charset that the build gives them; common ones first."""
    pairs = (line.split()[:2] for line in lines if line.count(" ") == 1)
    names = {name for name, named in pairs if named == charset(name)}
    ordered = sorted(names, key=lambda name: (".UTF-8" not in name, name))
    common = (name for name in _COMMON if name in names)
    return tuple(dict.fromkeys((*_COMMON[:2], *common, *ordered)))
