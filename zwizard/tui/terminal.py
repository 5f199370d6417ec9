"""The terminal around the wizard: keys that it sends, and leaving it as it was."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

from zwizard.tui.navigation import MOST_PAGES
from zwizard.util.errors import ZwizardError


def wait_for_enter() -> None:
    """Wait for Enter: what went wrong stands on the terminal, which the wizard covers again."""
    sys.stdout.write("\nThat failed. Press Enter to return to the wizard. ")
    sys.stdout.flush()
    with contextlib.suppress(OSError, KeyboardInterrupt):
        sys.stdin.readline()


def read_file(path: Path) -> None:
    """Show a file in $PAGER, or less; ZwizardError if that is not installed."""
    pager = shlex.split(os.environ.get("PAGER", "")) or ["less"]
    try:
        subprocess.run([*pager, str(path)], check=False)
    except FileNotFoundError:
        raise ZwizardError(f"{pager[0]} is not installed", f"The file is {path}") from None


def keep_alt_digits() -> None:
    """Let Alt+1 … Alt+6 arrive as such.

    Textual takes what terminals send for them (Escape and the digit) for characters of an Apple
    keyboard, as one terminal on macOS means it: Alt+1 would type "¡" into the field.
    """
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    table = cast("dict[str, object]", ANSI_SEQUENCES_KEYS)
    for number in range(1, MOST_PAGES + 1):
        table.pop(f"\x1b{number}", None)


def exit_soon(status: int) -> None:
    """End this process in two seconds, whatever it is still doing.

    Where the terminal is gone, Textual's writer dies of it, and restoring the terminal waits for
    ever for room in the writer's queue. Nothing is lost: answers and builds are on the disk.
    """
    timer = threading.Timer(2.0, os._exit, (status,))
    timer.daemon = True
    timer.start()
