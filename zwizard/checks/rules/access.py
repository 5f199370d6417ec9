"""Rules about who gets into the guest: its ssh server, its keys, its passwords, its secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks.helpers import BY_HAND, lines, matches, text
from zwizard.checks.rule import EVERY, VM_IMAGE, Rule
from zwizard.checks.verdict import Severity, Verdict, failed, passed, unknown
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import EntryType, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.checks.services import Services
    from zwizard.image.tree import Entry, FileTree

_SSHD = "/etc/ssh/sshd_config"
_INCLUDES = 16


@Rule(
    "ssh-server",
    "An ssh server runs, and lets root in with a key",
    severity=Severity.SHOULD,
    modes=VM_IMAGE,
    source="“login to the VM over ssh will require key authentication only” (zmachine.md,"
    " “Installation”); Zero-OS gives the key to root alone.",
    fix="Install openssh-server, systemctl enable ssh (sshd on Arch), and keep"
    " PermitRootLogin prohibit-password.",
    reads=(_SSHD, "/etc/ssh/sshd_config.d/*", "/etc/passwd", "/etc/shadow"),
    keys=("source.packages", "system.services"),
)
def ssh_server(context: CheckContext) -> Verdict:
    """sshd is there and started, and its configuration takes root's key."""
    found = find_program(context.guest, "sshd")
    if found is None:
        if find_program(context.guest, "dropbear") is not None:
            return unknown("dropbear is there instead of sshd; its settings are not judged")
        return failed("there is no program sshd in the image")
    if not _started(context.services):
        return failed(f"{found.path} is there, and nothing starts it")
    refusal = _refusal(context.guest)
    if refusal:
        return failed(refusal)
    return passed(f"{found.path} is started, and takes root's key")


def _started(services: Services) -> bool:
    names = ("ssh", "sshd", "ssh.socket", "sshd.socket")
    return any(services.enabled(name) for name in names)


def _refusal(tree: FileTree) -> str:
    """Why sshd would turn root's key away, "" if it would not (sshd_config(5))."""
    if tree.lstat("/etc/ssh/sshd_not_to_be_run") is not None:
        return "/etc/ssh/sshd_not_to_be_run keeps it from starting"
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
            return f"sshd's {key} leaves root out: {settings[key]}"
    for key in ("denyusers", "denygroups"):
        if _matches_root(settings.get(key, "")):
            return f"sshd's {key} names root: {settings[key]}"
    return _locked_out(tree, settings)


def _matches_root(patterns: str) -> bool:
    return any(matches("root", word.partition("@")[0]) for word in patterns.split())


def _locked_out(tree: FileTree, settings: dict[str, str]) -> str:
    shell = next((line.split(":")[-1] for line in lines(tree, "/etc/passwd")
                  if line.startswith("root:")), "")  # fmt: skip
    if shell.endswith(("/nologin", "/false")):
        return f"root's shell is {shell}"
    if settings.get("usepam", "no").lower() == "no" and (_password(tree) or "").startswith("!"):
        return "root is locked, and sshd has UsePAM no: it turns away locked users"
    return ""


def _settings(tree: FileTree) -> dict[str, str]:
    """sshd's settings outside Match blocks; of several the first counts."""
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
    """Keyword and value, line by line, included files in their place; to the first Match."""
    budget[0] -= 1
    if depth > _INCLUDES or budget[0] < 0:
        raise UnreadableError(f"{path} includes itself over and over", "Look at sshd's settings.")
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


@Rule(
    "ssh-host-keys",
    "No ssh host keys are in the image",
    severity=Severity.SHOULD,
    modes=VM_IMAGE,
    source="Keys in an image are shared by all its machines, and known to everyone who has it (zos"
    " issue 2109; Zero-OS removes them for a VM with its own kernel, not in a disk image).",
    fix="rm /etc/ssh/ssh_host_*; cloud-init makes new ones at the first start.",
    keys=("system.run",),
)
def ssh_host_keys(context: CheckContext) -> Verdict:
    """cloud-init makes each machine its own."""
    found = [e.path for e in context.guest.listing("/etc/ssh") if e.name.startswith("ssh_host_")]
    return failed(", ".join(found[:6])) if found else passed("none in /etc/ssh")


@Rule(
    "root-password",
    "root has no password that works",
    severity=Severity.SHOULD,
    modes=VM_IMAGE,
    source="“let's drop the root password all together since login to the VM over ssh will require"
    " key authentication only […] passwd -d root” (zmachine.md, “Installation”)",
    fix="passwd -d root drops it as the document does; passwd -l root locks it, and leaves a"
    " hash behind if there was one.",
    keys=("system.run",),
)
def root_password(context: CheckContext) -> Verdict:
    """None, or locked; never a hash."""
    password = _password(context.guest)
    if password is None:
        return unknown("/etc/shadow does not tell about root")
    if password == "":
        return passed("dropped, as the document does")
    if "$" in password or re.fullmatch(r"!?[./0-9A-Za-z]{13}", password):
        locked = "locked, yet its hash is still there" if password[0] in "!*" else "a hash"
        return failed(f"root's password in /etc/shadow is {locked}", "passwd -d root")
    if password[0] in "!*":
        return passed("locked")
    if password == "x":  # noqa: S105 - /etc/passwd points to a shadow that does not know root
        return unknown("/etc/shadow does not tell about root")
    return failed("root's password in /etc/shadow is neither empty nor locked", "passwd -d root")


