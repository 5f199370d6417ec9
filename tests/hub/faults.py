"""Faults of a hub that a test chooses: what goes wrong, in which call, how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Call(Enum):
    """A kind of request."""

    ME = "me"
    LISTING = "listing"
    CONTENTS = "contents"
    LIGHT = "light"
    METADATA = "metadata"
    UPLOAD = "upload"
    RENAME = "rename"
    DELETE = "delete"
    PROMOTE = "promote"
    LINK = "link"
    DOWNLOAD = "download"
    HEAD = "head"
    MD5 = "md5"
    BLOCKS = "blocks"  # a connection to the store of the blocks
    OTHER = "other"


class Exchange(Enum):
    """What happens to the exchange of a request and its answer."""

    DROP = "drop"  # closed without an answer
    RESET = "reset"
    SILENCE = "silence"  # no answer, and not closed
    CUT = "cut"  # closed after half of the answer
    STALL = "stall"  # nothing more after half of the answer, and not closed
    TRICKLE = "trickle"  # an answer without end, a byte now and then
    ENDLESS = "endless"  # an answer without end, quickly
    NOISE = "noise"  # no HTTP
    HTML = "html"  # 200, and a page instead of JSON
    EMPTY = "empty"  # 200, and nothing
    GARBLED = "garbled"  # 200, and half of the answer as if it were all
    SHAPE = "shape"  # 200, and JSON of another shape
    WRONG = "wrong"  # 200, and a true answer to another question
    LIE = "lie"  # success, and nothing was done
    ECHO = "echo"  # an error that repeats the token
    HOSTILE = "hostile"  # an error with control characters
    DENIED = "denied"  # 401 invalid signature
    READONLY = "readonly"  # 400 readonly mode
    MISSING = "missing"  # 404 source not found
    TOO_LARGE = "too-large"  # 413 of a proxy
    TOO_MANY = "too-many"  # 429
    FULL = "full"  # 500 of a full disk, HTML
    BAD_GATEWAY = "bad-gateway"  # 502
    UNAVAILABLE = "unavailable"  # 503
    GATEWAY_TIMEOUT = "gateway-timeout"  # 504
    REDIRECT = "redirect"  # 302 to another host
    REDIRECT_SAME = "redirect-same"  # 307 to another host: the same method and body
    CIRCLE = "circle"  # 302 to the same address


class Claim(Enum):
    """What the answer to an upload says, whatever was done."""

    FLAT = "flat"  # the older form without "response": no fault, and accepted
    INNER_FAILURE = "inner-failure"
    ONE_FAILURE = "one-failure"
    OTHER_NAME = "other-name"
    FEWER_FILES = "fewer-files"
    FEWER_LINKS = "fewer-links"
    FEWER_SPECIAL = "fewer-special"
    SMALLER = "smaller"
    NO_COUNTS = "no-counts"
    ERROR = "error"  # status "error" with 200


class Content(Enum):
    """In what the flist that is made differs from the archive."""

    MODE = "mode"
    SETUID = "setuid"
    USER = "user"
    GROUP = "group"
    MTIME = "mtime"
    SIZE = "size"
    KEY = "key"  # other content
    FEWER_KEYS = "fewer-keys"  # the end of a file is missing
    ORDER = "order"  # the first two pieces of a file are exchanged
    TARGET = "target"  # of a link
    KIND = "kind"
    NAME = "name"
    NO_FILE = "no-file"  # an entry is missing
    NO_DIRECTORY = "no-directory"  # a directory's listing is lost
    EXTRA = "extra"
    NO_ENTRIES = "no-entries"
    NO_FLIST = "no-flist"  # something else is published
    HALF = "half"  # half of the file is published


@dataclass(frozen=True)
class Fault:
    """A fault; a request that meets it has no effect, unless it is ``done`` or ``early``."""

    what: Exchange | Claim | Content
    call: Call = Call.UPLOAD
    times: int = 1  # requests of this call that meet it
    skip: int = 0  # requests of this call before
    done: bool = False  # the hub does what is asked, and then the fault happens
    early: bool = False  # of an upload: the fault, and then what is asked is done
    at: int | None = None  # bytes of an upload's body that the hub reads before

    def __str__(self) -> str:
        parts = [self.call.value, self.what.value]
        parts += ["done"] * self.done + ["early"] * self.early
        parts += [] if self.at is None else [f"at-{self.at}"]
        return ":".join(parts)


ALWAYS = 1 << 30  # times

CHANGING = (Call.UPLOAD, Call.RENAME, Call.DELETE)
_READING = (Call.ME, Call.LIGHT, Call.METADATA, Call.DOWNLOAD, Call.MD5)
_OF_A_BODY = {
    Exchange.CUT,
    Exchange.STALL,
    Exchange.TRICKLE,
    Exchange.ENDLESS,
    Exchange.HTML,
    Exchange.EMPTY,
    Exchange.GARBLED,
    Exchange.SHAPE,
    Exchange.ECHO,
    Exchange.HOSTILE,
}
_ONLY_SOMETIMES = {Exchange.WRONG, Exchange.LIE}
_ALWAYS_POSSIBLE = [what for what in Exchange if what not in _ONLY_SOMETIMES]

# Each fault that an upload and what is before and after it can meet.
EVERY = [
    *(Fault(what, call) for call in (*_READING, *CHANGING) for what in _ALWAYS_POSSIBLE),
    *(Fault(what, Call.HEAD) for what in _ALWAYS_POSSIBLE if what not in _OF_A_BODY),
    *(Fault(Exchange.WRONG, call) for call in _READING),
    *(Fault(Exchange.LIE, call) for call in CHANGING),
    *(Fault(what, call, done=True) for call in CHANGING for what in _ALWAYS_POSSIBLE),
    *(Fault(what, early=True) for what in (Exchange.DROP, Exchange.RESET)),
    *(Fault(what, early=True) for what in (Exchange.BAD_GATEWAY, Exchange.GATEWAY_TIMEOUT)),
    *(Fault(what, at=0) for what in (Exchange.TOO_LARGE, Exchange.REDIRECT_SAME)),
    *(Fault(what, at=1 << 16) for what in (Exchange.DROP, Exchange.RESET, Exchange.SILENCE)),
    *(Fault(what) for what in (*Claim, *Content)),
    *(Fault(what, Call.BLOCKS) for what in (Exchange.DROP, Exchange.SILENCE)),
    *(Fault(what, Call.BLOCKS) for what in (Exchange.NOISE, Exchange.WRONG)),
]
BY_NAME = {str(fault): fault for fault in EVERY}
