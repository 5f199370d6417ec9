"""The likely cause of a failed step by the end of its log, and the answer to change."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_TAIL = 64 * 1024  # bytes of the log that are looked at


@dataclass(frozen=True)
class StepFailureCause:
    """A likely cause with what to do, and the recipe's key to change; "" if unknown."""

    message: str = ""
    key: str = ""


_MIRROR = "source.mirror"
_ARCHIVE = (_MIRROR, "source.suite")
_URLS = ("source.location", "kernel.file", _MIRROR)
_PACKAGES = ("source.packages", "kernel.package")
_PROXY = "check http_proxy and https_proxy in your environment, then resume."

# Of these, the names in all matching lines are listed, not only the last.
_NO_PACKAGE = "Not in this suite: {what}. Correct the package names in 'More packages'."
_NO_CANDIDATE = "No installable version in this suite: {what}. Remove it from the packages."
_NO_VERSION = "This version is not available: {what}. Leave the version out."
_LISTED = {_NO_PACKAGE, _NO_CANDIDATE, _NO_VERSION}

# The first match wins, so special causes come before general ones. The key is the first that the
# failed step depends on, or else the first of all.
_CAUSES = tuple(
    (re.compile(pattern, re.MULTILINE), message, keys)
    for pattern, message, *keys in (
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
            "This host ran out of memory: end other programs or add swap, then resume.",
        ),
        (
            r"(?:Release file for )?(?P<what>\S*) is not valid yet|certificate is not yet valid",
            "This host's clock is behind: the mirror's signatures are dated in the future."
            " Set the clock, then resume.",
        ),
        (
            r"Release file for (?P<what>\S+) is expired",
            "The mirror's index {what} has expired: this host's clock is ahead, or the mirror is"
            " no longer updated.",
            _MIRROR,
        ),
        (
            r"Exec format error",
            "A program is for another processor architecture.",
            _MIRROR,
        ),
        # --- imported images ---
        (
            r"(?P<what>\S+ leads out of the archive|\S+ is below a link, \S+)$",
            "The archive contains a path outside its root ({what}): it is damaged or malicious."
            " Use another archive.",
            "source.location",
        ),
        (
            r"no root file system could be read: .*partition \d+ is (?P<what>\w+), which",
            "The root file system is {what}; only ext4 can be read. Use an image with ext4, or"
            " unpack this one and import the directory (rootfs).",
            "source.location",
        ),
        (
            r"Digest did not match",
            "The container image is damaged: a layer does not match its digest. Save it again.",
            "source.location",
        ),
        (
            r"it unpacks to more than",
            "The archive unpacks to more than the free space: make room in the cache"
            " (zwizard clean, XDG_CACHE_HOME), or is it the wrong file?",
            "source.location",
        ),
        (
            r'^its os-release says .* write distro = "(?P<what>\w+)"',
            "The image is of another distribution; set the distribution to {what}.",
            "source.distro",
        ),
        (
            r"^there is no /sbin/init in it",
            "The image has no init system, and none can be installed: make a container of it, or"
            " use an image with an init system.",
            "target",
        ),
        # --- between this host and the mirror ---
        (
            r"407 +Proxy Authentication Required",
            f"The proxy requires a name and a password: {_PROXY}",
        ),
        (
            r"(?:Could not resolve proxy:?|[Uu]nable to connect to (?:the )?proxy"
            r"|Unsupported proxy configured:|Invalid proxy)(?: (?P<what>\S+))?",
            f"The proxy {{what}} cannot be used: {_PROXY}",
        ),
        (
            r"Clearsigned file isn't valid, got '(?P<what>[^']*)'",
            "The network answers in place of the mirror: a login page, or a proxy. Open a web page"
            " to see it, then resume.",
            _MIRROR,
        ),
        (
            r"[Cc]ertificate verif\w+ failed|SSL certificate problem|certificate has expired",
            "The mirror's certificate cannot be verified: ca-certificates is missing, the clock"
            " is wrong, or a proxy intercepts the connection.",
            _MIRROR,
        ),
        # --- a file at a URL ---
        (
            r"^(?P<what>https?://\S+): the server answers \d+: there is no such file",
            "There is no {what}: correct the URL.",
            *_URLS,
        ),
        (
            r"^(?P<what>https?://\S+): it leads to another scheme",
            "{what} leads to an address of another kind: use the address of the file itself.",
            *_URLS,
        ),
        (
            r"^(?P<what>https?://\S+): larger than ",
            "{what} is larger than what may be taken: free some space, or correct the URL.",
            *_URLS,
        ),
        (
            r"^(?P<what>https?://\S+): (?:stalled: |the server answers )",
            "The server of {what} does not answer in time: resume later.",
            *_URLS,
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
            "The mirror {what} does not answer: check the mirror and the network, then resume.",
            _MIRROR,
        ),
        (
            r"(?P<what>https?://\S+)\s+(?:404|403|500|502|503) |File not found - (?P<file>/\S+)",
            "The mirror has no {what}: check the mirror and the suite.",
            *_ARCHIVE,
        ),
        (
            r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
            "The mirror is being updated, or a proxy has old files: resume in some minutes, or use"
            " another mirror.",
            _MIRROR,
        ),
        (
            r"E: No such script: \S*/(?P<what>[^/\s]+)",
            "debootstrap on this host does not know the suite {what}: use mmdebstrap, or a newer"
            " debootstrap.",
            "source.bootstrap",
            "source.suite",
        ),
        (
            r"E: Failed getting release file (?P<what>\S+)",
            "The mirror does not answer, or does not have this suite: {what}",
            *_ARCHIVE,
        ),
        (
            r"(?:E: Invalid Release|does not have a Release file)",
            "The mirror does not have this suite: check both.",
            *_ARCHIVE,
        ),
        (
            r"keyring has none of the known master keys",
            "This mirror's packages are not signed by a known key: use another mirror, or set the"
            " fingerprints of its own keys (source.keys in the recipe).",
            _MIRROR,
        ),
        (
            r"error: (?P<what>\S+): (?:missing required signature|signature from .* is )",
            "The package {what} is not signed by a trusted key, or its download is damaged:"
            " resume, or use another mirror.",
            _MIRROR,
            *_PACKAGES,
        ),
        (
            r"==> ERROR: failed to setup chroot",
            "pacstrap works only as root: use pacman, which does the same.",
            "source.bootstrap",
        ),
        (
            r"NO_PUBKEY|EXPKEYSIG|no valid OpenPGP|is not signed|GPG error"
            r"|Release signed by unknown key|signature from .* is (?:unknown trust|invalid)",
            "The mirror's signature cannot be verified: the suite's key is missing or has expired"
            " on this host (package debian-archive-keyring).",
            *_ARCHIVE,
        ),
        (
            r"(?:Unable to fetch some archives|Failed to fetch|failed retrieving file"
            r"|Couldn't download packages:) ?(?P<what>\S*)",
            "A download failed: {what} Check the network and the mirror, then resume.",
            _MIRROR,
        ),
        # --- what is installed and set ---
        (
            r"^ (?P<what>\S+) : (?:Pre-?)?(?:Depends|Conflicts|Breaks): ",
            "Package {what} conflicts with the others: remove it, or use another suite.",
            *_PACKAGES,
        ),
        (
            r"could not satisfy dependencies|conflicting dependencies|held broken packages",
            "These packages cannot be installed together: remove one, or use another suite.",
            *_PACKAGES,
        ),
        (
            r"modprobe: FATAL: Module (?P<what>\S+) not found|"
            r"ERROR: module not found: '(?P<module>[^']+)'|"
            r"cryptsetup: ERROR: Couldn't resolve",
            "The kernel has no module {what}: correct 'Modules in the initramfs'.",
            "kernel.modules",
        ),
        (
            r"dpkg: error processing (?:package|archive) (?P<what>\S+) \(--"
            r"|installed (?P<script>\S+) package (?:pre|post)-\w+ script subprocess",
            "Package {what} could not be set up: its own script failed; the reason is just above"
            " that line in the log.",
            *_PACKAGES,
        ),
        (
            r"[Uu]nit (?:file )?(?P<what>\S+) (?:does not exist|could not be found)",
            "The image has no service {what}: correct 'Services to enable', or install its"
            " package.",
            "system.services",
        ),
        (
            r"there is no (?P<what>time zone .*)",
            "There is no {what}: correct it on the page System.",
            "system.timezone",
        ),
        (
            r"there is no (?P<what>locale .*)",
            "There is no {what}: correct it on the page System.",
            "system.locale",
        ),
        (
            r"^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?P<what>\S+): (?:command )?not found|"
            r"^bwrap: execvp (?P<program>\S+): No such file or directory",
            "The image has no command {what}: install its package, or correct your commands.",
            "system.run",
            "source.packages",
        ),
    )
)


def likely_cause(log: Path, answers: Collection[str] = ()) -> StepFailureCause:
    """The likely cause by the end of ``log``; the step depends on the keys ``answers``."""
    # The commands are in the log too, and name faults that have not happened.
    text = re.sub(r"^\+ .*$", "", tail(log), flags=re.MULTILINE)
    for pattern, message, keys in _CAUSES:
        if found := list(pattern.finditer(text)):
            key = next((k for k in keys if k in answers), next(iter(keys), ""))
            whats = [next(filter(None, match.groupdict().values()), "") for match in found]
            names = " ".join(whats).split() if message in _LISTED else whats[-1:]
            what = ", ".join(dict.fromkeys(map(_bare, names)))
            return StepFailureCause(message.replace("{what}", what).replace("  ", " "), key)
    return StepFailureCause()


def _bare(what: str) -> str:
    # Without the end of a sentence, but with "../" at the start.
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
