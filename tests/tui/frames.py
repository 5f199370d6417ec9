"""Compare screens with their recorded frames, as text."""

from __future__ import annotations

import os
from pathlib import Path

from tests.tui.conftest import frame
from zwizard.tui.app import ZwizardApp

# The ends of scroll bars, whose eighths depend on the moment.
_BARS = str.maketrans(dict.fromkeys("▁▂▃▄▅▆▇", " "))
_FRAMES = Path(__file__).with_name("frames")


def matches_frame(app: ZwizardApp, name: str) -> None:
    """Assert that the screen equals frames/NAME-WIDTHxHEIGHT.txt.

    ZWIZARD_FRAMES=write writes the screen there first, to be reviewed as a diff.
    """
    width, height = app.size
    path = _FRAMES / f"{name}-{width}x{height}.txt"
    shown = _normalised(frame(app))
    if os.environ.get("ZWIZARD_FRAMES") == "write":
        path.write_text(shown, "utf-8")
    assert shown == _normalised(path.read_text("utf-8")), (
        f"{path.name}: ZWIZARD_FRAMES=write accepts it"
    )


def _normalised(text: str) -> str:
    return "".join(f"{line.translate(_BARS).rstrip()}\n" for line in text.splitlines())
