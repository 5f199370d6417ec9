"""The packages of one suite, searched by name, by words and by likeness."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import cached_property, lru_cache
from itertools import takewhile


@dataclass(frozen=True)
class Suggestion:
    """An answer that exists; ``means`` adds to it (a version, a summary), or is empty."""

    value: str
    means: str = ""


@dataclass(frozen=True, eq=False)
class PackageCatalogue:
    """The packages of one suite of one archive.

    ``lines`` are sorted, each ``name TAB version TAB summary``; a virtual package has neither
    version nor summary. ``read``: when it was downloaded, in seconds since 1970.
    """

    suite: str
    read: float
    lines: tuple[str, ...]

    def get(self, name: str) -> Suggestion | None:
        """The package called ``name``."""
        at = bisect_left(self.lines, f"{name}\t")
        found = at < len(self.lines) and self.lines[at].startswith(f"{name}\t")
        return _package(self.lines[at]) if found else None

    def starting_with(self, prefix: str) -> Iterator[Suggestion]:
        """The packages whose names start with ``prefix``, in order."""
        for at in range(bisect_left(self.lines, prefix), len(self.lines)):
            if not self.lines[at].startswith(prefix):
                return
            yield _package(self.lines[at])

    def containing(self, words: list[str]) -> Iterator[Suggestion]:
        """The packages, without virtual ones, in whose lines all ``words`` (lower-case) occur."""
        for line in self.lines:
            lowered = line.lower()
            if all(word in lowered for word in words) and not line.endswith("\t\t"):
                yield _package(line)

    @cached_property
    def count(self) -> int:
        """How many packages there are, without virtual ones."""
        return sum(not line.endswith("\t\t") for line in self.lines)

    def nearest(self, name: str) -> str:
        """The package most like ``name``, or ""."""
        return name.lower() if self.get(name.lower()) else _nearest(self, name.lower())

    def around(self, name: str) -> Iterator[str]:
        """The names that ``name`` may be a misspelling of.

        Misspellings seldom change more than the first two letters, or the length by more than two.
        """
        for start in dict.fromkeys(name[:2]):
            for line in self._from(start):
                end = line.index("\t")
                if abs(end - len(name)) <= 2:
                    yield line[:end]

    def _from(self, start: str) -> Sequence[str]:
        end = bisect_left(self.lines, chr(ord(start) + 1))
        return self.lines[bisect_left(self.lines, start) : end]


@lru_cache(maxsize=32)  # called at every key that is pressed
def _nearest(catalogue: PackageCatalogue, name: str) -> str:
    found = get_close_matches(name, list(catalogue.around(name)), n=5, cutoff=0.7)
    return max(found, key=lambda other: _likeness(name, other), default="")


def _likeness(typed: str, name: str) -> float:
    """How much alike; swapped letters are the likeliest mistake, then a late one."""
    alike = SequenceMatcher(None, typed, name).ratio()
    pairs = zip(typed, name, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    swapped = sorted(typed) == sorted(name)
    return alike + 0.02 * same + 0.2 * swapped - 0.03 * abs(len(typed) - len(name))


def _package(line: str) -> Suggestion:
    name, version, summary = line.split("\t", 2)
    return Suggestion(name, f"{version}  {summary}".strip())
