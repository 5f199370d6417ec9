"""Rules about sshd in the guest: whether it starts, and whether root gets in by a key."""

import time
from collections.abc import Iterator
from functools import cache

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account, text, texts
from zwizard.checks.rule import VM_IMAGE, should
from zwizard.checks.services import SSH
from zwizard.checks.settings import sshd_config
from zwizard.checks.settings.sshd_config import names_root, read_sshd_config
from zwizard.checks.verdict import Verdict, failed, not_applicable, passed, unknown
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import FileTree

_PROGRAM = 8 << 20
_DAY = 24 * 60 * 60  # seconds
_KEYS = "/etc/ssh/ssh_host_"
_KEY_TYPES = ("rsa", "ecdsa", "ed25519")


@should(
    "An SSH server is installed and enabled",
    VM_IMAGE,
    source="“login to the VM over ssh will require key authentication only” (Zmachine guide,"
    " “Installation”); Zero-OS installs the key only for root.",
    fix="Install openssh-server, and systemctl enable ssh (sshd on Arch).",
    example="/usr/sbin/sshd is installed, but nothing starts it",
    reads=(sshd_config.PATH, f"{sshd_config.PATH}.d/*", "/etc/passwd", "/etc/shadow", "/etc/group",
           "/usr/lib/sysusers.d/*ssh*.conf"),
    keys=("source.packages", "system.services"),
)  # fmt: skip
def ssh_server(context: CheckContext) -> Verdict:
    """sshd is there, and something starts it."""
    found = find_program(context.guest, "sshd")
    if found is None:
        if find_program(context.guest, "dropbear") is not None:
            return unknown("dropbear is installed instead of sshd; its settings are not checked")
        return failed("sshd is not installed")
    if not context.services.first_enabled(*SSH):
        return failed(f"{found.path} is installed, but nothing starts it")
    if condition := next(filter(None, map(context.services.unmet, SSH)), ""):
        return failed(f"{found.path} is not started: {condition} never holds")
    return passed(f"{found.path} is enabled")


def settings_fault(context: CheckContext) -> str:
    """Why sshd ends although its program can start, "" if it does not."""
    config = read_sshd_config(context.guest, _words(context.guest))
    if config.fault:
        return f"sshd refuses {config.fault}"
    return next(_missing(context), "")


def _words(tree: FileTree) -> sshd_config.Knows:
    """What tells whether a word is in the image's own sshd, which is read only if needed."""

    @cache
    def program() -> bytes:
        found = find_program(tree, "sshd")
        if found is None:
            return b""
        with tree.open_entry(found) as file:
            return file.read(_PROGRAM)

    # The linker may store a word as the end of another; other bytes are in it by chance.
    return lambda word: word.isascii() and word.isprintable() and f"{word}\0".encode() in program()


def _missing(context: CheckContext) -> Iterator[str]:
    """What sshd needs and does not find when it starts."""
    tree, cloud = context.guest, context.cloud
    common = read_sshd_config(tree, _words(tree)).settings(frozenset(), near=False)
    if not account(tree, "/etc/passwd", "sshd")[0] and not any(
        "u sshd" in " ".join(content.split()) for _, content in texts(tree, *_SYSUSERS)
    ):
        yield "sshd's own user, sshd, is not in /etc/passwd"
    addresses = common.get("listenaddress", ())
    if addresses and not any(map(_any_address, addresses)):
        yield f"sshd listens only to {addresses[0]}, which is not an address of the new machine"
    if any("ssh-keygen" in content for _, content in texts(tree, *_UNITS)):
        return  # host keys are created by a service of its own
    wanted = common.get("hostkey", tuple(f"{_KEYS}{kind}_key" for kind in _KEY_TYPES))
    chosen = "ssh_genkeytypes" in cloud.settings
    kinds = cloud.names("ssh_genkeytypes") if chosen else _KEY_TYPES
    made = [f"{_KEYS}{kind}_key" for kind in kinds if "ssh" in cloud.modules()]
    if not any(path in made or tree.resolve(path).file for path in wanted):
        yield f"no host key is created: sshd wants {wanted[0]}, cloud-init makes {_shown(made)}"


_SYSUSERS = ("/usr/lib/sysusers.d/*.conf", "/etc/sysusers.d/*.conf")
_UNITS = ("/lib/systemd/system/ssh*.service", "/etc/systemd/system/ssh*.service",
          "/etc/systemd/system/ssh*.service.d/*.conf", "/etc/init.d/ssh*")  # fmt: skip
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]", "*"})  # noqa: S104 - what others listen to


def _any_address(listened: str) -> bool:
    host = listened.rpartition(":")[0] if listened.count(":") == 1 else listened
    return host in _EVERY_ADDRESS or listened.startswith("[::]")


def _shown(words: list[str]) -> str:
    return ", ".join(words) or "none"


@should(
    "root can log in with a key alone",
    VM_IMAGE,
    source="Zero-OS gives root a key and nothing else; cloud-init writes it to"
    " ~/.ssh/authorized_keys and locks root's password (sshd_config(5)).",
    fix="Keep PermitRootLogin prohibit-password, PubkeyAuthentication yes and UsePAM yes; sshd -T"
    " -C user=root in the image shows what counts for root.",
    example="root's shell is /usr/sbin/nologin",
    keys=("system.run",),
)
def ssh_key_login(context: CheckContext) -> Verdict:
    """sshd's settings and root's account accept root with a key, from one address at least."""
    tree = context.guest
    if find_program(tree, "sshd") is None:
        return not_applicable("sshd is not installed")
    config = read_sshd_config(tree, _words(tree))
    groups = _groups(tree)
    for near in (True, False):
        settings = config.settings(groups, near=near)
        refusal = next(_refusals(context, settings, groups, near=near), "")
        if not refusal:
            break
    refusal = refusal or next(_account_faults(tree), "")
    return failed(refusal) if refusal else passed("sshd accepts root's key")


