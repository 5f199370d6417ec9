"""What the end of a log probably means, in a sentence, where it is known."""

from __future__ import annotations

import re
from pathlib import Path

_TAIL = 64 * 1024  # bytes of the log that are looked at

# The first that matches wins, so what is particular stands before what is general.
_CAUSES = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (
            r"No space left on device|Disk quota exceeded",
            "The disk is full: free some space (zwizard clean), or move the cache with"
            " XDG_CACHE_HOME.",
        ),
        (
            r"E: Unable to locate package (?P<what>\S+)",
            "There is no package {what} in this suite: mend its name in 'More packages'.",
        ),
        (
            r"E: Package '(?P<what>[^']+)' has no installation candidate",
            "The package {what} is known but not to be had in this suite: leave it out.",
        ),
        (
            r"(?:Could not resolve|Temporary failure resolving) '?(?P<what>[\w.-]+)",
            "The mirror's name {what} does not resolve: check the mirror and this machine's DNS.",
        ),
        (
            r"(?:Could not connect to|Cannot initiate the connection to|Failed to connect to)"
            r" (?P<what>[\w.:-]+)",
            "The mirror {what} does not answer: check the mirror and the network, then retry.",
        ),
        (
            r"(?P<what>https?://\S+)\s+(?:404|403|500|502|503) ",
            "The mirror has no {what}: check the mirror and the suite.",
        ),
        (
            r"E: Failed getting release file (?P<what>\S+)",
            "The mirror does not answer, or does not carry this suite: {what}",
        ),
        (
            r"(?:E: Invalid Release|does not have a Release file)",
            "The mirror does not carry this suite: check both.",
        ),
        (
            r"NO_PUBKEY|EXPKEYSIG|no valid OpenPGP|is not signed|GPG error",
            "The mirror's signature cannot be checked: the suite's key is missing or expired here"
            " (package debian-archive-keyring).",
        ),
        (
            r"(?:Unable to fetch some archives|Failed to fetch) ?(?P<what>\S*)",
            "A download failed: {what} check the network and the mirror, then retry.",
        ),
        (
            r"[Uu]nit (?:file )?(?P<what>\S+) (?:does not exist|could not be found)",
            "There is no service {what} in the image: mend it in 'Services to enable', or install"
            " its package.",
        ),
        (
            r"there is no (?P<what>(?:time zone|locale) .*)",
            "There is no {what}: mend it on the page System.",
        ),
        (
            r"modprobe: FATAL: Module (?P<what>\S+) not found|"
            r"cryptsetup: ERROR: Couldn't resolve",
            "The kernel has no module {what}: mend it in 'Modules in the initramfs'.",
        ),
    )
)


def likely(log: Path) -> str:
    """What probably went wrong, by the end of ``log``; "" where it is not known."""
    # The commands are in the log too, and name faults that have not happened.
    text = re.sub(r"^\+ .*$", "", tail(log), flags=re.MULTILINE)
    for pattern, said in _CAUSES:
        if found := list(pattern.finditer(text)):
            what = found[-1].groupdict().get("what") or ""
            return said.replace("{what}", what.strip("'\".,"))
    return ""


def tail(log: Path, lines: int = 0) -> str:
    """The end of the log: its last ``lines``, or 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines else text
