"""The parts of the checklist: the list of findings, one finding whole, the search field."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import StableList


class Findings(StableList):
    """The findings."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "The rules by their outcome. Below: what was found, how to fix it, and why the rule"
        " exists. Enter on a group opens or folds it, on a rule it goes to the text below, where"
        " the arrows scroll."
    )


class Detail(VerticalScroll):
    """One finding, whole."""

    HELP = "The highlighted finding in full; the arrows scroll, Tab goes back."


class Search(OrderedInput):
    """What the findings shown have to hold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "To the list", key_display="↓")
    ]
    HELP = (
        "Type a word to show only the rules with it in their name, finding, reason or fix. Enter"
        " goes to the list, Esc shows all rules."
    )
