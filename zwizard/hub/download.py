"""Download a flist from a hub, within limits of size and time."""

from __future__ import annotations

import ipaddress
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zwizard.image.tree import UnreadableError
from zwizard.util.errors import UsageError, ZwizardError

if TYPE_CHECKING:
    import httpx

LARGEST = 256 << 20  # bytes of a flist: many times one of the most entries that are read
_SECONDS = 15 * 60  # for all of it
_CONNECT, _SILENCE = 15, 60  # seconds until an answer, and without a byte
_REDIRECTS = 5
_HINT = "Check the address and the network, and try again."


def is_url(text: str) -> bool:
    """Whether ``text`` means something on the network, not a path."""
    return text.startswith(("http://", "https://"))


@contextmanager
def local_flist(place: str) -> Iterator[Path]:
    """The flist at ``place``, a path or a URL, as a file; errors about it name ``place``.

    Raises UsageError for a URL that is not accepted, ZwizardError for one that cannot be had.
    """
    if not is_url(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="zwizard-") as directory:
        path = Path(directory) / "flist"
        _download(place, path)
        try:
            yield path
        except UnreadableError as error:
            raise UnreadableError(error.message.replace(str(path), place), error.hint) from error


def check_url(url: str) -> None:
    """Raise UsageError unless ``url`` is https, or http on this machine, without a password."""
    try:
        parts = urlsplit(url)
        host, named, _ = parts.hostname, parts.username or parts.password, parts.port
    except ValueError as error:
        raise UsageError(f"{url} is not a URL: {error}", "Check the address.") from error
    if named is not None or not host:
        raise UsageError(
            "the URL has a user name or no host", "Give it as https://HOST/USER/NAME."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise UsageError(
            f"{url} is not encrypted", "Use https; http is for hubs on this machine (127.0.0.1)."
        )


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _download(url: str, path: Path) -> None:
    import httpx  # loaded by the commands that need it

    started = time.monotonic()
    timeout = httpx.Timeout(_SILENCE, connect=_CONNECT)
    try:
        for _ in range(_REDIRECTS):
            check_url(url)
            here = is_loopback(urlsplit(url).hostname or "")
            with (
                httpx.Client(timeout=timeout, trust_env=not here) as client,
                client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
            ):
                if answer.next_request is None:
                    _save(answer, url, path, started + _SECONDS)
                    return
                url = str(answer.next_request.url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cause = str(error) or type(error).__name__
        raise ZwizardError(f"{url} could not be downloaded: {cause}", _HINT) from error
    raise ZwizardError(f"{url} leads from one address to the next", "Check the address.")


def _save(answer: httpx.Response, url: str, path: Path, until: float) -> None:
    if answer.status_code == 404:
        raise UsageError(f"there is no flist at {url}", "Check the user's and the flist's name.")
    if answer.status_code != 200:
        raise ZwizardError(f"{url} answered {answer.status_code} {answer.reason_phrase}", _HINT)
    done = 0
    with path.open("wb") as file:
        for piece in answer.iter_raw():
            done += len(piece)
            if done > LARGEST:
                raise UsageError(f"{url} has more than {LARGEST >> 20} MiB", "It is no flist.")
            if time.monotonic() > until:
                raise ZwizardError(f"{url} took more than {_SECONDS // 60} minutes", _HINT)
            file.write(piece)
