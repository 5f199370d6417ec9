"""Checks of single values: each returns what is allowed where a value is not, else ""."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from zwizard.util.text import parse_size

Check = Callable[[Any], str]


class OneOf:
    """The check that a value is one of ``values``."""

    def __init__(self, *values: str) -> None:
        self.values = values

    def __call__(self, value: str) -> str:
        """What is allowed, and what was probably meant."""
        if value in self.values:
            return ""
        near = get_close_matches(value, self.values, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"allowed: {', '.join(self.values)}.{hint}"


def matching(pattern: str, allowed: str) -> Check:
    """The check that all of a value matches ``pattern``."""
    compiled = re.compile(pattern)
    return lambda value: "" if compiled.fullmatch(value) else allowed


def each(check: Check) -> Check:
    """The check that every value of a list passes ``check``."""

    def check_all(values: tuple[str, ...]) -> str:
        found = ((value, check(value)) for value in values)
        return next((f"{value!r} is wrong: {allowed}" for value, allowed in found if allowed), "")

    return check_all


def optional(check: Check) -> Check:
    """The check that a value is empty or passes ``check``."""
    return lambda value: check(value) if value else ""


def between(low: int, high: int) -> Check:
    """The check that a number is from ``low`` to ``high``."""
    return lambda value: "" if low <= value <= high else f"a number from {low} to {high}"


def anything(_: object) -> str:
    """Every value is allowed."""
    return ""


def size(value: str) -> str:
    """A size above 0."""
    try:
        return "" if parse_size(value) > 0 else "a size above 0, such as 2GiB"
    except ValueError:
        return "a size such as 2GiB, 100MiB or 5G"


def line(value: str) -> str:
    """One line of text, or nothing."""
    return "one line of text, without control characters" if not value.isprintable() else ""


def directory(value: str) -> str:
    """The path of a directory."""
    return line(value) if value else "a directory"


def command(value: str) -> str:
    """A command line for the shell."""
    if not value.strip():
        return "a shell command; it is empty"
    return "a shell command without NUL bytes" if "\0" in value else ""


def argument(value: str) -> str:
    """One argument of a program."""
    return "one argument, without line breaks and NUL bytes" if set(value) & {"\n", "\0"} else ""


# A value behind such a name is a secret, whatever it is; so is a password in a URL.
_SECRET_NAME = re.compile(
    r"(.*_)?(PASS|PASSWD|PASSWORD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|MNEMONIC"
    r"|(API|ACCESS|PRIVATE|SECRET)_?KEY)",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@]*:[^\s/@]+@.*", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Whether the environment variable ``name`` looks as if ``value`` were secret."""
    return bool(value and (_SECRET_NAME.fullmatch(name) or _SECRET_VALUE.fullmatch(value)))


def environment(values: dict[str, str]) -> str:
    """Variables and their values, none of them a secret."""
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return f"{name!r} is no name of a variable: letters, digits and '_'"
        if allowed := argument(value):
            return f"{name}: {allowed}"
        if is_secret(name, value):
            return (
                f"{name} without its value ({name}=): recipes, notes and reports are kept and"
                " shown; a secret is typed into the deployment"
            )
    return ""


def mirror(value: str) -> str:
    """The URL of an archive, without a password."""
    if not value:
        return ""
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "no user name or password in the URL: a recipe is shown, logged and shared"
    if not re.fullmatch(r"(https?|file)://[^\s'\"\\?#]+", value):
        return "a URL (http://, https:// or file://), or empty for the distribution's own"
    return ""


name = matching(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
    "letters, digits, '_', '.' and '-', beginning with a letter or digit, at most 64:"
    " the hub drops everything else from an archive's name",
)
package = matching(
    r"[a-z0-9][a-zA-Z0-9+._@:~=-]*", "a package's name: lower-case letters, digits, '+', '-', '.'"
)
unit = matching(r"[A-Za-z0-9:_.@\\-]+", "a systemd unit, such as nginx or fstrim.timer")
module = matching(r"[A-Za-z0-9_-]+", "a kernel module's name, such as virtiofs")
zone = matching(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone, such as UTC or Europe/Paris")
locale = matching(
    r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?",
    "a locale, such as C.UTF-8 or en_GB.UTF-8",
)
_PATH = r"(/(?!\.{1,2}(/|$))[^\s/\0]+)+"
program = matching(
    _PATH,
    "an absolute path inside the image, such as /app: Zero-OS tests that very path and searches"
    " nowhere else; arguments stand by themselves",
)
mount = matching(_PATH, "an absolute path inside the image, such as /data, and not / itself")
label = matching(r"[A-Za-z0-9_.-]{1,16}", "1 to 16 letters, digits, '_', '.', '-'")
suite = matching(r"[a-z][a-z0-9.-]*", "a suite's name, such as bookworm")
fingerprint = matching(r"[0-9A-F]{40}", "a key's fingerprint: 40 hexadecimal digits, upper case")
sha256 = matching(r"[0-9a-fA-F]{64}", "a SHA-256 sum: 64 hexadecimal digits")
slug = matching(r"[a-z][a-z0-9-]*", "a rule's name, such as setuid-files")
