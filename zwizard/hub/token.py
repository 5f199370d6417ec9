"""The token of a hub: where it is found, and whose it is. It is in no file, argument or log."""

import base64
import binascii
import contextlib
import json
import os
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from zwizard.util.errors import UsageError

VARIABLES = ("ZWIZARD_HUB_TOKEN", "ZFLIST_HUB_TOKEN")  # the second is the official client's
_SIGNATURE = 64  # bytes of it before what it signs
_LARGEST = 4096
_SERVICE = "zwizard"
HIDDEN = "[token]"


@dataclass(frozen=True)
class Token:
    """A token, whose it is (``name``, as in alice.3bot) and when it was made (since 1970)."""

    text: str
    name: str
    made: float

    def __repr__(self) -> str:
        return f"Token({HIDDEN}, {self.name!r})"

    def hide(self, text: str) -> str:
        """``text`` without the token, wherever a hub repeats it."""
        for form in (self.text, quote(self.text), self.text.rstrip("=")):
            text = text.replace(form, HIDDEN)
        return text


def read(text: str, hub: str) -> Token:
    """The token that ``text`` is; UsageError, which does not repeat it, if it is none."""
    text = text.strip()
    again = f"Make one at {hub}/token (log in, then “Generate API Token”) and copy all of it."
    if not text:
        raise UsageError("there is no token", again)
    if "." in text:
        raise UsageError("this is an old token of itsyou.online, which hubs refuse", again)
    damaged = UsageError("the token is damaged: it is no token of a hub", again)
    if len(text) > _LARGEST or not re.fullmatch(r"[\w-]+=*", text, re.ASCII):
        raise damaged
    try:
        signed = base64.b64decode(text, b"-_", validate=True)[_SIGNATURE:]
        name, made = json.loads(signed)
    except (binascii.Error, ValueError, TypeError):
        raise damaged from None
    if not isinstance(name, str) or isinstance(made, bool) or not isinstance(made, int | float):
        raise damaged
    return Token(text, name, float(made))


def find(hub: str) -> str:
    """The token from the environment or the system's keyring, "" if there is none."""
    for name in VARIABLES:
        if text := os.environ.get(name, "").strip():
            return text
    with contextlib.suppress(Exception):  # of any back end: then it is not there
        import keyring

        return (keyring.get_password(_SERVICE, urlsplit(hub).netloc) or "").strip()
    return ""
