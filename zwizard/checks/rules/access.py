"""Rules about who gets into the guest: SSH host keys, root's password."""

import re

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account
from zwizard.checks.rule import VM_IMAGE, should
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.tree import FileTree


@should(
    "No SSH host keys are in the image",
    VM_IMAGE,
    source="Host keys in an image are shared by all its machines, and known to everyone who has"
    " the image (zos issue 2109). Zero-OS removes them from a VM with its own kernel, not from a"
    " disk image.",
    fix="rm /etc/ssh/ssh_host_*; cloud-init creates new ones on the first boot.",
    example="/etc/ssh/ssh_host_ed25519_key",
    keys=("system.run",),
)
def ssh_host_keys(context: CheckContext) -> Verdict:
    """There is no file /etc/ssh/ssh_host_*."""
    found = [entry.path for entry in context.guest.glob("/etc/ssh/ssh_host_*")]
    return failed(", ".join(found[:6])) if found else passed("none in /etc/ssh")


@should(
    "root has no usable password",
    VM_IMAGE,
    source="“let's drop the root password all together since login to the VM over ssh will require"
    " key authentication only […] passwd -d root” (Zmachine guide, “Installation”)",
    fix="passwd -d root removes it, as the guide does; passwd -l root locks it, but keeps an"
    " existing hash.",
    example="root's password in /etc/shadow is locked",
    keys=("system.run",),
)
def root_password(context: CheckContext) -> Verdict:
    """root's password is empty or locked, and there is no hash."""
    password = _password(context.guest)
    if password is None:
        return unknown("/etc/shadow has no entry for root")
    if password == "":
        return passed("no password, as in the guide")
    if "$" in password or re.fullmatch(r"!?[./0-9A-Za-z]{13}", password):
        locked = "locked, but its hash is still in the file" if password[0] in "!*" else "a hash"
        return failed(f"root's password in /etc/shadow is {locked}", "passwd -d root")
    if password[0] in "!*":
        return passed("locked")
    if password == "x":  # noqa: S105 - /etc/passwd refers to a shadow file without root
        return unknown("/etc/shadow has no entry for root")
    return failed("root's password in /etc/shadow is neither empty nor locked", "passwd -d root")


def _password(tree: FileTree) -> str | None:
    """root's password field in /etc/shadow, or else in /etc/passwd."""
    for path in ("/etc/shadow", "/etc/passwd"):
        if len(fields := account(tree, path)) > 1:
            return fields[1]
    return None
