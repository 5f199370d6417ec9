"""What the end of a log probably means, in a sentence, and the answer that would mend it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_TAIL = 64 * 1024  # bytes of the log that are looked at


@dataclass(frozen=True)
class StepFailureCause:
    """A likely cause: what it is and what to do, and the recipe's key that decides it ("": none).

    Nothing is known where ``said`` is "".
    """

    said: str = ""
    key: str = ""


_MIRROR, _SUITE = "source.mirror", "source.suite"
_PACKAGES = ("source.packages", "kernel.package")
_PROXY = "check http_proxy and https_proxy where the wizard is started, then retry."

# Of several packages each is to be mended, so all are named: what stands between them, and the
# sentence then.
_NO_PACKAGE = "There is no package {what} in this suite: mend its name in 'More packages'."
_NO_CANDIDATE = "The package {what} is known but not to be had in this suite: leave it out."
_NO_VERSION = "The package {what} is not to be had in that version: leave the version out."
_SEVERAL = {
    _NO_PACKAGE: (
        ", no package ",
        "There is no package {what} in this suite: mend their names in 'More packages'.",
    ),
    _NO_CANDIDATE: (
        ", ",
        "The packages {what} are known but not to be had in this suite: leave them out.",
    ),
    _NO_VERSION: (
        ", ",
        "The packages {what} are not to be had in those versions: leave the versions out.",
    ),
}

# The first that matches wins, so what is particular stands before what is general. Of the keys,
# the first that the failed step hangs on is meant, or else the first.
_CAUSES = tuple(
    (re.compile(pattern, re.MULTILINE), said, keys)
    for pattern, said, *keys in (
        # --- this machine ---
        (
            r"No space left on device|Disk quota exceeded|You don't have enough free space in",
            "The disk is full: free some space (zwizard clean), or move the cache with"
            " XDG_CACHE_HOME.",
        ),
        (
            r"Could not allocate (?:block|inode) in ext2 filesystem",
            "The root file system does not fit: make the disk larger.",
            "disk.size",
        ),
        (
            r"Cannot allocate memory|std::bad_alloc|cannot fork\(\)|Out of memory|^Killed$",
            "This machine has run out of memory: end other programs or add swap, then retry.",
        ),
        (
            r"(?:Release file for )?(?P<what>\S*) is not valid yet|certificate is not yet valid",
            "This machine's clock is behind: what the mirror has signed is dated in the future."
            " Set the clock, then retry.",
        ),
        (
            r"Release file for (?P<what>\S+) is expired",
            "The mirror's index {what} has expired: this machine's clock is ahead, or the mirror"
            " is no longer kept up to date.",
            _MIRROR,
        ),
        (
            r"Exec format error",
            "Something that should run here was made for another processor.",
            _MIRROR,
        ),
        # --- what others have made ---
        (
            r"(?P<what>\S+ leads out of the archive|\S+ is below a link, \S+)$",
            "The archive leads out of itself ({what}): it is broken, or not meant well. Have it"
            " packed anew from a clean tree.",
            "source.location",
        ),
        (
            r"no root file system could be read: .*partition \d+ is (?P<what>\w+), which",
            "Its root is on {what}, and only ext4 is read without root, for now: take an image"
            " with ext4, or unpack this one elsewhere and give the tree (rootfs).",
            "source.location",
        ),
        (
            r"Digest did not match",
            "The container image is damaged: a layer is not what the image says it is. Save it"
            " anew.",
            "source.location",
        ),
        (
            r"it unpacks to more than",
            "The archive unpacks to more than there is room for: is it the one that is meant?",
            "source.location",
        ),
        (
            r'^its os-release says .* write distro = "(?P<what>\w+)"',
            "It is another distribution than the recipe says: take {what}.",
            "source.distro",
        ),
        (
            r"^there is no /sbin/init in it",
            "It has no init system, and none can be installed in it here: make a container of it,"
            " or take a tree that has one.",
            "target",
        ),
        # --- the way to the mirror ---
        (
            r"407 +Proxy Authentication Required",
            f"The proxy wants a name and a password: {_PROXY}",
        ),
        (
            r"(?:Could not resolve proxy:?|[Uu]nable to connect to (?:the )?proxy"
            r"|Unsupported proxy configured:|Invalid proxy)(?: (?P<what>\S+))?",
            f"The proxy {{what}} cannot be used: {_PROXY}",
        ),
        (
            r"Clearsigned file isn't valid, got '(?P<what>[^']*)'",
            "Something between here and the mirror answers in its place: a log-in page of the"
            " network, or a proxy. Open a web page to see it, then retry.",
            _MIRROR,
        ),
        (
            r"[Cc]ertificate verif\w+ failed|SSL certificate problem|certificate has expired",
            "The mirror's certificate cannot be verified: ca-certificates is missing, the clock"
            " is wrong, or a proxy reads along.",
            _MIRROR,
        ),
        # --- packages ---
        (
            r"(?:E: Unable to locate package|error: target not found:"
            r"|E: Couldn't find any package by \w+) '?(?P<what>[^\s']+)"
            r"|E: Couldn't find these debs: (?P<all>.+)",
            _NO_PACKAGE,
            *_PACKAGES,
        ),
        (
            r"E: Package '(?P<what>[^']+)' has no installation candidate",
            _NO_CANDIDATE,
            *_PACKAGES,
        ),
        (
            r"E: Version '[^']*' for '(?P<what>[^']+)' was not found",
            _NO_VERSION,
            *_PACKAGES,
        ),
        # --- the mirror ---
        (
            r"(?:Could not resolve(?: host:)?|Temporary failure resolving"
            r"|unable to resolve host address) ['‘]?(?P<what>[\w.-]+)",
            "The mirror's name {what} does not resolve: check the mirror and this machine's DNS.",
            _MIRROR,
        ),
        (
            r"(?:Could not connect to|Cannot initiate the connection to|Failed to connect to"
            r"|Connection failed \[IP:)"
            r" (?P<what>[\w.:-]+)",
            "The mirror {what} does not answer: check the mirror and the network, then retry.",
            _MIRROR,
        ),
        (
            r"(?P<what>https?://\S+)\s+(?:404|403|500|502|503) ",
            "The mirror has no {what}: check the mirror and the suite.",
            _MIRROR,
            _SUITE,
        ),
        (
            r"File not found - (?P<what>/\S+)",
            "The mirror has no {what}: check the mirror and the suite.",
            _MIRROR,
            _SUITE,
        ),
        (
            r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
            "The mirror is being updated, or a proxy keeps old files: retry in some minutes, or"
            " take another mirror.",
            _MIRROR,
        ),
        (
            r"E: No such script: \S*/(?P<what>[^/\s]+)",
            "This machine's debootstrap does not know the suite {what}: take mmdebstrap, or a"
            " newer debootstrap.",
            "source.bootstrap",
            _SUITE,
        ),
        (
            r"E: Failed getting release file (?P<what>\S+)",
            "The mirror does not answer, or does not carry this suite: {what}",
            _MIRROR,
            _SUITE,
        ),
        (
            r"(?:E: Invalid Release|does not have a Release file)",
            "The mirror does not carry this suite: check both.",
            _MIRROR,
            _SUITE,
        ),
        (
            r"keyring has none of the known master keys",
            "Nobody who is known vouches for this mirror's packages: take another mirror, or name"
            " the fingerprints of its own keys (source.keys in the recipe).",
            _MIRROR,
        ),
        (
            r"error: (?P<what>\S+): (?:missing required signature|signature from .* is )",
            "The package {what} is not signed by anybody who is vouched for, or was damaged on its"
            " way: retry, or take another mirror.",
            _MIRROR,
            *_PACKAGES,
        ),
        (
            r"==> ERROR: failed to setup chroot",
            "pacstrap can be used by root only: take pacman, which does the same.",
            "source.bootstrap",
        ),
        (
            r"NO_PUBKEY|EXPKEYSIG|no valid OpenPGP|is not signed|GPG error"
            r"|Release signed by unknown key|signature from .* is (?:unknown trust|invalid)",
            "The mirror's signature cannot be checked: the suite's key is missing or expired here"
            " (package debian-archive-keyring).",
            _MIRROR,
            _SUITE,
        ),
        (
            r"(?:Unable to fetch some archives|Failed to fetch|failed retrieving file"
            r"|Couldn't download packages:) ?(?P<what>\S*)",
            "A download failed: {what} check the network and the mirror, then retry.",
            _MIRROR,
        ),
        # --- what is installed and set ---
        (
            r"^ (?P<what>\S+) : (?:Pre-?)?(?:Depends|Conflicts|Breaks): ",
            "The package {what} cannot be installed together with the others: leave it out, or"
            " take another suite.",
            *_PACKAGES,
        ),
        (
            r"could not satisfy dependencies|conflicting dependencies|held broken packages",
            "These packages cannot be installed together: leave one out, or take another suite.",
            *_PACKAGES,
        ),
        (
            r"modprobe: FATAL: Module (?P<what>\S+) not found|"
            r"ERROR: module not found: '(?P<module>[^']+)'|"
            r"cryptsetup: ERROR: Couldn't resolve",
            "The kernel has no module {what}: mend it in 'Modules in the initramfs'.",
            "kernel.modules",
        ),
        (
            r"dpkg: error processing (?:package|archive) (?P<what>\S+) \(--"
            r"|installed (?P<script>\S+) package (?:pre|post)-\w+ script subprocess",
            "The package {what} could not be set up: a script of its own failed, and said why just"
            " above that line in the log.",
            *_PACKAGES,
        ),
        (
            r"[Uu]nit (?:file )?(?P<what>\S+) (?:does not exist|could not be found)",
            "There is no service {what} in the image: mend it in 'Services to enable', or install"
            " its package.",
            "system.services",
        ),
        (
            r"there is no (?P<what>time zone .*)",
            "There is no {what}: mend it on the page System.",
            "system.timezone",
        ),
        (
            r"there is no (?P<what>locale .*)",
            "There is no {what}: mend it on the page System.",
            "system.locale",
        ),
        (
            r"^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?P<what>\S+): (?:command )?not found",
            "There is no command {what} in the image: install its package, or mend your commands.",
            "system.run",
            "source.packages",
        ),
    )
)


def likely_cause(log: Path, answers: Collection[str] = ()) -> StepFailureCause:
    """What probably went wrong, by the end of ``log``.

    ``answers``: the recipe's keys that decide the step whose log it is.
    """
    # The commands are in the log too, and name faults that have not happened.
    text = re.sub(r"^\+ .*$", "", tail(log), flags=re.MULTILINE)
    for pattern, said, keys in _CAUSES:
        if found := list(pattern.finditer(text)):
            key = next((k for k in keys if k in answers), next(iter(keys), ""))
            said, what = _named(said, found)
            return StepFailureCause(said.replace("{what}", what).replace("  ", " "), key)
    return StepFailureCause()


def _named(said: str, found: list[re.Match[str]]) -> tuple[str, str]:
    """What is to be said of these matches, and what it is said of: all, or else the last."""
    whats = [next(filter(None, match.groupdict().values()), "") for match in found]
    if said not in _SEVERAL:
        return said, _bare(whats[-1])
    names = list(dict.fromkeys(_bare(name) for what in whats for name in what.split()))
    between, of_several = _SEVERAL[said]
    return (of_several if len(names) > 1 else said), _listed(names, between)


def _listed(names: list[str], between: str) -> str:
    """``a, b and c``, with what stands ``between`` two."""
    *most, last = names
    return f"{between.join(most)} and{between.removeprefix(',')}{last}" if most else last


def _bare(what: str) -> str:
    # A sentence's end is none of it; "../" at its beginning is.
    return what.lstrip("'\"").rstrip("'\".,")


def tail(log: Path, lines: int = 0) -> str:
    """The end of the log: its last ``lines``, or 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines else text
