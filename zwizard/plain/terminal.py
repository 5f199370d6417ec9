"""Lines written to the terminal, and the two kinds of prompts: choosing and typing."""

import os
import sys
import textwrap
from collections.abc import Sequence

import questionary

from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line, sanitise

BACK = "<"  # goes back, typed alone
_WIDTH = 78

Row = tuple[str, str, str]  # the text shown, its value, and why it cannot be chosen (or "")


def prepare() -> None:
    """Set up the prompts for terminals that answer no query for the cursor's position."""
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")


def say(text: str, *, indent: str = "", hang: str | None = None) -> None:
    """Print ``text``, made safe and wrapped; ``hang`` indents the lines after the first."""
    for line in sanitise(text).split("\n"):
        folded = textwrap.fill(
            line,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent if hang is None else hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        sys.stdout.write(folded.replace("\u00a0", " ") + "\n")
    sys.stdout.flush()


def say_error(error: ZwizardError) -> None:
    """Print what went wrong, and what to do."""
    say(f"Error: {error.message}")
    if error.hint:
        say(error.hint, indent="  ")


def choose(
    message: str, rows: Sequence[Row], now: str | None = None, back: str = ""
) -> str | None:
    """The value of the row that the user chooses; the pointer starts at ``now``.

    ``back``: the text of a last row that goes back, for which the value is None.
    """
    shown = [*rows, (back, BACK, "")] if back else rows
    enabled = {value for _, value, unavailable in shown if not unavailable}
    numbered = len(shown) < 10
    chosen: str = questionary.select(
        one_line(message),
        [questionary.Choice(one_line(t), v, disabled=reason or None) for t, v, reason in shown],
        default=now if now in enabled else None,
        use_shortcuts=numbered,
        use_jk_keys=False,
        instruction=f"(arrow keys{' or number' if numbered else ''}, then Enter)",
    ).unsafe_ask()
    return None if chosen == BACK else chosen


def type_line(message: str, now: str, hint: str = "") -> str | None:
    """A line that the user types, starting from ``now``; None to go back."""
    hints = ", ".join(filter(None, (hint, f"{BACK} goes back")))
    # The prompt shows control characters as ^[ and the like, and Enter keeps them as they are.
    typed: str = questionary.text(
        one_line(message), default=now.replace("\n", " "), instruction=f"({one_line(hints)})"
    ).unsafe_ask()
    # A line that is not UTF-8 arrives as surrogates, which no file takes.
    text = typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return None if text.strip() == BACK else text
