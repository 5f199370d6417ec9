"""Names on a hub: of the hub itself, of flists and of users, as the hub takes them unchanged."""

import os
import re
import secrets

from zwizard.hub.download import check_url
from zwizard.util.errors import UsageError

HUBS = ("https://hub.threefold.me", "https://hub.grid.tf")
EXTENSION = ".tar.gz"
# What the hub, which cleans names up without a word, takes unchanged.
_NAME = re.compile(r"(?!.*\.tar\.gz)[A-Za-z0-9][A-Za-z0-9._-]{0,199}(?<!\.)", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def hub(text: str | None = None) -> str:
    """The address of the hub: what is named, else as the environment says, else the default."""
    named = text or os.environ.get("ZWIZARD_HUB") or os.environ.get("ZFLIST_HUB") or HUBS[0]
    url = (named if "://" in named else f"https://{named}").rstrip("/")
    check_url(url)
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", url, re.ASCII):
        raise UsageError(f"{url} is no address of a hub", f"For example {HUBS[0]}.")
    return url


def user(text: str | None = None) -> str:
    """The account to use in place of the token's own, "" for that one."""
    name = text or os.environ.get("ZFLIST_HUB_USER", "")
    if name and not _USER.fullmatch(name):
        raise UsageError(f"{name!r} is no account of a hub", "For example tf-official-apps.")
    return name


def flist(archive: str, name: str | None = None) -> str:
    """The name of the flist of the file ``archive``, without ``.flist``; UsageError if none."""
    if not archive.endswith(EXTENSION):
        raise UsageError(
            f"{archive} is no {EXTENSION}: the hub takes nothing else",
            "Build or repair it with zwizard, which pack it; or name the archive.",
        )
    wanted = archive.removesuffix(EXTENSION) if name is None else name.removesuffix(".flist")
    if not _NAME.fullmatch(wanted):
        raise UsageError(
            f"{wanted!r} cannot be the name of a flist: the hub would make another of it",
            "Name it with letters and digits, and - _ . inside: --name NAME.",
        )
    return wanted


def temporary(name: str) -> str:
    """A name to upload under, which nothing on the hub has."""
    return f"{name}-{secrets.token_hex(4)}"
