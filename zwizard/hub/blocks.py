"""The store of a flist's blocks (0-db): whether it has them, asked in Redis's protocol (RESP)."""

from __future__ import annotations

import json
import socket
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from zwizard.hub.client import HubError, LostError, Patience
from zwizard.util.text import one_line

_AT_ONCE = 1000  # questions on their way
_LINE = 64  # bytes of an answer
_SHOWN = 100


@dataclass(frozen=True)
class Store:
    """Where a flist says that its blocks are."""

    host: str
    port: int

    @classmethod
    def named_by(cls, backend: str) -> Store:
        """The one in the metadata ``backend`` of a flist; HubError if that names none."""
        try:
            match json.loads(backend):
                case {"host": str(host), "port": int(port)} if host and 0 < port < 1 << 16:
                    return cls(host, port)
        except ValueError:
            pass
        raise HubError(
            f"the flist does not say where its blocks are: {one_line(backend)[:_SHOWN]!r}",
            "Upload without --deep, or ask who runs the hub.",
        )

    def missing(self, blocks: Collection[bytes], patience: Patience) -> int:
        """How many of ``blocks`` (their ids) the store does not have.

        LostError if it does not answer each within ``patience.silence`` seconds.
        """
        try:
            with socket.create_connection((self.host, self.port), patience.connect) as connection:
                connection.settimeout(patience.silence)
                with connection.makefile("rwb") as stream:
                    count = 0
                    asked = iter(blocks)
                    while some := list(islice(asked, _AT_ONCE)):
                        stream.write(b"".join(map(_question, some)))
                        stream.flush()
                        for _ in some:
                            answer = stream.readline(_LINE).strip()
                            if answer not in {b":0", b":1"}:
                                raise ConnectionError(f"it answers {answer!r}")
                            count += answer == b":0"
        except (OSError, UnicodeError) as error:  # a name that cannot be one
            raise LostError(
                f"the store of the blocks, {one_line(self.host)[:_SHOWN]}:{self.port}, cannot be"
                f" asked: {error}",
                "Upload again later, or without --deep.",
            ) from None
        return count


def _question(block: bytes) -> bytes:
    return b"*2\r\n$6\r\nEXISTS\r\n$%d\r\n%b\r\n" % (len(block), block)
