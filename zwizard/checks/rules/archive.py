"""Rules about the archive itself: its name, its soundness, and where its members land."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from zwizard.checks.rule import CONTAINER_VM, EVERY, Rule
from zwizard.checks.verdict import Severity, Verdict, failed, passed, unknown
from zwizard.image.directory import DirectoryTree
from zwizard.image.tarball import TarballTree
from zwizard.image.tree import EntryType

if TYPE_CHECKING:
    from zwizard.checks.context import CheckContext
    from zwizard.image.tree import Entry

SUFFIX = ".tar.gz"

# The names that a root file system has at its top, and those of them whose presence one level
# down shows that a whole system was packed together with the directory it stood in.
_TELLTALE = frozenset({"boot", "dev", "etc", "home", "proc", "root", "sys", "usr", "var"})
_TOP = _TELLTALE | {"app", "bin", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "run"}
_TOP |= {"sbin", "srv", "tmp"}


def flist_name(name: str) -> str:
    """The flist's name that the hub makes of an uploaded archive's ``name``.

    It keeps ASCII letters, digits, ``_``, ``-`` and ``.``, joins words by ``_``, and drops dots
    and underscores at both ends (0-hub, werkzeug's secure_filename).
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    words = "_".join(plain.replace("/", " ").split())
    kept = re.sub(r"[^A-Za-z0-9_.-]", "", words).strip("._")
    return kept.replace(SUFFIX, "") + ".flist"


@Rule(
    "archive-name",
    "The archive's name ends in .tar.gz",
    severity=Severity.MUST,
    modes=EVERY,
    source="The hub takes no other name: .tgz, .tar.xz and .TAR.GZ get “this file is not allowed”"
    " (0-hub, allowed-extensions).",
    fix="Rename it so that it ends exactly in .tar.gz, in lower case.",
    keys=("name",),
)
def archive_name(context: CheckContext) -> Verdict:
    """The hub compares the end of the name, case-sensitively."""
    if context.name.endswith(SUFFIX) and context.name != SUFFIX:
        return passed(context.name)
    return failed(context.name)


@Rule(
    "archive-name-survives",
    "The hub keeps the archive's name as it is",
    severity=Severity.SHOULD,
    modes=EVERY,
    source="The hub rewrites names: it drops all but letters, digits, “_”, “.” and “-”, and"
    " overwrites a flist that already has the resulting name (0-hub, secure_filename).",
    fix="Use only letters, digits, “_”, “.” and “-” in the name, and begin with a letter or"
    " digit.",
    keys=("name",),
)
def archive_name_survives(context: CheckContext) -> Verdict:
    """The flist's name is the archive's, with nothing lost on the way."""
    flist = flist_name(context.name)
    evidence = f"{context.name} becomes {flist}"
    if flist == context.name.removesuffix(SUFFIX) + ".flist":
        return passed(evidence)
    return failed(evidence)


@Rule(
    "archive-readable",
    "The archive is whole",
    severity=Severity.MUST,
    modes=EVERY,
    source="The hub unpacks with tar and ignores whether that worked: a broken archive becomes a"
    " broken or empty flist without a word (0-hub, HubFlist.unpack).",
    fix="Pack it again with tar -czf NAME.tar.gz -C DIRECTORY . and copy it whole.",
)
def archive_readable(context: CheckContext) -> Verdict:
    """Every checksum right, every member there, the end marked, nothing behind it."""
    match context.tree:
        case TarballTree(fault=str(fault), bounded=bool(bounded)) if fault:
            return unknown(f"not read to its end: {fault}") if bounded else failed(fault)
        case TarballTree(members=members):
            return passed(f"{members} members, every checksum right")
        case DirectoryTree() as tree:
            return _directory_readable(tree)
    return passed("it could be read")


def _directory_readable(tree: DirectoryTree) -> Verdict:
    if not tree.complete:
        return unknown("the directory holds more files than can be checked", "Give a smaller one.")
    if tree.unreadable:
        return unknown(
            f"cannot be listed: {tree.unreadable}",
            "Check it as a user who may read all of it, or check the packed archive.",
        )
    return passed("every directory could be listed")


@Rule(
    "archive-root",
    "The image's own root is the archive's root",
    severity=Severity.MUST,
    modes=EVERY,
    source="Zero-OS looks at exactly /image.raw, /boot/vmlinuz and /boot/initrd.img; a directory"
    " around everything hides them, and the hub takes such an archive all the same.",
    fix="Pack from inside the directory: tar -czf NAME.tar.gz -C DIRECTORY .",
)
def archive_root(context: CheckContext) -> Verdict:
    """There is something in it, and not all of it in one directory around a system."""
    top = context.tree.children("/")
    if not top:
        return failed("it is empty", "Pack the image's files; this archive holds none.")
    if len(top) == 1 and top[0].kind is EntryType.DIRECTORY and _wraps(context, top[0]):
        return failed(f"everything is inside {top[0].path}/")
    names = ", ".join(entry.name for entry in top[:6])
    return passed(f"{len(top)} at the top: {names}")


def _wraps(context: CheckContext, directory: Entry) -> bool:
    inside = {entry.name for entry in context.tree.children(directory.path)}
    if "image.raw" in inside or len(inside & _TELLTALE) > 1:
        return True
    if context.entrypoint and context.tree.resolve(context.entrypoint).file is not None:
        return False
    return directory.name not in _TOP


@Rule(
    "archive-paths",
    "Every member lands where its name says",
    severity=Severity.MUST,
    modes=EVERY,
    source="The hub unpacks with tar into a directory of its own: what is absolute, climbs out or"
    " passes through a link is dropped or ends elsewhere (0-hub, tar -xpf).",
    fix="Pack a clean directory again with tar -czf NAME.tar.gz -C DIRECTORY .",
)
def archive_paths(context: CheckContext) -> Verdict:
    """No absolute or climbing member, none beneath a link, no hard link to nothing."""
    match context.tree:
        case TarballTree(unsafe=unsafe) if unsafe:
            return failed(str(unsafe))
    return passed("all relative, all inside, every hard link to a file in the archive")


@Rule(
    "archive-owners",
    "Owners are stored as numbers only",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="The hub unpacks as root, and tar then prefers an owner's name to its number: the"
    " hub's own numbers replace the image's for users such as www-data (0-hub, tar -xpf).",
    fix="Pack with tar --numeric-owner.",
)
def archive_owners(context: CheckContext) -> Verdict:
    """tar stores names beside the numbers unless told not to."""
    match context.tree:
        case TarballTree(named=named, owners=owners) if named:
            return failed(f"{named} members carry names: {owners}")
        case DirectoryTree():
            return passed("a directory has only numbers; zwizard packs them as such")
    return passed("no member has an owner's name")


@Rule(
    "archive-duplicates",
    "No path is in the archive twice",
    severity=Severity.ADVICE,
    modes=EVERY,
    source="Of two members with one name the hub keeps the one unpacked last.",
    fix="Pack once, without appending (tar -r) or naming a file twice.",
)
def archive_duplicates(context: CheckContext) -> Verdict:
    """A later member replaces an earlier one."""
    match context.tree:
        case TarballTree(duplicates=duplicates) if duplicates:
            return failed(f"more than once: {duplicates}")
    return passed("every path once")
