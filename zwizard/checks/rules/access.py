"""Rules about who gets into the guest: its ssh server, its keys, its passwords, its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import BY_HAND, account, lines, matches, texts
from zwizard.checks.rule import EVERY, VM_IMAGE, should
from zwizard.checks.services import SSH
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.examples import Examples
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import EntryType, FileTree, UnreadableError

_SSHD = "/etc/ssh/sshd_config"
_INCLUDES = 16


@should(
    "An SSH server starts, and root can log in with a key",
    VM_IMAGE,
    source="“login to the VM over ssh will require key authentication only” (Zmachine guide,"
    " “Installation”); Zero-OS installs the key only for root.",
    fix="Install openssh-server, systemctl enable ssh (sshd on Arch), and keep PermitRootLogin"
    " prohibit-password.",
    reads=(_SSHD, "/etc/ssh/sshd_config.d/*", "/etc/passwd", "/etc/shadow"),
    keys=("source.packages", "system.services"),
)
def ssh_server(context: CheckContext) -> Verdict:
    """sshd is installed and enabled, and its settings accept root's key."""
    found = find_program(context.guest, "sshd")
    if found is None:
        if find_program(context.guest, "dropbear") is not None:
            return unknown("dropbear is installed instead of sshd; its settings are not checked")
        return failed("sshd is not installed")
    if not context.services.first_enabled(*SSH):
        return failed(f"{found.path} is installed, but nothing starts it")
    refusal = _refusal(context.guest)
    if refusal:
        return failed(refusal)
    return passed(f"{found.path} is enabled and accepts root's key")


def _refusal(tree: FileTree) -> str:
    """Why sshd refuses root's key, "" if it accepts it (sshd_config(5))."""
    if tree.lstat("/etc/ssh/sshd_not_to_be_run") is not None:
        return "/etc/ssh/sshd_not_to_be_run prevents it from starting"
    settings = _settings(tree)
    login = settings.get("permitrootlogin", "prohibit-password").lower()
    if login not in {"yes", "prohibit-password", "without-password"}:
        return f"sshd has PermitRootLogin {login}"
    if settings.get("pubkeyauthentication", "yes").lower() == "no":
        return "sshd has PubkeyAuthentication no"
    if settings.get("authorizedkeysfile", "").lower() == "none":
        return "sshd has AuthorizedKeysFile none"
    for key in ("allowusers", "allowgroups"):
        if key in settings and not _matches_root(settings[key]):
            return f"sshd's {key} excludes root: {settings[key]}"
    for key in ("denyusers", "denygroups"):
        if _matches_root(settings.get(key, "")):
            return f"sshd's {key} names root: {settings[key]}"
    return _locked_out(tree, settings)


def _matches_root(patterns: str) -> bool:
    return any(matches("root", word.partition("@")[0]) for word in patterns.split())


def _locked_out(tree: FileTree, settings: dict[str, str]) -> str:
    shell = account(tree, "/etc/passwd")[-1]
    if shell.endswith(("/nologin", "/false")):
        return f"root's shell is {shell}"
    if settings.get("usepam", "no").lower() == "no" and (_password(tree) or "").startswith("!"):
        return "root is locked, and sshd with UsePAM no refuses locked users"
    return ""


def _settings(tree: FileTree) -> dict[str, str]:
    """sshd's settings outside Match blocks; the first value of a key counts."""
    settings: dict[str, str] = {}
    budget = [_INCLUDES * 4]
    for key, value in _directives(tree, _SSHD, 0, budget):
        if key in {"allowusers", "denyusers", "allowgroups", "denygroups"} and key in settings:
            settings[key] += f" {value}"
        else:
            settings.setdefault(key, value)
    return settings


def _directives(
    tree: FileTree, path: str, depth: int, budget: list[int]
) -> Iterator[tuple[str, str]]:
    """Keyword and value of each line up to the first Match, included files in their place."""
    budget[0] -= 1
    if depth > _INCLUDES or budget[0] < 0:
        raise UnreadableError(f"{path} includes itself repeatedly", "Check sshd's settings.")
    for line in lines(tree, path, BY_HAND):
        key, _, value = line.replace("=", " ", 1).replace("\t", " ").partition(" ")
        key, value = key.lower(), value.strip().strip('"')
        if key == "match":
            return
        if key != "include":
            yield key, value
            continue
        for pattern in value.split():
            for other in _included(tree, pattern):
                yield from _directives(tree, other, depth + 1, budget)


def _included(tree: FileTree, pattern: str) -> list[str]:
    full = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
    directory, _, name = full.rpartition("/")
    return [entry.path for entry in tree.listing(directory) if matches(entry.name, name)]


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
