"""An upload in the foreground: what is asked before, a line for each phase, and where it is."""

import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from zwizard.console import foreground
from zwizard.hub import session
from zwizard.hub.exchange import exists
from zwizard.hub.session import CheckedArchive
from zwizard.hub.status import Status
from zwizard.hub.token import Token
from zwizard.hub.upload import UploadRequest
from zwizard.jobs import events
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import duration, one_line, size

PHASES = {
    "reading": "reading the archive",
    "asking": "asking the hub",
    "sending": "sending",
    "unpacking": "sent; the hub unpacks",
    "polling": "looking whether the hub has it",
    "waiting": "waiting",
    "comparing": "comparing every entry and block with the archive",
    "asking-store": "asking the hub's store for every block",
    "publishing": "giving it its name",
    "removing": "removing the temporary flist",
}
_EVERY = 10.0  # seconds between lines about a phase


class NotReadyError(ZwizardError):
    """The archive is not ready, and nobody said that it is to be uploaded nevertheless."""

    exit_code = 3


def run(
    request: UploadRequest, *, force: bool = False, detach: bool = False, as_json: bool = False
) -> int:
    """Upload it and print what happens; the exit code. What is not decided is asked."""
    asks = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    own = _token(request.hub, asks=asks)
    checked = session.check(request.archive)
    request = replace(request, sha256=checked.sha256)
    if not (checked.ready or force):
        _confirm(checked, request, asks=asks)
    user, found = session.look(request, own)
    if not as_json:
        foreground.write(f"{request.archive.name} to {request.hub}/{user}/{request.flist}.flist")
        foreground.write(f"as {own.name}, by a token of {_day(own.made)}")
    if found and not (request.replace or found["same"]):
        if not asks:
            raise exists(request.flist, request.hub)
        foreground.write(f"There is such a flist: {describe(found)}")
        click.confirm("Replace it?", abort=True)
        request = replace(request, replace=True)
    job, secret = session.prepare(request), own.text.encode()
    if detach:
        foreground.detach(job, secret=secret)
        return 0
    return foreground.run(job, narrator=Narrator(), as_json=as_json, secret=secret)


def describe(found: Mapping[str, Any]) -> str:
    """A flist on the hub in a line: its date, size and md5."""
    when = found.get("updated")
    day = _day(when) if isinstance(when, int | float) else "an unknown day"
    length = found.get("size")
    shown = size(length) if isinstance(length, int) else "unknown size"
    return one_line(f"of {day}, {shown}, md5 {found.get('md5')}")


def _token(hub: str, *, asks: bool) -> Token:
    try:
        return session.read_token("", hub)
    except UsageError as error:
        if not asks or error.message != "there is no token":
            hint = f"{error.hint} Give it as ZWIZARD_HUB_TOKEN, or keep it in the keyring."
            raise UsageError(error.message, hint) from None
    foreground.write(f"The token is shown at {hub}/token.")
    return session.read_token(click.prompt("Token (not shown)", hide_input=True), hub)


def _confirm(checked: CheckedArchive, request: UploadRequest, *, asks: bool) -> None:
    """Let the user type the name of an archive that is not ready; NotReadyError if not."""
    message = f"{request.archive} is not ready: {checked.errors} errors"
    hint = f"See them with `zwizard check {request.archive}`; --force uploads it nevertheless."
    if not asks:
        raise NotReadyError(message, hint)
    foreground.write(f"! {message}")
    typed = click.prompt(f"Type {request.flist} to upload it nevertheless", default="")
    if typed != request.flist:
        raise NotReadyError(message, hint)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at)) if 0 < at < 1e11 else "an unknown day"


class Narrator:
    """Describes an upload."""

    def __init__(self) -> None:
        self._status = Status()
        self._shown = time.monotonic()

    def idle(self) -> list[str]:
        """How far a long phase is."""
        if self._status.state != "running" or time.monotonic() < self._shown + _EVERY:
            return []
        self._shown = time.monotonic()
        return [f"    {progress(self._status, time.time())}"]

    def lines(self, event: events.Event) -> list[str]:
        """What to print about an event."""
        self._status = self._status.after(event)
        match event:
            case events.UploadPhase(phase=phase, why=why):
                self._shown = time.monotonic()
                return [f"  {PHASES.get(phase, phase)}{f': {why}' if why else ''}"]
            case events.UploadFinished():
                return _uploaded(event)
            case events.Failed() | events.Interrupted():
                return [f"✗ {event.error}", *filter(None, [f"  {event.hint}"])]
            case events.Cancelled():
                return ["✗ stopped; nothing of it is on the hub"]
        return []


def progress(status: Status, now: float) -> str:
    """How far a phase is: bytes, rate and time left, or how long it has been running."""
    if not status.done:
        return duration(max(0.0, now - status.since))
    parts = [f"{size(status.done)} of {size(status.total)}", f"{size(int(status.rate(now)))}/s"]
    left = status.left(now)
    return ", ".join([*parts, *([f"{duration(left)} left"] if left else [])])


def _uploaded(event: events.UploadFinished) -> list[str]:
    done = "uploaded" if event.sent else "it is there already"
    compared = f"{event.entries} entries and {event.chunks} blocks are equal"
    compared += f"; the store has all {event.stored}" if event.stored else ""
    return [
        f"◆ {done} ({duration(event.seconds)}): {compared}",
        f"  flist     {event.url}",
        f"  checksum  {event.md5}",
        f"  deploy    zwizard deploy {shlex.quote(event.artefact)}",
    ]
