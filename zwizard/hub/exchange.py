"""The exchange with a hub: send under a temporary name, read back, compare, give it its name.

A hub says success for anything. So nothing is uploaded before every entry and block of what it
made is compared with the archive; until then a flist of the same name is not touched.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from zwizard.hub import names
from zwizard.hub.answers import judge
from zwizard.hub.blocks import Store
from zwizard.hub.client import Answer, Client, HubError, LostError, Sending, StoppedError, within
from zwizard.hub.download import is_loopback, local_flist
from zwizard.image import UnreadableError
from zwizard.image.flist.compare import Comparison, ReadArchive, compare
from zwizard.image.flist.tree import FlistTree
from zwizard.image.tree import state
from zwizard.jobs.events import Event, UploadPhase, UploadProgress, UploadRemoved
from zwizard.util.errors import UsageError, ZwizardError

_CHUNK = 1 << 18
_EVERY = 0.25  # seconds between notes of progress
_DOWNLOAD = 16 * 60.0  # seconds
_UNANSWERED = frozenset({502, 503, 504})
_NAMED = 3  # differences in an error


class DifferentError(HubError):
    """The flist holds something else than the archive."""

    def __init__(self, message: str, found: Comparison | None = None) -> None:
        hint = "Nothing was replaced on the hub. Upload again; if it stays, ask who runs the hub."
        super().__init__(message, hint)
        self.differences = [asdict(one) for one in found.first[:20]] if found else []


@dataclass(frozen=True)
class Published:
    """What is on the hub now, and that it was compared."""

    user: str
    url: str
    md5: str
    comparison: Comparison
    sent: bool
    stored: int = 0  # blocks that were found in the hub's store, if it was asked


@dataclass
class Exchange:
    """One upload of ``archive`` as ``name``.

    ``note`` takes its events, ``stop`` says whether it is cancelled. ``left`` are temporary names
    of an earlier run that may be on the hub; ``sent`` is the one of them that was sent whole,
    ``waited`` seconds ago. ``deep``: the hub's store is asked for every block.
    """

    client: Client
    path: Path
    archive: ReadArchive
    name: str
    replace: bool
    note: Callable[[Event], object]
    stop: Callable[[], bool]
    left: list[str] = field(default_factory=list)
    sent: str = ""
    waited: float = 0.0
    deep: bool = False
    _stored: int = 0

    def run(self) -> Published:
        """Upload, compare and publish it; HubError, or StoppedError once nothing of it is left."""
        self._phase("asking")
        self._user = self.client.me()
        before = self.client.light(self._user, self.name)
        if before is not None:
            sha256 = self.client.archive_sum(self._user, self.name)
            if sha256 == self.archive.digest.sha256 and (found := self._there_already()):
                self.sent = ""
                self._remove_left()
                return found
        if before is not None and not self.replace:
            raise exists(self.name, self.client.url)
        try:
            temporary = self._arrived(self.sent) if self.sent else ""
            temporary = temporary or self._send_until_taken()
            comparison, md5 = self._compare(temporary)
            self._check_stop()
            if self.client.light(self._user, self.name) != before:
                raise HubError(
                    f"{self.name}.flist was changed on the hub meanwhile; it is left as it is",
                    "Look at it, and upload again.",
                )
            self._publish(temporary, md5)
        finally:
            self._remove_left()
        return self._published(comparison, md5, sent=True)

    def _phase(self, phase: str, temporary: str = "", why: str = "") -> None:
        self.note(UploadPhase(phase=phase, temporary=temporary, why=why))

    def _check_stop(self) -> None:
        if self.stop():
            raise StoppedError

    # --- before ---

    def _there_already(self) -> Published | None:
        """The flist that says it is of this archive, if it is; None to send it again."""
        try:
            comparison, md5 = self._compare(self.name)
        except DifferentError:
            return None
        return self._published(comparison, md5, sent=False)

    # --- sending ---

    def _send_until_taken(self) -> str:
        """Send until the hub has it whole; the temporary name that it has."""
        for pause in (*self.client.patience.pauses, None):
            temporary = names.temporary(self.name)
            self.left.append(temporary)
            self._phase("sending", temporary)
            sending = Sending()
            try:
                answer = self._send(temporary, sending)
            except LostError as error:
                if sending.sent:
                    self.sent = temporary
                    return self._waited_for(temporary, error.message)
                if pause is None or self.stop():
                    raise
                self._wait(pause, error.message)
                continue
            if answer.status in _UNANSWERED:
                what = f"the hub answered {answer.status}"
                if sending.sent:
                    self.sent = temporary
                    return self._waited_for(temporary, what)
                if pause is None:
                    raise answer.error("the upload")
                self._wait(pause, what)
                continue
            self._check_stop()
            if wrong := judge(answer, temporary, self.archive.counts()):
                if answer.status != 200:
                    raise answer.error("the upload")
                raise DifferentError(f"the hub made no whole flist: {wrong}")
            return temporary
        raise AssertionError("the last try raises")

    def _send(self, temporary: str, sending: Sending) -> Answer:
        boundary = secrets.token_hex(16)
        head, tail = _form(boundary, temporary, self.archive.digest.sha256)
        size = self.path.stat().st_size
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
        }

        def body() -> Iterator[bytes]:
            yield head
            with self.path.open("rb") as file:
                before, shown = state(file.fileno()), 0.0
                left = size
                while left:
                    piece = file.read(min(_CHUNK, left))
                    if sending.stopped:
                        raise StoppedError
                    if not piece:
                        raise _changed(self.path)
                    left -= len(piece)
                    yield piece
                    sending.advance(len(piece))
                    if time.monotonic() > shown + _EVERY or not left:
                        shown = time.monotonic()
                        self.note(UploadProgress(done=sending.done, total=size))
                if state(file.fileno()) != before or before != state(self.path):
                    raise _changed(self.path)
            # Named as sent before its end is: whatever happens then, it is not sent twice.
            self._phase("unpacking", temporary)
            yield tail
            sending.sent = True
            sending.advance(0)

        return self.client.send(body(), headers, sending, self.stop)

    def _wait(self, seconds: float, why: str) -> None:
        self._phase("waiting", why=f"{why}; again in {seconds:g} s")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._check_stop()
            time.sleep(min(0.05, seconds))

    # --- a lost answer ---

    def _arrived(self, temporary: str) -> str:
        """``temporary``, sent by an earlier run, once the hub has it; "" if it has not."""
        try:
            return self._waited_for(temporary, "an earlier run had sent it")
        except LostError:
            self.sent = ""
            return ""

    def _waited_for(self, temporary: str, why: str) -> str:
        """``temporary`` once the hub has it whole; LostError if it does not come.

        Also if the upload is cancelled: what comes later could not be removed.
        """
        self._phase("polling", temporary, why)
        until = time.monotonic() + self.client.patience.unpacking - self.waited
        before, pauses = None, iter(self.client.patience.pauses)
        pause = 0.0
        while True:
            try:
                found = self.client.light(self._user, temporary)
            except HubError:  # of a proxy, or in between
                found = None
            if found is not None and found == before:
                self.sent = ""
                return temporary
            if time.monotonic() > until and found is None:
                break
            before, pause = found, next(pauses, pause)
            time.sleep(pause)
        raise LostError(
            f"the hub has not made {temporary}.flist, and did not say why ({why})",
            "Upload again: it looks for it first.",
        )

    # --- after ---

    def _compare(self, name: str) -> tuple[Comparison, str]:
        """Compare the flist ``name`` with the archive: DifferentError, or the flist's md5."""
        self._phase("comparing", name if name != self.name else "")
        url = self._url(name)
        for pause in (*self.client.patience.pauses, None):
            self._check_stop()
            until = time.monotonic() + min(_DOWNLOAD, 4 * self.client.patience.whole)
            try:
                found, md5 = within(lambda: self._read_back(url), self._late(until), url)
            except DifferentError:
                raise
            except UnreadableError as error:
                raise DifferentError(error.message) from error
            except ZwizardError as error:
                if pause is None:
                    raise HubError(error.message, error.hint) from error
                self._wait(pause, error.message)
                continue
            if not found.equal:
                raise DifferentError(_differences(found), found)
            return found, md5
        raise AssertionError("the last try raises")

    def _read_back(self, url: str) -> tuple[Comparison, str]:
        with local_flist(url) as file:
            md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            with FlistTree(file, stored=self.deep) as tree:
                found = compare(self.archive, tree)
                if found.equal and tree.stored is not None:
                    self._find(tree.stored, Store.named_by(tree.metadata.get("backend", "")))
                return found, md5

    def _find(self, blocks: set[bytes], store: Store) -> None:
        """Ask the store for every block; DifferentError if it does not have them all."""
        self._phase("asking-store")
        if is_loopback(store.host) and not is_loopback(urlsplit(self.client.url).hostname or ""):
            raise DifferentError(f"the flist has its blocks at {store.host}, where no node is")
        if missing := store.missing(blocks, self.client.patience):
            raise DifferentError(
                f"{missing} of {len(blocks)} blocks are missing in the hub's store"
            )
        self._stored = len(blocks)

    def _late(self, until: float) -> Callable[[], str]:
        def late() -> str:
            self._check_stop()
            return "did not send the flist in time" if time.monotonic() > until else ""

        return late

    def _publish(self, temporary: str, md5: str) -> None:
        """Give the flist its name, and look at it as deployers do."""
        self._phase("publishing", temporary)
        for last in (False, True):
            try:
                self.client.rename(temporary, self.name)
                break
            except HubError:
                if self._is_named(md5):
                    break
                if last:
                    raise
        for pause in (*self.client.patience.pauses, None):
            try:
                if self.client.served_sum(self._user, self.name) == md5:
                    break
            except LostError:
                if pause is None:
                    raise
            if pause is None:
                raise HubError(
                    f"{self._url(self.name)} is not, or not yet, the flist that was uploaded",
                    "Upload again: if it is there by then, it is only compared.",
                )
            time.sleep(pause)
        if self.client.light(self._user, temporary) is None:
            self._forget(temporary)

    def _is_named(self, md5: str) -> bool:
        """Whether the flist has its name, after an answer that does not say so."""
        found = self.client.light(self._user, self.name)
        return found is not None and found["md5"] == md5

    def _remove_left(self) -> None:
        """Delete what is left of this upload; errors are noted, and the next run tries again."""
        for temporary in list(self.left):
            self._phase("removing", temporary)
            try:
                self.client.delete(temporary)
                gone = self.client.light(self._user, temporary) is None
            except HubError as error:
                self._phase("removing", temporary, error.message)
                continue
            if gone and temporary != self.sent:  # else it may come yet
                self._forget(temporary)

    def _forget(self, temporary: str) -> None:
        self.left.remove(temporary)
        self.note(UploadRemoved(temporary=temporary))

    def _published(self, comparison: Comparison, md5: str, *, sent: bool) -> Published:
        return Published(self._user, self._url(self.name), md5, comparison, sent, self._stored)

    def _url(self, name: str) -> str:
        return f"{self.client.url}/{self._user}/{name}.flist"


def exists(name: str, hub: str) -> UsageError:
    """The error that there is such a flist, which the user did not allow to be replaced."""
    return UsageError(
        f"{name}.flist is on {hub} already", "Replace it with --replace, or use --name NAME."
    )


def _changed(path: Path) -> HubError:
    return HubError(f"{path} changed while it was sent", "Check it, and upload it again.")


def _form(boundary: str, temporary: str, sha256: str) -> tuple[bytes, bytes]:
    """What is before and behind the archive in the body of an upload."""
    fields = {"metadata-sha256": sha256, "metadata-tool": "zwizard"}
    begin = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    head = "".join(f'{begin}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    head += f'{begin}file"; filename="{temporary}{names.EXTENSION}"\r\n'
    head += "Content-Type: application/gzip\r\n\r\n"
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def _differences(found: Comparison) -> str:
    named = (
        f"{one.path} ({one.what}: {one.archive or 'nothing'}, {one.flist or 'nothing'} on the hub)"
        for one in found.first[:_NAMED]
    )
    return f"the hub made another flist: {found.count} differences: {'; '.join(named)}"
