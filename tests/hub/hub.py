"""What a test knows of its hub: where it is, what is on it, what it was asked, what goes wrong."""

from __future__ import annotations

import itertools
import sys
import threading
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from tests.hub.access import make_token
from tests.hub.faults import Call, Fault
from tests.hub.store import Store
from tests.hub.upload import Form


@dataclass
class Request:
    """A request as the hub saw it."""

    method: str
    path: str
    call: Call
    headers: Message
    body: int = 0  # bytes that were read
    form: Form = field(default_factory=Form)


class Hub:
    """A hub; a test sets its attributes and reads its ``requests``."""

    def __init__(self, directory: Path, user: str = "alice.3bot") -> None:
        self.url = self.elsewhere = ""  # of the hub and of another host, while they run
        self.user = user
        self.seed = b"the seed of this hub"  # another one for another hub
        self.token = make_token(user, self.seed)
        self.accounts: dict[str, str] = {}  # a shared account: its user
        self.readonly = False
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.strangers: list[Request] = []  # what the other host was asked
        self.read_speed = 0.0  # bytes of an upload a second; 0: as they come
        self.unpack_seconds = 0.0
        self.commit_seconds = 0.0  # for how long only half of a new flist is there
        self.receiving = threading.Event()  # set when the first bytes of an upload have arrived
        self.may_receive = threading.Event()  # cleared: no more of an upload is read
        self.may_receive.set()
        self.may_finish = threading.Event()  # cleared: no upload is unpacked
        self.may_finish.set()
        self.unpacking = threading.Event()  # set when the body of an upload has arrived
        self.blocks_port = 0  # of the store of the blocks
        self.certificate: Path | None = None  # with its key: the hub then speaks https
        self.over = threading.Event()  # set at the end: nothing waits any longer
        self.mistakes: list[BaseException] = []  # of the server itself
        self.spool = directory / "spool"
        self.store = Store(directory / "users")
        for needed in (self.spool, self.store.directory):
            needed.mkdir(parents=True, exist_ok=True)
        self.numbers = itertools.count()
        self.lock = threading.Lock()

    @property
    def uploads(self) -> list[Request]:
        return [request for request in self.requests if request.call == Call.UPLOAD]

    def names(self) -> list[str]:
        """The names of the user's flists."""
        return self.store.names(self.user)

    def flist(self, name: str) -> bytes | None:
        """The user's flist of this name."""
        path = self.store.path(self.user, name)
        return path.read_bytes() if path.is_file() else None

    def record(self, request: Request) -> Fault | None:
        """Remember ``request``; returns the fault that it meets, if any."""
        with self.lock:
            before = sum(earlier.call == request.call for earlier in self.requests)
            met = [
                fault
                for fault in self.faults
                if fault.call == request.call and fault.skip <= before < fault.skip + fault.times
            ]
            self.requests.append(request)
        return met[0] if met else None


class RememberMistakes:
    """What a server does when it fails: that a client has gone away is no mistake of its own."""

    hub: Hub

    def handle_error(self, request: object, client_address: object) -> None:
        mistake = sys.exc_info()[1]
        if mistake is not None and not isinstance(mistake, OSError):
            self.hub.mistakes.append(mistake)
