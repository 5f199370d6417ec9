"""The parts of the check screen: the list of findings, one finding in full, the search field."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import StableList


class Findings(StableList):
    """The list of findings, by outcome."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "The rules by outcome. Below: what was found, how to fix it, and why the rule exists."
        " Enter opens or closes a group; on a rule it goes to the text below, which the arrow"
        " keys scroll."
    )


class Detail(VerticalScroll):
    """One finding in full."""

    HELP = "The highlighted finding in full. The arrow keys scroll; Tab goes back."


class Search(OrderedInput):
    """The text that the listed findings must contain."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "To the list", key_display="↓")
    ]
    HELP = (
        "Type a word to show only the rules that contain it in their name, finding, reason or"
        " fix. Enter goes to the list; Esc shows all rules."
    )
