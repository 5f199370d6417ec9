"""The calls to a hub that an upload needs, each within limits of time and of size."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from zwizard.hub.download import is_loopback
from zwizard.hub.token import Token
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line

_T = TypeVar("_T")
_LARGEST = 1 << 20  # bytes of an answer
_SHOWN = 200  # characters of it in an error
_LOOK = 0.05  # seconds between looks at a call that is under way
_AGAIN = "Check the network and the hub's address, and upload again: it resumes."


class HubError(ZwizardError):
    """The hub refuses, or does something else than it should."""


class LostError(HubError):
    """There was no answer: nobody knows whether the hub did it."""


class StoppedError(Exception):
    """The upload was cancelled."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: ``connect``, ``silence`` (without a byte), ``whole`` (a call),

    ``unpacking`` (the answer to an upload, or its flist to appear), ``pauses`` (between tries).
    """

    connect: float = 15
    silence: float = 60
    whole: float = 120
    unpacking: float = 30 * 60
    pauses: tuple[float, ...] = (2, 5, 15, 30)


@dataclass(frozen=True)
class Answer:
    """An answer of the hub: its status, and its body as text without the token."""

    status: int
    text: str

    @property
    def data(self) -> Any:
        """The JSON document in it, None if it is something else."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """What the hub says, in a line."""
        data = self.data
        if isinstance(data, dict) and isinstance(data.get("message"), str):
            return one_line(data["message"])[:_SHOWN]
        if "<html" in self.text.lower() or data is None:
            return "a web page, or nothing: something between here and the hub, or a fault in it"
        return one_line(self.text)[:_SHOWN]

    def error(self, what: str) -> HubError:
        """The error that this answer to ``what`` is."""
        for status, message, text, hint in _REFUSALS:
            if self.status == status and message in self.message:
                return HubError(text, hint)
        return HubError(
            f"the hub answered {self.status} to {what}: {self.message}",
            "Upload again later; if that does not help, ask who runs the hub.",
        )


_NEW = "Make one on the hub's page /token (log in, then “Generate API Token”)."
_REFUSALS = (
    (401, "no authorization provided", "the hub got no token", _NEW),
    (400, "invalid authorization header", "the hub cannot read the token", _NEW),
    (401, "invalid signature", "the token is damaged, or another hub's", _NEW),
    (403, "invalid token", "the hub refuses the token: it is an old one of itsyou.online", _NEW),
    (400, "readonly mode", "this hub is a mirror, which only reads",
     "Upload to the hub that it mirrors, mostly https://hub.threefold.me: --hub URL."),
    (500, "this file is not allowed", "the hub refuses files of this name",
     "Give the archive a name that ends in .tar.gz."),
)  # fmt: skip


@dataclass
class Sending:
    """How far the body of an upload is: ``done`` bytes at ``moved``; ``sent`` when all is."""

    done: int = 0
    moved: float = field(default_factory=time.monotonic)
    sent: bool = False
    stopped: bool = False

    def advance(self, count: int) -> None:
        """``count`` more bytes are on their way."""
        self.done += count
        self.moved = time.monotonic()


class Client:
    """A hub at ``url``, as the account of ``token``, or ``user`` in its place."""

    def __init__(
        self, url: str, token: Token, user: str = "", patience: Patience = Patience()
    ) -> None:
        self.url = url
        self.patience = patience
        self._token, self._user = token, user
        # No other cookie is ever sent: a session's would take the place of the token.
        cookie = {"Cookie": f"active-user={user}"} if user else {}
        self._headers = {
            "Authorization": f"bearer {token.text}", "Accept-Encoding": "identity", **cookie,
        }  # fmt: skip

    @cached_property
    def _certificates(self) -> ssl.SSLContext | bool:
        """How certificates are verified: made once, as that takes long."""
        import httpx

        return httpx.create_ssl_context() if self.url.startswith("https:") else False

    def me(self) -> str:
        """The account's name; HubError if the hub refuses the token."""
        answer = self._call("GET", "/api/flist/me")
        match answer.status, answer.data:
            case 200, {"status": "success", "payload": {"username": str(name)}}:
                if name == (self._user or self._token.name):
                    return name
                raise HubError(
                    f"the hub takes the token for that of {one_line(name)[:_SHOWN]!r}",
                    "Check the token and --user.",
                )
        raise answer.error("the token")

    def light(self, user: str, name: str) -> Mapping[str, Any] | None:
        """The size, date and md5 of a flist, None if there is none."""
        answer = self._call("GET", f"/api/flist/{user}/{name}/light")
        if answer.status == 404:
            return None
        match answer.status, answer.data:
            case 200, {"name": str(found), "md5": _} if found == f"{name}.flist":
                return dict(answer.data)
        raise answer.error(f"a question about {name}.flist")

    def archive_sum(self, user: str, name: str) -> str:
        """The SHA-256 of the archive that a flist was made of, "" if it does not say."""
        answer = self._call("GET", f"/api/flist/{user}/{name}/metadata")
        data = answer.data
        found = data.get("payload", data) if isinstance(data, dict) else None
        value = found.get("sha256") if answer.status == 200 and isinstance(found, dict) else ""
        return value if isinstance(value, str) else ""

    def send(
        self, body: Iterable[bytes], headers: Mapping[str, str], sending: Sending,
        stop: Callable[[], bool],
    ) -> Answer:  # fmt: skip
        """Upload ``body``, which tells ``sending`` how far it is.

        Raises LostError without an answer, StoppedError if ``stop`` says so before all is sent.
        """

        def late() -> str:
            idle = time.monotonic() - sending.moved
            if sending.sent:
                return "did not answer in time" if idle > self.patience.unpacking else ""
            if stop():
                sending.stopped = True
                raise StoppedError
            return "takes no more bytes" if idle > self.patience.silence else ""

        return self._call(
            "POST", "/api/flist/me/upload", late, body=body, headers=headers,
            read=self.patience.unpacking,
        )  # fmt: skip

    def rename(self, name: str, to: str) -> None:
        """Give a flist of this account another name, also one that is taken."""
        self._change("GET", f"/api/flist/me/{name}/rename/{to}")

    def delete(self, name: str) -> bool:
        """Delete a flist of this account; False if there is none."""
        return self._change("DELETE", f"/api/flist/me/{name}", missing=True)

    def _change(self, method: str, path: str, *, missing: bool = False) -> bool:
        answer = self._call(method, path)
        match answer.status, answer.data:
            case 200, {"status": "success"}:
                return True
        if missing and answer.status == 404:
            return False
        raise answer.error(f"{method} {path}")

    def served_sum(self, user: str, name: str) -> str:
        """The md5 that deployers get, "" if the flist is not served to them."""
        place = f"/{user}/{name}.flist"
        if self._call("HEAD", place, secret=False).status != 200:
            return ""
        answer = self._call("GET", f"{place}.md5", secret=False)
        return answer.text.strip() if answer.status == 200 else ""

    def _call(
        self, method: str, path: str, late: Callable[[], str] | None = None, *,
        body: Iterable[bytes] | None = None, headers: Mapping[str, str] | None = None,
        read: float | None = None, secret: bool = True,
    ) -> Answer:  # fmt: skip
        until = time.monotonic() + self.patience.whole

        def overdue() -> str:
            return "did not answer in time" if time.monotonic() > until else ""

        own = self._headers if secret else {"Accept-Encoding": "identity"}
        answer = within(
            lambda: self._ask(method, path, {**own, **(headers or {})}, body, read),
            late or overdue,
            self.url,
        )
        if 300 <= answer.status < 400:
            raise HubError(
                f"the hub leads to another address ({one_line(answer.text)[:_SHOWN]}), which does"
                " not get the token",
                "Name that hub itself: --hub URL.",
            )
        return answer

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes] | None,
        read: float | None,
    ) -> Answer:  # fmt: skip
        import httpx  # loaded by the commands that need it

        patience = self.patience
        timeout = httpx.Timeout(
            patience.silence, connect=patience.connect, read=read or patience.silence
        )
        trust = not is_loopback(urlsplit(self.url).hostname or "")
        text = bytearray()
        try:
            with httpx.stream(
                method, self.url + path, headers=dict(headers), content=body, timeout=timeout,
                trust_env=trust, verify=self._certificates,
            ) as answer:  # fmt: skip
                for piece in answer.iter_raw():
                    text += piece
                    if len(text) > _LARGEST:
                        raise HubError(f"{self.url} answers without end", "Check the address.")
                status, leads = answer.status_code, answer.headers.get("location", "")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = self._token.hide(str(error) or type(error).__name__)
            if "certificate" in cause.lower():
                text_of = f"{self.url} has no valid certificate: {one_line(cause)[:_SHOWN]}"
                raise HubError(text_of, "Check the address; nothing was sent.") from None
            raise LostError(
                f"{self.url} cannot be reached, or broke off: {one_line(cause)[:_SHOWN]}", _AGAIN
            ) from None
        shown = leads if 300 <= status < 400 else text.decode("utf-8", "replace")
        return Answer(status, self._token.hide(shown))


def within(call: Callable[[], _T], late: Callable[[], str], url: str) -> _T:
    """What ``call`` returns or raises; LostError as soon as ``late`` says why.

    The call runs in a thread that is left behind then.
    """
    results: list[tuple[_T | None, BaseException | None]] = []

    def run() -> None:
        try:
            results.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised below
            results.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK)
        if thread.is_alive() and (why := late()):
            raise LostError(f"{url} {why}", _AGAIN)
    value, error = results[0]
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
