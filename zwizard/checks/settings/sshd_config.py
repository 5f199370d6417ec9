"""sshd's configuration, read as sshd reads it (OpenSSH, servconf.c)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zwizard.checks.helpers import BY_HAND, matches, text
from zwizard.image.tree import FileTree, UnreadableError

PATH = "/etc/ssh/sshd_config"
_DEPTH = 16
_READ = 128  # files and patterns of files


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_YES_NO = frozenset({"yes", "no"})
# What is allowed in Match blocks, and those that take one of a few words.
_IN_MATCH = _set(
    "acceptenv allowagentforwarding allowgroups allowstreamlocalforwarding allowtcpforwarding "
    "allowusers authenticationmethods authorizedkeyscommand authorizedkeyscommanduser "
    "authorizedkeysfile authorizedkeysfile2 authorizedprincipalscommand "
    "authorizedprincipalscommanduser authorizedprincipalsfile banner casignaturealgorithms "
    "challengeresponseauthentication channeltimeout chrootdirectory clientalivecountmax "
    "clientaliveinterval denygroups denyusers disableforwarding exposeauthinfo forcecommand "
    "gatewayports gssapiauthentication hostbasedacceptedalgorithms hostbasedacceptedkeytypes "
    "hostbasedauthentication hostbasedusesnamefrompacketonly ignorerhosts include ipqos "
    "kbdinteractiveauthentication kerberosauthentication loglevel logverbose match maxauthtries "
    "maxsessions passwordauthentication permitemptypasswords permitlisten permitopen "
    "permitrootlogin permittty permittunnel permituserrc pubkeyacceptedalgorithms "
    "pubkeyacceptedkeytypes pubkeyauthentication pubkeyauthoptions rdomain refuseconnection "
    "rekeylimit requiredrsasize revokedkeys rhostsrsaauthentication rsaauthentication setenv "
    "skeyauthentication streamlocalbindmask streamlocalbindunlink trustedusercakeys "
    "unusedconnectiontimeout x11displayoffset x11forwarding x11uselocalhost"
)
_GLOBAL = _set(
    "addressfamily afstokenpassing checkmail ciphers compression dsaauthentication "
    "fingerprinthash gssapicleanupcredentials gssapicleanupcreds gssapistrictacceptorcheck "
    "gssapiusesessioncredcache gssusesessionccache hostcertificate hostdsakey hostkey "
    "hostkeyagent hostkeyalgorithms ignoreuserknownhosts keepalive kerberosgetafstoken "
    "kerberosorlocalpasswd kerberostgtpassing kerberosticketcleanup kexalgorithms "
    "keyregenerationinterval listenaddress logingracetime macs maxstartups "
    "pamauthenticationviakbdint permituserenvironment pidfile port printlastlog printmotd "
    "protocol reversemappingcheck rhostsauthentication serverkeybits strictmodes subsystem "
    "syslogfacility tcpkeepalive usedns uselogin usepam useprivilegeseparation "
    "verifyreversemapping versionaddendum xauthlocation"
)
# Younger than the sshd of a supported system may be: those it has to know itself.
_YOUNG = frozenset({
    "casignaturealgorithms", "channeltimeout", "hostbasedacceptedalgorithms", "logverbose",
    "pubkeyacceptedalgorithms", "pubkeyauthoptions", "refuseconnection", "requiredrsasize",
    "unusedconnectiontimeout",
})  # fmt: skip
_VALUES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        _set(
            "allowagentforwarding disableforwarding exposeauthinfo hostbasedauthentication "
            "kbdinteractiveauthentication passwordauthentication permitemptypasswords "
            "permittty permituserrc printlastlog printmotd pubkeyauthentication strictmodes "
            "tcpkeepalive usedns usepam x11forwarding x11uselocalhost"
        ),
        _YES_NO,
    ),
    "addressfamily": frozenset({"any", "inet", "inet6"}),
    "allowtcpforwarding": _YES_NO | {"all", "local", "remote"},
    "compression": _YES_NO | {"delayed"},
    "gatewayports": _YES_NO | {"clientspecified"},
    "permitrootlogin": _YES_NO | {"prohibit-password", "without-password", "forced-commands-only"},
}
_ALGORITHMS = frozenset({
    "ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes", "hostbasedacceptedalgorithms", "hostbasedacceptedkeytypes",
})  # fmt: skip
# Every sshd of a supported system has these.
_COMMON = re.compile(
    r"chacha20-poly1305@openssh\.com|aes(?:128|192|256)-ctr|aes(?:128|256)-gcm@openssh\.com"
    r"|(?:hmac-sha2-(?:256|512)|hmac-sha1|umac-(?:64|128))(?:-etm)?(?:@openssh\.com)?"
    r"|curve25519-sha256(?:@libssh\.org)?|ecdh-sha2-nistp(?:256|384|521)"
    r"|diffie-hellman-group(?:14-sha256|16-sha512|18-sha512|-exchange-sha256)"
    r"|(?:ssh-ed25519|rsa-sha2-(?:256|512)|ecdsa-sha2-nistp(?:256|384|521))"
    r"(?:-cert-v01@openssh\.com)?"
)
_GATHERED = frozenset({"allowusers", "denyusers", "allowgroups", "denygroups", "hostkey", "port",
                       "listenaddress"})  # fmt: skip
_CRITERIA = frozenset({"user", "group", "host", "address", "localaddress", "localport", "rdomain"})
_SINGLE = frozenset({"all", "invalid-user"})

_LINE = re.compile(r"[ \t]*([^\s=]+)[ \t]*=?[ \t]*(.*)")
_ARGUMENT = re.compile(r"\s*(?:(#.*)|((?:\"[^\"]*\"|'[^']*'|[^\s\"'])+)|(\S))")

Knows = Callable[[str], bool]
"""Whether a word is in the table of words of the sshd in question."""


@dataclass(frozen=True, slots=True)
class Directive:
    """A line: its keyword in lower case, arguments, and the Match lines that it is below."""

    place: str
    keyword: str
    arguments: tuple[str, ...]
    conditions: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class SshdConfig:
    """The lines of sshd_config with those of included files in their place.

    ``fault`` is why sshd refuses to start with them, "" if it starts.
    """

    directives: tuple[Directive, ...]
    fault: str

    def settings(self, groups: frozenset[str], *, near: bool) -> dict[str, tuple[str, ...]]:
        """What holds for root, a member of ``groups``; the first value counts.

        ``near`` tells whether the client has the addresses that conditions ask for.
        """
        common: dict[str, tuple[str, ...]] = {}
        matched: dict[str, tuple[str, ...]] = {}
        for line in self.directives:
            if not all(_holds(words, groups, near=near) for words in line.conditions):
                continue
            found = matched if line.conditions else common
            if line.keyword in _GATHERED:
                found[line.keyword] = found.get(line.keyword, ()) + line.arguments
            else:
                found.setdefault(line.keyword, line.arguments)
        return common | matched


def read_sshd_config(tree: FileTree, knows: Knows) -> SshdConfig:
    """sshd_config of ``tree``, for an sshd that ``knows`` its words; raises UnreadableError."""
    budget = [_READ]
    directives = tuple(_read(tree, PATH, (), 0, budget))
    return SshdConfig(directives, next(filter(None, (_fault(d, knows) for d in directives)), ""))


def _read(
    tree: FileTree,
    path: str,
    conditions: tuple[tuple[str, ...], ...],
    depth: int,
    budget: list[int],
) -> Iterator[Directive]:
    _spend(budget, path)
    if depth > _DEPTH:
        raise _too_much(path)
    outer = conditions
    for number, line in enumerate((text(tree, path, BY_HAND) or "").split("\n"), 1):
        found = _LINE.fullmatch(line.rstrip())
        if found is None or found[1].startswith("#"):
            continue
        keyword, arguments = found[1].lower(), tuple(_arguments(found[2]))
        directive = Directive(f"{path} line {number}", keyword, arguments, conditions)
        if keyword == "match":
            conditions = (*outer, tuple(word.lower() for word in arguments[:1]) + arguments[1:])
            directive = Directive(directive.place, keyword, arguments, conditions)
        yield directive
        for pattern in arguments if keyword == "include" else ():
            _spend(budget, path)
            for other in _included(tree, pattern):
                yield from _read(tree, other, conditions, depth + 1, budget)


def _spend(budget: list[int], path: str) -> None:
    budget[0] -= 1
    if budget[0] < 0:
        raise _too_much(path)


def _too_much(path: str) -> UnreadableError:
    return UnreadableError(f"{path} includes itself repeatedly", "Check sshd's settings.")


def _included(tree: FileTree, pattern: str) -> list[str]:
    full = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
    return [entry.path for entry in tree.glob(full)]


_BAD_QUOTES = "\0"


def _arguments(rest: str) -> Iterator[str]:
    for comment, word, stray in _ARGUMENT.findall(rest):
        if comment:
            return
        yield _BAD_QUOTES if stray else word.replace('"', "").replace("'", "")


def _fault(line: Directive, knows: Knows) -> str:
    """Why sshd refuses to start because of one line, "" if it accepts it."""
    where, keyword, arguments = line.place, line.keyword, line.arguments
    if keyword not in (_IN_MATCH | _GLOBAL) - _YOUNG and not knows(keyword):
        return f"{where}: bad configuration option: {keyword}"
    if not arguments:
        return f"{where}: {keyword} has no argument"
    if _BAD_QUOTES in arguments:
        return f"{where}: {keyword} has a quote without its other half"
    if line.conditions and keyword not in _IN_MATCH:
        return f"{where}: {keyword} is not allowed within a Match block"
    if keyword == "match":
        return _match_fault(line)
    if keyword in _VALUES:
        if arguments[0].lower() not in _VALUES[keyword]:
            return f"{where}: {keyword} cannot be {arguments[0]}"
        if len(arguments) > 1:
            return f"{where}: {keyword} has more than one argument"
    port = re.fullmatch("0*([0-9]{1,5})", arguments[0])
    if keyword == "port" and not (port and 0 < int(port[1]) < 1 << 16):
        return f"{where}: bad port {arguments[0]}"
    if keyword in _ALGORITHMS:
        for name in arguments[0].lstrip("+^").split(","):
            known = arguments[0].startswith("-") or "*" in name or _COMMON.fullmatch(name)
            if not known and not knows(name):
                return f"{where}: {keyword} has {name}, which this sshd does not know"
    return ""


def _match_fault(line: Directive) -> str:
    words = list(line.arguments)
    while words:
        name, equals, value = words.pop(0).lower().partition("=")
        if name in _SINGLE:
            continue
        if name not in _CRITERIA:
            return f"{line.place}: Match does not know {name}"
        if not (value if equals else words and words.pop(0)):
            return f"{line.place}: Match {name} has no value"
    return ""


def _holds(words: tuple[str, ...], groups: frozenset[str], *, near: bool) -> bool:
    """Whether the criteria of a Match line hold for root."""
    left = list(words)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name.lower() == "all":
            continue
        value = value if equals else (left.pop(0) if left else "")
        names = {"user": frozenset({"root"}), "group": groups}.get(name.lower())
        if not (_listed(names, value) if names is not None else near or value == "*"):
            return False
    return True


def _listed(names: frozenset[str], patterns: str) -> bool:
    """Whether one of ``names`` is in a list with commas, and none is excluded by a ``!``."""
    listed = patterns.split(",")
    refused = [word[1:] for word in listed if word.startswith("!")]
    if any(matches(name, pattern) for name in names for pattern in refused):
        return False
    return any(matches(name, pattern) for name in names for pattern in listed)


def names_root(arguments: tuple[str, ...], names: frozenset[str], *, near: bool) -> bool:
    """Whether AllowUsers, DenyGroups and their like name root, or one of its groups."""
    for word in arguments:
        pattern, at, host = word.partition("@")
        if any(matches(name, pattern) for name in names) and (not at or host == "*" or near):
            return True
    return False
