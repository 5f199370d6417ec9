"""Rules about GRUB in a disk image: the kernels that it loads, and its settings."""

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import SETTINGS, few, text, texts
from zwizard.checks.rule import IMAGE, must, should
from zwizard.checks.rules.disk.esp import LOADER, loader_entries
from zwizard.checks.rules.disk.loader import loader_name
from zwizard.checks.verdict import Verdict, failed, not_applicable, passed, unknown
from zwizard.image.executables.kernel import read_bzimage
from zwizard.image.magic import HEAD, file_type
from zwizard.image.tree import UnreadableError

_LINUX = re.compile(r"^[ \t]*linux(?:efi|16)?[ \t]+\S+[ \t]*(.*)$", re.MULTILINE)
_OPTIONS = re.compile(r"^options[ \t]+(.*)$", re.MULTILINE)
# Started by hand, by someone who is at the console.
_RESCUE = frozenset({"single", "recovery", "rescue", "emergency"})


@should(
    "The kernel command line has the serial console and a root in the image",
    IMAGE,
    source='“GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 console=tty console=ttyS0" Note: we removed'
    " the quiet and add the console flags.” (Zmachine guide, “Installation”)",
    fix="Set that in /etc/default/grub and run grub-mkconfig -o /boot/grub/grub.cfg in the image;"
    " give root= as UUID=.",
    example="/boot/grub/grub.cfg: console=ttyS0 is missing",
    after="esp-loader",
    keys=("grub.cmdline",),
)
def grub_cmdline(context: CheckContext) -> Verdict:
    """Every linux line has console=ttyS0, no quiet, and a root= that is in the image."""
    found = few(_command_lines(context), "lines that start Linux")
    if not found:
        return unknown(
            "no grub.cfg with a linux line was found", "Check the boot loader's settings."
        )
    for path, line in found:
        fault = _line_fault(context, line.split())
        if fault:
            return failed(f"{path}: {fault}, in: {line.strip()[:200]}")
    fault = _defaults_fault(context)
    if fault:
        return failed(fault)
    return passed(f"{len(found)} lines, such as: {found[0][1].strip()[:200]}")


def _command_lines(context: CheckContext) -> Iterator[tuple[str, str]]:
    for path, content in _settings(context):
        for line in _LINUX.findall(content):
            if not _RESCUE & set(line.split()):
                yield path, line
    for path in loader_entries(context.disk.esp_tree):
        for line in _OPTIONS.findall(text(context.disk.esp_tree, path) or ""):
            yield path, line


