"""Tokens: who a request is from, as the hub finds out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Protocol

_SIGNATURE = 64  # bytes before the payload


class DeniedError(Exception):
    """The answer to a request that nobody may make: a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def make_token(user: str, seed: bytes, made: int = 1_700_000_000) -> str:
    """A token in the hub's form; the signature is another one of the same length."""
    payload = json.dumps([user, made]).encode()
    return base64.urlsafe_b64encode(_sign(payload, seed) + payload).decode()


class Realm(Protocol):
    """What a hub knows of its users."""

    readonly: bool
    seed: bytes
    accounts: dict[str, str]


def user_of(headers: Mapping[str, str], hub: Realm) -> str:
    """Who sent a request with these headers; raises DeniedError."""
    if hub.readonly:
        raise DeniedError(400, "readonly mode")
    header = headers.get("Authorization")
    if not header:
        raise DeniedError(401, "no authorization provided")
    if "." in header:
        raise DeniedError(403, "invalid token")  # an old one of itsyou.online
    bearer = re.match("bearer (.*)$", header, re.IGNORECASE)
    if not bearer:
        raise DeniedError(400, "invalid authorization header")
    try:
        signed = base64.b64decode(bearer[1], b"-_", validate=True)
    except (binascii.Error, ValueError):
        signed = b""
    signature, payload = signed[:_SIGNATURE], signed[_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(payload, hub.seed)):
        raise DeniedError(401, "invalid signature")
    user: str = json.loads(payload)[0]
    account = _cookie(headers.get("Cookie", ""), "active-user")
    return account if hub.accounts.get(account) == user else user


def _sign(payload: bytes, seed: bytes) -> bytes:
    return hmac.digest(seed, payload, hashlib.sha512)


def _cookie(header: str, name: str) -> str:
    try:
        cookie = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
