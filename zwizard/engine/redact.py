"""Remove from texts what a bug report must not contain: names, paths and secrets."""

import contextlib
import getpass
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

HIDDEN = "[redacted]"
_WORD_LENGTH = 8  # characters of a word in a secret; a shorter one may be an ordinary word
_SHORTEST = 5  # characters; a shorter one is replaced in its place only, not everywhere

# Names that many machines share, and words of zwizard: replacing them hides nothing and makes the
# text unreadable.
_COMMON = frozenset({"root", "user", "debian", "ubuntu", "arch", "build", "builder", "localhost"})
_COMMON |= {"image", "container", "server"}

_WORD = (
    r"(?:pass(?:word|wd|phrase)|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|account[-_]?key|shared[-_]?key|client-key-data|credentials?|cookie|mnemonics?|signature"
    r"|(?<![a-z])(?:pwd|pass|sig|auth)(?![a-z]))"
)
_VALUE = r"""(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"',;|&<>()\[\]{}]+))"""
_HEADER = (
    r"(?:(?:proxy-)?authorization|(?:set-)?cookie2?|[\w-]*-(?:key|token|auth|signature|secret))"
)

# What a group of these matches is secret. Repetitions are bounded, as logs may be made to be slow.
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL | re.MULTILINE)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(.*?)"
        r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        # URLs: name and password, query, fragment
        r"\b[a-z][a-z0-9+.-]{0,20}://([^\s/\"'?#]+)@",
        r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/\"'?#<>]*(?:/[^\s\"'?#<>:]*)?[?#]([^\s\"'<>]+)",
        # headers, and schemes of Authorization
        rf"(?<![\w-]){_HEADER}\"?:[ \t]*\"?([^\"'\r\n]+)",
        r"\b(?:bearer +|(?:basic|token) +(?=\S{16}))([\w.+/=~-]{12,})",
        # settings: NAME=VALUE, and to the end of the line NAME: VALUE or NAME = VALUE
        rf"{_WORD}[\w.-]{{0,40}}(?:[ \t]+=[ \t]*|:[ \t]+)([^\s\"'\[{{|>][^\r\n\"']*)",
        rf"{_WORD}[\w.-]{{0,40}}[\"']?\s?[=:]\s?\[?{_VALUE}",
        rf"\bmachine\s+\S+\s+login\s+\S+\s+password\s+{_VALUE}",  # netrc
        # options, and commands that take a password
        rf"(?<!\S)--?[\w-]{{0,40}}{_WORD}[\w-]{{0,40}}[ \t]+(?!-){_VALUE}",
        r"(?:\s-u|--user|--proxy-user|\s-U)[ =]?[\"']?[^\s:%\"']+[:%]([^\s\"']+)",
        r"\b(?:sshpass|docker login|podman login|mysql\w*|mariadb\w*|7z|useradd|usermod)\b"
        rf"[^|\n;&]{{0,99}}?\s-p\s?{_VALUE}",
        rf"\b(?:ldap\w+)\b[^|\n;&]{{0,99}}?\s-w\s?{_VALUE}",
        rf"\bredis-cli\b[^|\n;&]{{0,99}}?\s-a\s?{_VALUE}",
        rf"\bzip\b[^|\n;&]{{0,99}}?\s-P\s?{_VALUE}",
        rf"\bhtpasswd\s+-\w{{0,9}}b\w*\s+(?:-\S+\s+){{0,8}}\S+\s+\S+\s+{_VALUE}",
        rf"\b(?:mkpasswd|openssl\s+passwd)\s+(?:-m\s+\S+\s+|-(?!m\s)\S+\s+){{0,8}}{_VALUE}",
        r"\bpass:([^\s\"']+)",  # openssl -passin
        r"\b(?:echo|printf)\s[^|\n]{0,99}?:([^\s\"'|:]+)[\"']?\s*\|\s*(?:sudo\s+)?chpasswd",
        r"\bchpasswd\b[^\n]{0,99}<<<\s*[\"']?[^\s:]+:([^\s\"']+)",
        r"\bchpasswd\b[^\n]{0,99}<<-?\s*[\"']?\w+[\"']?\n\s*[^\s:]+:([^\s]+)",
        rf"\b(?:echo|printf)\s+(?:-\w+\s+)*{_VALUE}\s*\|\s*(?:sudo\s+)?passwd\s+--stdin",
        rf"\bpasswd\s+--stdin[^\n]{{0,99}}<<<\s*{_VALUE}",
        # by their own form
        r"(\$(?:1|2[aby]|5|6|7|y|argon2\w*)\$[\w./$,=+-]{20,})",  # a password's hash
        r"(\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",  # a JSON web token
        r"(\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|ASIA|AIza|sk-|[rs]k_live_|npm_|pypi-"
        r"|hf_|dckr_pat_|dop_v1_|AGE-SECRET-KEY-)[\w-]{10,})",
    )
)
_HOMES = re.compile(r"/home/[^/\s:\"']+")


def hide_secrets(text: str) -> str:
    """``text`` without what its own words show to be secret."""
    for pattern in _SECRETS:
        text = pattern.sub(_hide, text)
    return text


@dataclass(frozen=True)
class Identity:
    """The names and paths that identify the user and the host."""

    users: tuple[str, ...]
    host: str
    home: str


def here() -> Identity:
    """This user, this machine."""
    users = [os.environ.get("SUDO_USER", "")]
    with contextlib.suppress(KeyError, OSError):  # a uid without a name
        users.append(getpass.getuser())
    return Identity(tuple(filter(None, users)), socket.gethostname(), str(Path.home()))


class Redactor:
    """Replaces secrets and identifying names in texts.

    A secret is found by the words around it; one that :meth:`learn` has found in a text is then
    replaced in every text.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._secrets: set[str] = set()

    def learn(self, text: str) -> None:
        """Remember the secrets in ``text``."""
        for pattern in _SECRETS:
            for found in pattern.finditer(text):
                secret = next(filter(None, found.groups()), "").strip()
                if not secret:
                    continue
                for part in _parts(secret):
                    # As it is, and as it stands in JSON.
                    self._secrets |= {part, json.dumps(part, ensure_ascii=False)[1:-1]}

    def clean(self, text: str) -> str:
        """``text`` without secrets and names."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return self._anonymous(hide_secrets(text))

    def _anonymous(self, text: str) -> str:
        home = self._identity.home
        if home not in {"", "/", "/root"}:
            text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
        text = _HOMES.sub("/home/USER", text)
        for user in self._identity.users:
            text = _replace_word(text, user, "USER")
        host = self._identity.host
        for name in (host, host.partition(".")[0]):
            text = _replace_word(text, name, "HOST")
        return text


def _parts(secret: str) -> Iterator[str]:
    """``secret``, and those parts of it that may stand alone elsewhere."""
    password = secret.split(":", 1)[1:]  # of a URL's NAME:PASSWORD
    values = [*re.findall(r"=([^&;\s]+)", secret), secret.split()[-1]]  # of a query, of a header
    for part in (secret, *password, *(value for value in values if len(value) >= _WORD_LENGTH)):
        yield from (text for text in (part, unquote(part)) if len(text) >= _SHORTEST)


def _hide(found: re.Match[str]) -> str:
    """The match with its secret group replaced."""
    number = found.lastindex or 0
    start, end = (place - found.start() for place in found.span(number))
    return found[0][:start] + HIDDEN + found[0][end:]


def _replace_word(text: str, word: str, by: str) -> str:
    if len(word) < 3 or word.lower() in _COMMON:
        return text
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", by, text)
