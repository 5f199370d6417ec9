"""The one error users see: what happened, with the value, and what to do about it."""

from __future__ import annotations


class ZwizardError(Exception):
    """A failure, explained to the user.

    ``message`` says what happened, naming the value; ``hint`` says what to do. ``exit_code`` is
    what the command line ends with: 1 a step or boot test failed; 2 usage, recipe or
    unreadable input; 3 a ``must`` rule failed or is unknown.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ZwizardError):
    """Unusable input: an option, a recipe, a file of the wrong kind."""

    exit_code = 2


def describe_os_error(error: OSError) -> ZwizardError:
    """An error of the system, such as a full disk, with what to do."""
    where = f"{error.filename}: " if error.filename else ""
    return ZwizardError(
        f"{where}{error.strerror or error}",
        "Free some space, or use a place that you can write to: XDG_CACHE_HOME moves the layers,"
        " XDG_STATE_HOME the builds.",
    )
