"""The program: ``zwizard`` and ``python -m zwizard``."""

from __future__ import annotations

import io
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zwizard.util.errors import ZwizardError


def main() -> None:
    """Run the command line; zwizard errors become two lines and an exit code."""
    from zwizard.cli.app import zwizard
    from zwizard.util.errors import ZwizardError
    from zwizard.util.paths import keep_private
    from zwizard.util.places import explained

    keep_private()

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a serial line may not know every glyph
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, unless ignored (nohup)
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        code = zwizard.main(standalone_mode=False, prog_name="zwizard")
    except (ZwizardError, OSError) as error:
        sys.exit(_report(explained(error)))
    except KeyboardInterrupt:
        sys.stderr.write("\nzwizard: interrupted\n")
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: ZwizardError) -> int:
    from zwizard.util.text import sanitise

    sys.stderr.write(f"zwizard: {sanitise(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"  {sanitise(error.hint)}\n")
    return error.exit_code


if __name__ == "__main__":
    main()
