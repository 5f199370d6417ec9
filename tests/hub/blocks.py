"""The store of the blocks, a 0-db: whether it has a block is asked in Redis's protocol."""

from __future__ import annotations

from email.message import Message
from socketserver import StreamRequestHandler, ThreadingTCPServer

from tests.hub.faults import Call, Exchange
from tests.hub.hub import Hub, RememberMistakes, Request


class Blocks(RememberMistakes, ThreadingTCPServer):
    """The store; the real one's rule that everybody may read holds here too."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.hub = hub


class Asked(StreamRequestHandler):
    """A connection to the store."""

    server: Blocks

    def handle(self) -> None:
        hub = self.server.hub
        fault = hub.record(Request("EXISTS", "", Call.BLOCKS, Message()))
        what = fault.what if fault else None
        while command := self._command():
            if what == Exchange.SILENCE:
                hub.over.wait()
            elif what == Exchange.NOISE:
                self.wfile.write(b"HTTP/1.1 400 no store\r\n\r\n")
            if what in {Exchange.SILENCE, Exchange.NOISE, Exchange.DROP}:
                return
            self.wfile.write(self._answer(command, lost=what == Exchange.WRONG))

    def _command(self) -> list[bytes]:
        """The next command: an array of strings, each after its length; [] at the end."""
        words = []
        for _ in range(int(self.rfile.readline()[1:] or b"0")):
            length = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(length))
            self.rfile.readline()
        return words

    def _answer(self, command: list[bytes], *, lost: bool) -> bytes:
        match command:
            case [word, block] if word.upper() == b"EXISTS":
                return b":%d\r\n" % (block in self.server.hub.store.blocks and not lost)
            case [word, *_] if word.upper() in {b"PING", b"SELECT"}:
                return b"+OK\r\n"
        return b"-Command not supported\r\n"