def _settings(context: CheckContext) -> Iterator[tuple[str, str]]:
    """Every grub.cfg, of the system and of the ESP."""
    yield from texts(context.guest, "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
    for path, content in texts(context.disk.esp_tree, "/EFI/*/grub.cfg", "/grub/grub.cfg"):
        yield f"ESP{path}", content


def _line_fault(context: CheckContext, words: list[str]) -> str:
    if "quiet" in words:
        return "quiet is set"
    if not any(re.fullmatch(r"console=ttyS0(,.*)?", word) for word in words):
        return "console=ttyS0 is missing"
    root = next((word.removeprefix("root=") for word in words if word.startswith("root=")), "")
    if not root:
        return "root= is missing"
    if "$" in root:
        raise UnreadableError(f"the root {root} is a GRUB variable", "Write it as UUID=.")
    if context.has_device(root):
        return ""
    return f"root={root} is not in the image"


@must(
    "GRUB starts Linux with a root that is in the image",
    IMAGE,
    source="The kernel or its initramfs waits for the root that the command line names, and stops:"
    " “VFS: Unable to mount root fs”, “ALERT! … does not exist” (bootparam(7)). grub-mkconfig in"
    " a chroot writes the build's loop device.",
    fix="Run grub-mkconfig again where /dev/disk/by-uuid has the root's UUID, or write root=UUID="
    " yourself: the root is the disk /dev/vda.",
    example="root=/dev/mapper/loop0p2 is not in the image",
    after="esp-loader",
    keys=("grub.cmdline",),
)
def grub_root(context: CheckContext) -> Verdict:
    """The first entry's root= is a partition of the disk image, as Zero-OS attaches it."""
    try:
        root = context.boot.root
    except UnreadableError as error:  # which grub-kernel and grub-cmdline report
        return not_applicable(error.message)
    if not root:
        return failed("root= is missing in GRUB's first entry")
    if "$" in root:
        return unknown(f"the root {root} is a GRUB variable", "Write it as UUID=.")
    return (passed if context.has_device(root) else failed)(
        f"root={root} {'is' if context.has_device(root) else 'is not'} in the image"
    )


_FILES = re.compile(r"^[ \t]*(linux|initrd)(?:efi|16)?[ \t]+(/[^\n]*)$", re.MULTILINE)


@must(
    "GRUB's kernels and initramfs exist, and GRUB can start them",
    IMAGE,
    source="“Then finally generating the config: grub-mkconfig -o /boot/grub/grub.cfg” (Zmachine"
    " guide, “Installation”): a grub.cfg that is older than the last kernel change names files"
    " that no longer exist. GRUB starts bzImages, as distributions ship them, but no extracted"
    " ELF.",
    fix="Run grub-mkconfig -o /boot/grub/grub.cfg in the image after the last change to /boot;"
    " reinstall the kernel's package if its file was extracted.",
    example="/boot/grub/grub.cfg loads /boot/vmlinuz-6.1.0-8, which does not exist",
    after="esp-loader",
    keys=("kernel.package", "kernel.file"),
)
def grub_kernel(context: CheckContext) -> Verdict:
    """Every linux line names a bzImage, every initrd line existing files."""
    esp = context.disk.esp_tree
    if esp.resolve(LOADER).file is None or "GRUB" not in loader_name(esp):
        return not_applicable("the loader is not GRUB")
    found = few(_loaded(context), "files that GRUB loads")
    if not found:
        return unknown(
            "no grub.cfg that loads a kernel was found", "Run grub-mkconfig, and check again."
        )
    for path, command, name in dict.fromkeys(found):
        wrong = _file_fault(context, command, name)
        if wrong:
            return failed(f"{path} loads {name}, which {wrong}")
    return passed(f"{len(found)} files, such as {found[0][2]}")


def _loaded(context: CheckContext) -> Iterator[tuple[str, str, str]]:
    for path, content in _settings(context):
        for command, line in _FILES.findall(content):
            for name in line.split()[: 1 if command == "linux" else None]:
                if name.startswith("/") and "$" not in name:
                    yield path, command, name


def _file_fault(context: CheckContext, command: str, name: str) -> str:
    """Why GRUB cannot load the file ``name`` with ``command``, "" if it can."""
    # GRUB sees file systems, not where they are mounted: /boot may be one of its own.
    system = context.disk.system
    places = ((system.root, name), (system, f"/boot{name}"), (context.disk.esp_tree, name))
    for tree, path in places:
        if tree.resolve(path).file is None:
            continue
        with tree.open(path) as file:
            whole = command != "linux" or read_bzimage(file) is not None
            file.seek(0)
            return "" if whole else f"is {file_type(file.read(HEAD))}, not a bzImage"
    return "does not exist"


_DEFAULT = re.compile(r"^[ \t]*(?:export[ \t]+)?(GRUB_\w+)=(\"[^\"]*\"|'[^']*'|\S*)", re.MULTILINE)


def _defaults(context: CheckContext) -> dict[str, str]:
    """GRUB's settings, from which the next upgrade generates grub.cfg."""
    found: dict[str, str] = {}
    for path, content in texts(context.guest, "/etc/default/grub", "/etc/default/grub.d/*.cfg"):
        for key, value in _DEFAULT.findall(content):
            before = found.get(key, "")
            now = value.strip("\"'").replace(f"${key}", before).replace(f"${{{key}}}", before)
            if len(now) > SETTINGS:
                raise UnreadableError(f"{path} doubles {key} repeatedly", "Check that file.")
            found[key] = now
    return found


def _defaults_fault(context: CheckContext) -> str:
    settings = _defaults(context)
    if not settings:
        return ""
    words = " ".join(
        settings.get(f"GRUB_CMDLINE_LINUX{part}", "") for part in ("", "_DEFAULT")
    ).split()
    if "quiet" in words:
        return "/etc/default/grub has quiet: the next grub-mkconfig adds it again"
    if not any(word.startswith("console=ttyS0") for word in words):
        return "/etc/default/grub has no console=ttyS0: the next grub-mkconfig removes it"
    return ""


_TIMEOUT = re.compile(r"^[ \t]*set timeout=(\S+)", re.MULTILINE)
# After a failed start Debian's and Ubuntu's GRUB wait longer; that is another matter.
_RECORDFAIL = re.compile(r"if \[ \"\$\{recordfail\}\" = 1 \].{0,999}?(?:else|fi)\b", re.DOTALL)


@should(
    "GRUB starts without waiting",
    IMAGE,
    source="“Also set the GRUB_TIMEOUT to 0 for a faster boot: GRUB_TIMEOUT=0” (Zmachine guide,"
    " “Installation”)",
    fix="Set GRUB_TIMEOUT=0 in /etc/default/grub, and run grub-mkconfig -o /boot/grub/grub.cfg.",
    example="/etc/default/grub has GRUB_TIMEOUT=5",
    after="esp-loader",
    keys=("grub.timeout",),
)
def grub_timeout(context: CheckContext) -> Verdict:
    """The timeout is 0 in /etc/default/grub and in grub.cfg."""
    default = _defaults(context).get("GRUB_TIMEOUT")
    if default is not None and default != "0":
        return failed(f"/etc/default/grub has GRUB_TIMEOUT={default}")
    made = [
        (path, value)
        for path, content in _settings(context)
        for value in _TIMEOUT.findall(_RECORDFAIL.sub("", content))
    ]
    for path, value in made:
        if value != "0":
            return failed(f"{path} has timeout={value}")
    if default is None and not made:
        return unknown("GRUB's settings were not found", "Check the boot loader's settings.")
    if default is None:
        return failed(
            "/etc/default/grub does not set GRUB_TIMEOUT: the next grub-mkconfig sets a timeout"
        )
    return passed("GRUB_TIMEOUT=0")