def _password(tree: FileTree) -> str | None:
    """root's second field: in /etc/shadow, or where passwd has none, in /etc/passwd."""
    for path in ("/etc/shadow", "/etc/passwd"):
        for line in (text(tree, path) or "").splitlines():
            fields = line.split(":")
            if fields[0] == "root" and len(fields) > 1:
                return fields[1]
    return None


# Files that hold a secret whatever is in them, beneath a home directory or anywhere.
_IN_HOME = (
    ".ssh/id_rsa", ".ssh/id_dsa", ".ssh/id_ecdsa", ".ssh/id_ed25519", ".ssh/identity",
    ".ssh/authorized_keys", ".ssh/authorized_keys2", ".bash_history", ".zsh_history",
    ".ash_history", ".python_history", ".psql_history", ".mysql_history", ".lesshst", ".viminfo",
    ".netrc", ".git-credentials", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".aws/credentials",
    ".docker/config.json", ".kube/config", ".config/gh/hosts.yml", ".config/gcloud/credentials.db",
    ".vault-token",
)  # fmt: skip
_ANYWHERE = (
    "/etc/apt/auth.conf", "/etc/krb5.keytab", "/.env", "/app/.env", "/.netrc", "/.npmrc",
    "/run/secrets", "/etc/ssl/private/ssl-cert-snakeoil.key",
)  # fmt: skip
_KEY_DIRECTORIES = ("/etc/ssl/private", "/etc/pki/tls/private", "/etc/wireguard")
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|^PrivateKey\s*=", re.MULTILINE)
_PROXY = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?:https?|ftp|all)_proxy[ \t]*=[ \t]*[\"']?\w"
    r"|^[ \t]*Acquire::(?:https?|ftp)::Proxy[ \t]+\"(?!DIRECT|false)",
    re.MULTILINE | re.IGNORECASE,
)
_PROXIED = (
    "/etc/environment", "/etc/apt/apt.conf", "/etc/profile", "/etc/wgetrc", "/root/.bashrc",
    "/root/.profile",
)  # fmt: skip
_PROXIED_IN = ("/etc/apt/apt.conf.d", "/etc/profile.d", "/etc/environment.d")


@Rule(
    "no-secrets",
    "Nothing of its builder's is left in the image",
    severity=Severity.SHOULD,
    modes=EVERY,
    source="A flist on the hub is public: whoever knows its name can read every file of it (0-hub,"
    " GET /api/flist/…).",
    fix="Remove those files, and change what was in them if the image was ever uploaded.",
    reads=(
        *_PROXIED,
        *(f"{directory}/*" for directory in (*_PROXIED_IN, *_KEY_DIRECTORIES)),
        "/lib/systemd/profile.d/*",  # where links in /etc/profile.d lead
        "/root/.ssh/*",
        "/home/*/.ssh/*",
    ),
    keys=("system.run",),
)
def no_secrets(context: CheckContext) -> Verdict:
    """No private keys, authorized keys, histories, credentials or proxies."""
    tree = context.guest
    found = [*_files(tree), *_keys(tree), *_proxies(tree)]
    if not found:
        return passed("no keys, histories, credentials or proxies where they usually are")
    named = ", ".join(dict.fromkeys(found[:6]))
    more = len(dict.fromkeys(found)) - 6
    return failed(f"{named}{f' and {more} more' if more > 0 else ''}")


def _files(tree: FileTree) -> Iterator[str]:
    for home in _homes(tree):
        for name in _IN_HOME:
            if _filled(tree.lstat(f"{home}/{name}")):
                yield f"{home}/{name}"
        for entry in tree.listing(f"{home}/.gnupg/private-keys-v1.d"):
            yield entry.path
    for path in _ANYWHERE:
        if _filled(tree.lstat(path)):
            yield path
    for entry in tree.listing("/etc/apt/auth.conf.d"):
        yield entry.path


def _homes(tree: FileTree) -> Iterator[str]:
    yield "/root"
    for entry in tree.listing("/home"):
        if entry.kind is EntryType.DIRECTORY:
            yield entry.path


def _filled(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is EntryType.FILE and entry.size > 0


def _keys(tree: FileTree) -> Iterator[str]:
    for directory in (*_KEY_DIRECTORIES, *(f"{home}/.ssh" for home in _homes(tree))):
        for entry in tree.listing(directory):
            if entry.kind is EntryType.FILE and _PRIVATE.search(text(tree, entry.path) or ""):
                yield entry.path


def _proxies(tree: FileTree) -> Iterator[str]:
    paths = [*_PROXIED]
    paths += [entry.path for directory in _PROXIED_IN for entry in tree.listing(directory)]
    for path in paths:
        if _PROXY.search(text(tree, path) or ""):
            yield f"{path} (a proxy)"