def _groups(tree: FileTree) -> frozenset[str]:
    """The names of root's groups."""
    own = (account(tree, "/etc/passwd") + [""] * 4)[3]
    found = (line.split(":") for line in (text(tree, "/etc/group") or "root:x:0:").splitlines())
    return frozenset(
        fields[0]
        for fields in found
        if len(fields) > 3 and (fields[2] == own or "root" in fields[3].split(","))
    )


def _refusals(
    context: CheckContext,
    settings: dict[str, tuple[str, ...]],
    groups: frozenset[str],
    *,
    near: bool,
) -> Iterator[str]:
    """Why sshd refuses root's key (OpenSSH, auth.c and auth2.c)."""
    words = {key: value[0].lower() if value else "" for key, value in settings.items()}
    login = words.get("permitrootlogin", "prohibit-password")
    if login not in {"yes", "prohibit-password", "without-password"}:
        yield f"sshd has PermitRootLogin {login}"
    if words.get("pubkeyauthentication") == "no":
        yield "sshd has PubkeyAuthentication no"
    methods = settings.get("authenticationmethods", ("any",))
    if not {"any", "publickey"}.intersection(methods):
        yield f"sshd wants more than a key: AuthenticationMethods {' '.join(methods)}"
    for key, names in (("users", frozenset({"root"})), ("groups", groups)):
        if f"allow{key}" in settings and not names_root(settings[f"allow{key}"], names, near=near):
            yield f"sshd's allow{key} excludes root: {' '.join(settings[f'allow{key}'])}"
        if names_root(settings.get(f"deny{key}", ()), names, near=not near):
            yield f"sshd's deny{key} names root: {' '.join(settings[f'deny{key}'])}"
    forced = words.get("forcecommand", "none")
    if forced.rpartition("/")[2] in {"false", "nologin", "internal-sftp", "sftp-server"}:
        yield f"sshd has ForceCommand {forced}: root gets no shell"
    root = words.get("chrootdirectory", "none")
    if root != "none" and context.guest.resolve(f"{root}/bin/sh").file is None:
        yield f"sshd has ChrootDirectory {root}, which has no shell"
    if words.get("maxsessions") == "0":
        yield "sshd has MaxSessions 0"
    if (
        words.get("usepam", "no") == "no"
        and context.cloud.get("system_info", "distro") != "alpine"
    ):
        yield "sshd has UsePAM no, which refuses root once cloud-init has locked its password"
    yield from _key_files(context, settings)


def _key_files(context: CheckContext, settings: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Whether sshd reads the file that cloud-init writes the key to (its ssh_util.py)."""
    read = settings.get("authorizedkeysfile", (".ssh/authorized_keys", ".ssh/authorized_keys2"))
    if read == ("none",):
        yield "sshd has AuthorizedKeysFile none"
    # cloud-init looks at the main file only, Match or not; the last line counts.
    main = read_sshd_config(context.guest, lambda _: True).directives
    own = [
        line.arguments
        for line in main
        if line.keyword == "authorizedkeysfile" and line.place.startswith(f"{sshd_config.PATH} ")
    ]
    home = (account(context.guest, "/etc/passwd") + [""] * 6)[5] or "/root"
    places = own[-1] if own else (".ssh/authorized_keys",)
    rendered = [(place, _rendered(place, home)) for place in places]
    written = next(
        (path for place, path in rendered if "%u" in place or path.startswith(f"{home}/")),
        f"{home}/.ssh/authorized_keys",
    )
    if written not in [_rendered(place, home) for place in read]:
        yield f"sshd reads keys from {' '.join(read)}, and cloud-init writes {written}"


def _rendered(place: str, home: str) -> str:
    path = place.replace("%h", home).replace("%u", "root").replace("%U", "0").replace("%%", "%")
    return path if path.startswith("/") else f"{home}/{path}"


def _account_faults(tree: FileTree) -> Iterator[str]:
    """What about root's account ends a login with a key."""
    fields = account(tree, "/etc/passwd")
    shell = fields[6] if len(fields) > 6 else ""
    if shell.endswith(("/nologin", "/false")):
        yield f"root's shell is {shell}"
    yield from _expired((account(tree, "/etc/shadow") + [""] * 9)[:9])


def _expired(shadow: list[str]) -> Iterator[str]:
    """What of root's line in shadow(5) has run out today, as pam_unix counts it."""
    today = int(time.time()) // _DAY
    changed, longest, end = (int(shadow[n]) if shadow[n].isdecimal() else -1 for n in (2, 4, 7))
    if 0 <= end <= today:
        yield f"root's account has expired (day {end} in /etc/shadow)"
    if changed == 0:
        yield "root's password has expired (its last change in /etc/shadow is 0)"
    elif 0 <= longest < today - changed:
        yield f"root's password has expired (/etc/shadow allows it for {longest} days)"
