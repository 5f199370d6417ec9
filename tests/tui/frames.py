"""Frames as text: what a screen showed when somebody last looked at it, line by line."""

from __future__ import annotations

import os
from pathlib import Path

from tests.tui.conftest import frame
from zwizard.tui.app import ZwizardApp

# The ends of scroll bars, whose eighths depend on when one looks.
_BARS = str.maketrans(dict.fromkeys("▁▂▃▄▅▆▇", " "))
_FRAMES = Path(__file__).with_name("frames")


def looks_as_before(app: ZwizardApp, name: str) -> None:
    """The screen is what frames/NAME-WIDTHxHEIGHT.txt says.

    With ZWIZARD_FRAMES=write it is written there instead, to be read in the diff.
    """
    width, height = app.size
    path = _FRAMES / f"{name}-{width}x{height}.txt"
    shown = _still(frame(app))
    if os.environ.get("ZWIZARD_FRAMES") == "write":
        path.write_text(shown, "utf-8")
    assert shown == _still(path.read_text("utf-8")), (
        f"{path.name}: ZWIZARD_FRAMES=write accepts it"
    )


def _still(text: str) -> str:
    return "".join(f"{line.translate(_BARS).rstrip()}\n" for line in text.splitlines())
