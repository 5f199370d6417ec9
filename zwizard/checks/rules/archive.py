"""Rules about the archive itself: its name, its soundness, and where its members land."""

import re
import unicodedata

from zwizard.checks.context import CheckContext
from zwizard.checks.rule import CONTAINER_VM, EVERY, advice, must, should
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.directory import DirectoryTree
from zwizard.image.flist.tree import FlistTree
from zwizard.image.tarball import TarballTree
from zwizard.image.tree import Entry, EntryType

SUFFIX = ".tar.gz"
REPACK = "Pack it again, as zwizard repair and zwizard build do: it becomes a .tar.gz."

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


@must(
    "The archive's name ends in .tar.gz",
    EVERY,
    source="The hub accepts only names that end in .tar.gz: .tgz, .tar.xz and .TAR.GZ are refused"
    " with “this file is not allowed” (0-hub, allowed-extensions).",
    fix="Rename it so that the name ends in .tar.gz, in lower case.",
    example="debian-vm.tar.xz",
    keys=("name",),
    of_archive=True,
)
def archive_name(context: CheckContext) -> Verdict:
    """The name ends in .tar.gz; case matters. What is inside is compressed with gzip."""
    match context.tree:
        case TarballTree(gzipped=False, path=path):
            return failed(f"{path.name} is not compressed with gzip", REPACK)
    if context.name.endswith(SUFFIX) and context.name != SUFFIX:
        return passed(context.name)
    return failed(context.name)


@should(
    "The hub keeps the archive's name as it is",
    EVERY,
    source="The hub keeps only letters, digits, “_”, “.” and “-” of a name, and overwrites a flist"
    " that already has the resulting name (0-hub, secure_filename).",
    fix="Use only letters, digits, “_”, “.” and “-” in the name, and start it with a letter or"
    " digit.",
    example="my image.tar.gz becomes myimage.tar.gz",
    keys=("name",),
    of_archive=True,
)
def archive_name_survives(context: CheckContext) -> Verdict:
    """The flist gets the archive's name, without any character dropped."""
    flist = flist_name(context.name)
    evidence = f"{context.name} becomes {flist}"
    if flist == context.name.removesuffix(SUFFIX) + ".flist":
        return passed(evidence)
    return failed(evidence)


@must(
    "The archive is complete and undamaged",
    EVERY,
    source="The hub unpacks with tar and ignores whether that worked: a broken archive silently"
    " becomes a broken or empty flist (0-hub, HubFlist.unpack).",
    fix="Pack it again with tar -czf NAME.tar.gz -C DIRECTORY . and copy the whole file.",
    example="truncated: the compressed data ends at byte 200000",
)
def archive_readable(context: CheckContext) -> Verdict:
    """Checksums are right, all members and the end marker are read, and nothing follows."""
    match context.tree:
        case TarballTree(fault=str(fault), bounded=bool(bounded)) if fault:
            return unknown(f"not read to the end: {fault}") if bounded else failed(fault)
        case TarballTree(members=members):
            return passed(f"{members} members, checksums right")
        case FlistTree(fault=str(fault)) if fault:
            return unknown(fault)
        case FlistTree(lost=lost) if lost:
            return failed(f"{lost.count} damaged: {lost}", "Upload the image again.")
        case DirectoryTree(complete=False):
            return unknown(
                "the directory holds more files than can be checked", "Remove what is not needed."
            )
        case DirectoryTree(unreadable=unreadable) if unreadable:
            return unknown(
                f"cannot be listed: {unreadable}",
                "Check it as a user who can read all of it, or check the packed archive.",
            )
        case DirectoryTree():
            return passed("all directories listed")
    return passed("readable")


@must(
    "The root of the archive is the root of the image",
    EVERY,
    source="Zero-OS looks only at /image.raw, /boot/vmlinuz and /boot/initrd.img; a directory"
    " around everything hides them, and the hub accepts such an archive without a warning.",
    fix="Pack from inside the directory: tar -czf NAME.tar.gz -C DIRECTORY .",
    example="everything is inside /ubuntu/",
)
def archive_root(context: CheckContext) -> Verdict:
    """The archive is not empty, and no single directory contains everything."""
    top = context.tree.children("/")
    if not top:
        return failed("the archive is empty", "Pack the image's files.")
    if len(top) == 1 and top[0].kind is EntryType.DIRECTORY and _wraps(context, top[0]):
        return failed(f"everything is inside {top[0].path}/")
    names = ", ".join(entry.name for entry in top[:6])
    return passed(f"{len(top)} entries at the top: {names}")


def _wraps(context: CheckContext, directory: Entry) -> bool:
    inside = {entry.name for entry in context.tree.children(directory.path)}
    if "image.raw" in inside or len(inside & _TELLTALE) > 1:
        return True
    if context.entrypoint and context.tree.resolve(context.entrypoint).file is not None:
        return False
    return directory.name not in _TOP


@must(
    "Every member is unpacked where its name says",
    EVERY,
    source="The hub unpacks with tar into its own directory: a member that is absolute, contains"
    " .. or passes through a link that is absolute or contains .. is dropped or ends elsewhere"
    " (0-hub, tar -xpf).",
    fix="Pack a clean directory again with tar -czf NAME.tar.gz -C DIRECTORY .",
    example="lib/z lies beneath /lib, a link",
    of_archive=True,
)
def archive_paths(context: CheckContext) -> Verdict:
    """No member is absolute, contains .. or lies beneath what is no directory."""
    match context.tree:
        case TarballTree(unsafe=unsafe) if unsafe:
            return failed(str(unsafe))
    return passed("all paths are relative and inside; all hard links have targets")


@should(
    "Owners are stored as numbers only",
    CONTAINER_VM,
    source="The hub unpacks as root, and tar then prefers an owner's name to its number: users"
    " such as www-data get the hub's numbers instead of the image's (0-hub, tar -xpf).",
    fix="Pack with tar --numeric-owner.",
    example="1204 members have names: root:root, www-data:www-data",
    of_archive=True,
)
def archive_owners(context: CheckContext) -> Verdict:
    """No member has a user or group name."""
    match context.tree:
        case TarballTree(named=named, owners=owners) if named:
            return failed(f"{named} members have names: {owners}")
        case DirectoryTree():
            return passed("a directory stores only numbers, and zwizard packs them as numbers")
    return passed("no member has an owner's name")


@advice(
    "Every path is in the archive once",
    EVERY,
    source="Of two members with the same name the hub keeps the last one.",
    fix="Pack once, without appending (tar -r) or naming a file twice.",
    example="duplicates: /etc/hostname",
    of_archive=True,
)
def archive_duplicates(context: CheckContext) -> Verdict:
    """No member repeats the path of another."""
    match context.tree:
        case TarballTree(duplicates=duplicates) if duplicates:
            return failed(f"duplicates: {duplicates}")
    return passed("no duplicates")
