"""A count with its first few examples: evidence that stays small however many there are."""

from __future__ import annotations

NAMED = 5


class Examples:
    """How many there were, and the first NAMED of them."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(text)

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        shown = ", ".join(self.first)
        more = self.count - len(self.first)
        return f"{shown} and {more} more" if more else shown
