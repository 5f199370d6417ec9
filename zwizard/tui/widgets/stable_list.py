"""A list of rows that can change while the highlight stays on its row."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from zwizard.tui.widgets.keys import Remappable


@dataclass(frozen=True)
class Row:
    """One row; ``id`` is unique in the list."""

    id: str
    text: Content
    heading: bool = False


class StableList(Remappable, OptionList):
    """Rows by their ids: the highlight stays on its row when others are added or removed.

    With a ``title`` they are in a frame.
    """

    def __init__(self, *, id: str, title: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="pane" if title else "", markup=False, compact=True)
        self.border_title = title or None
        self._rows: tuple[Row, ...] = ()

    @property
    def current(self) -> str:
        """The id of the highlighted row, or ""."""
        option = self.highlighted_option
        return (option.id or "") if option else ""

    def show(self, rows: Iterable[Row], prefer: str = "") -> None:
        """Show these rows; ``prefer`` is highlighted if the highlighted row is not among them."""
        new = tuple(rows)
        if [r.id for r in new] == [r.id for r in self._rows]:
            for row, old in zip(new, self._rows, strict=True):
                if row != old:
                    self.replace_option_prompt(row.id, row.text)
        else:
            here = self.current
            self.set_options(Option(row.text, id=row.id, disabled=row.heading) for row in new)
            self._highlight(here, prefer, new)
        self._rows = new

    def go(self, row: str) -> bool:
        """Highlight the row with this id; whether it is there."""
        index = next((i for i, option in enumerate(self.options) if option.id == row), None)
        if index is not None:
            self.highlighted = index
        return index is not None

    def _highlight(self, here: str, prefer: str, rows: tuple[Row, ...]) -> None:
        ids = [row.id for row in rows]
        if here in ids:
            self.highlighted = ids.index(here)
        elif prefer in ids:
            self.highlighted = ids.index(prefer)
        elif rows:
            # The row that is now at the position of the old one.
            old = next((i for i, row in enumerate(self._rows) if row.id == here), 0)
            self.highlighted = min(old, len(rows) - 1)
            if rows[self.highlighted].heading:
                self.action_first()
