"""The terminal that the wizard runs in: its keys, programs run in it, and leaving it."""

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
    """Wait for Enter, so that an error can be read before the wizard covers the terminal."""
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
    """Make Textual report Alt+1 … Alt+6 as those keys.

    Terminals send Escape and the digit. Textual reads that as a character of an Apple keyboard,
    for a terminal of macOS: Alt+1 would type "¡" into the field.
    """
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    table = cast("dict[str, object]", ANSI_SEQUENCES_KEYS)
    for number in range(1, MOST_PAGES + 1):
        table.pop(f"\x1b{number}", None)


def exit_soon(status: int) -> None:
    """End this process in two seconds, whatever it is still doing.

    After the terminal was closed, Textual's writer thread fails, and restoring the terminal waits
    forever for room in the writer's queue. Nothing is lost: draft and builds are on the disk.
    """
    timer = threading.Timer(2.0, os._exit, (status,))
    timer.daemon = True
    timer.start()
