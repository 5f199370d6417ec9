"""Rules about who gets into the guest: SSH host keys, root's password, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account, texts
from zwizard.checks.rule import EVERY, VM_IMAGE, should
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.examples import Examples
from zwizard.image.tree import EntryType, FileTree


@should(
    "No SSH host keys are in the image",
    VM_IMAGE,
    source="Host keys in an image are shared by all its machines, and known to everyone who has"
    " the image (zos issue 2109). Zero-OS removes them from a VM with its own kernel, not from a"
    " disk image.",
    fix="rm /etc/ssh/ssh_host_*; cloud-init creates new ones on the first boot.",
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


# Files that hold a secret by their name, beneath a home directory or anywhere.
_HOMES = ("/root", "/home/*")
_IN_HOME = (
    ".ssh/id_rsa", ".ssh/id_dsa", ".ssh/id_ecdsa", ".ssh/id_ed25519", ".ssh/identity",
    ".ssh/authorized_keys", ".ssh/authorized_keys2", ".bash_history", ".zsh_history",
    ".ash_history", ".python_history", ".psql_history", ".mysql_history", ".lesshst", ".viminfo",
    ".netrc", ".git-credentials", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".aws/credentials",
    ".docker/config.json", ".kube/config", ".config/gh/hosts.yml", ".config/gcloud/credentials.db",
    ".vault-token", ".gnupg/private-keys-v1.d/*",
)  # fmt: skip
_ANYWHERE = (
    "/etc/apt/auth.conf", "/etc/apt/auth.conf.d/*", "/etc/krb5.keytab", "/.env", "/app/.env",
    "/.netrc", "/.npmrc", "/run/secrets", "/etc/ssl/private/ssl-cert-snakeoil.key",
)  # fmt: skip
_KEYS = (
    "/etc/ssl/private/*", "/etc/pki/tls/private/*", "/etc/wireguard/*",
    *(f"{home}/.ssh/*" for home in _HOMES),
)  # fmt: skip
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|^PrivateKey\s*=", re.MULTILINE)
_PROXY = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?:https?|ftp|all)_proxy[ \t]*=[ \t]*[\"']?\w"
    r"|^[ \t]*Acquire::(?:https?|ftp)::Proxy[ \t]+\"(?!DIRECT|false)",
    re.MULTILINE | re.IGNORECASE,
)
_PROXIED = (
    "/etc/environment", "/etc/apt/apt.conf", "/etc/profile", "/etc/wgetrc", "/root/.bashrc",
    "/root/.profile", "/etc/apt/apt.conf.d/*", "/etc/profile.d/*", "/etc/environment.d/*",
)  # fmt: skip


@should(
    "The image contains no secrets of its builder",
    EVERY,
    source="A flist on the hub is public: everyone who knows its name can read every file in it"
    " (0-hub, GET /api/flist/…).",
    fix="Remove those files, and change the secrets in them if the image was ever uploaded.",
    # Links in /etc/profile.d lead to systemd's.
    reads=(*_PROXIED, *_KEYS, "/lib/systemd/profile.d/*"),
    keys=("system.run",),
)
def no_secrets(context: CheckContext) -> Verdict:
    """No private keys, authorized keys, histories, credentials or proxies."""
    found = Examples(dict.fromkeys(_secrets(context.guest)), 6)
    if not found:
        return passed("no keys, histories, credentials or proxies in the usual places")
    return failed(str(found))


def _secrets(tree: FileTree) -> Iterator[str]:
    in_homes = (f"{home}/{name}" for home in _HOMES for name in _IN_HOME)
    for entry in tree.glob(*in_homes, *_ANYWHERE):
        if entry.kind is EntryType.FILE and entry.size > 0:
            yield entry.path
    for path, content in texts(tree, *_KEYS):
        if _PRIVATE.search(content):
            yield path
    for path, content in texts(tree, *_PROXIED):
        if _PROXY.search(content):
            yield f"{path} (a proxy)"
