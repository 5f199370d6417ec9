"""Remove from texts what a bug report must not contain: names, paths and secrets."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

HIDDEN = "[redacted]"
_SHORTEST = 5  # characters; a shorter one is replaced in its place only, not everywhere

# Names that many machines share, and words of zwizard: replacing them hides nothing and makes the
# text unreadable.
_COMMON = frozenset({"root", "user", "debian", "ubuntu", "arch", "build", "builder", "localhost"})
_COMMON |= {"image", "container", "server"}

_WORD = (
    r"(?:pass(?:word|wd|phrase)|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|credentials?|authorization|cookie|mnemonic)"
)
_VALUE = r"""(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"',;|&<>()]+))"""

# What a group of these matches is secret.
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"\b[a-z][a-z0-9+.-]*://([^\s/@\"']+)@",  # a URL's name and password
        r"\b(?:bearer|basic|token) +([\w.+/=~-]{8,})",
        rf"{_WORD}[\w.-]*[\"']?\s?[=:]\s?{_VALUE}",
        rf"--?[\w-]*{_WORD}[\w-]* {_VALUE}",
        r"(?:\s-u|--user)[ =][^\s:]+:([^\s\"']+)",
        rf"\bsshpass\s+-p\s*{_VALUE}",
        r"\b(?:echo|printf)\s[^|\n]*?:([^\s\"'|:]+)[\"']?\s*\|\s*chpasswd",
        rf"\bopenssl\s+passwd\s+(?:-\S+\s+)*{_VALUE}",
        r"(\$(?:1|2[aby]|5|6|7|y)\$[\w./$,=-]{20,})",  # a password's hash
        r"(\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",  # a JSON web token
        r"(\b(?:gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA|sk-)[\w-]{10,})",
    )
)
_HOMES = re.compile(r"/home/[^/\s:\"']+")


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
                # Of a URL's NAME:PASSWORD, the password alone too.
                parts = {secret, *secret.split(":", 1)[1:]}
                for part in parts:
                    if len(part) >= _SHORTEST:
                        # As it is, and as it stands in JSON.
                        self._secrets |= {part, json.dumps(part, ensure_ascii=False)[1:-1]}

    def clean(self, text: str) -> str:
        """``text`` without secrets and names."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        for pattern in _SECRETS:
            text = pattern.sub(_hide, text)
        return self._anonymous(text)

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


def _hide(found: re.Match[str]) -> str:
    """The match with its secret group replaced."""
    number = found.lastindex or 0
    start, end = (place - found.start() for place in found.span(number))
    return found[0][:start] + HIDDEN + found[0][end:]


def _replace_word(text: str, word: str, by: str) -> str:
    if len(word) < 3 or word.lower() in _COMMON:
        return text
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", by, text)
