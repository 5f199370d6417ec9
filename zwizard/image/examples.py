"""A count with its first few examples: evidence that stays small however many there are."""

from collections.abc import Iterable


class Examples:
    """How many there were, and the first ``named`` of them."""

    __slots__ = ("_named", "count", "first")

    def __init__(self, found: Iterable[str] = (), named: int = 5) -> None:
        self.count = 0
        self.first: list[str] = []
        self._named = named
        for text in found:
            self.add(text)

    def add(self, text: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < self._named:
            self.first.append(text)

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        shown = ", ".join(self.first)
        more = self.count - len(self.first)
        return f"{shown} and {more} more" if more else shown
