"""The one error users see: what happened, with the value, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError that names no file, as of a write to a full disk, name this one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
