"""The program: ``zwizard`` and ``python -m zwizard``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors of ours become two lines and an exit code."""
    from zwizard.cli import zwizard
    from zwizard.errors import ZwizardError
    from zwizard.text import sanitise

    try:
        code = zwizard.main(standalone_mode=False, prog_name="zwizard")
    except ZwizardError as error:
        sys.stderr.write(f"zwizard: {sanitise(error.message)}\n")
        if error.hint:
            sys.stderr.write(f"  {sanitise(error.hint)}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nzwizard: interrupted\n")
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
