"""Carry out the faults that a test chose: in the exchange, in what is said, in what is made."""

from __future__ import annotations

import copy
import json
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.hub.answers import TEXT, Answer, Connection, as_json, error, page, success
from tests.hub.faults import Call, Claim, Content, Exchange, Fault
from tests.hub.flist import Kind, Node, Tree, make_flist
from tests.hub.hub import Hub
from tests.hub.upload import BrokenOffError, receive

_PAGES = {
    Exchange.HTML: 200,
    Exchange.TOO_LARGE: 413,
    Exchange.TOO_MANY: 429,
    Exchange.FULL: 500,
    Exchange.BAD_GATEWAY: 502,
    Exchange.UNAVAILABLE: 503,
    Exchange.GATEWAY_TIMEOUT: 504,
}
_ERRORS = {
    Exchange.HOSTILE: ("\x1b]0;title\x07\x1b[2J\x1b[31mred \u202egnp\r\nline", 500),
    Exchange.DENIED: ("invalid signature", 401),
    Exchange.READONLY: ("readonly mode", 400),
    Exchange.MISSING: ("source not found", 404),
}
_MALLORY = "mallory.3bot"


def serve(handler: Connection, hub: Hub, fault: Fault, answer: Callable[[], Answer]) -> None:
    """Answer a request as ``fault`` says, then close the connection."""
    if fault.at is None:
        true = answer()
    else:
        true = success()
        try:
            receive(handler.rfile, handler.headers, Path(os.devnull), fault.at, handler.arrived)
        except BrokenOffError:
            return
    handler.close_connection = True
    what = fault.what
    if what in {Exchange.CUT, Exchange.STALL}:
        half = replace(true, body=true.body[: len(true.body) // 2])
        handler.send(half, len(true.body))
    elif what in {Exchange.TRICKLE, Exchange.ENDLESS}:
        handler.send(true, 1 << 40)
    elif what == Exchange.NOISE:
        handler.wfile.write(b"\x80\x03 no web server\n")
    elif what == Exchange.RESET:
        _reset(handler.connection)
    elif what not in {Exchange.DROP, Exchange.SILENCE}:
        handler.send(_answer(handler, hub, fault, true))
    if what in {Exchange.SILENCE, Exchange.STALL}:
        hub.over.wait()
    while what == Exchange.TRICKLE and not hub.over.wait(0.05):
        handler.wfile.write(b" ")
    while what == Exchange.ENDLESS and not hub.over.is_set():
        handler.wfile.write(b" " * (1 << 16))


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(connection.detach())


def _answer(handler: Connection, hub: Hub, fault: Fault, true: Answer) -> Answer:
    """The whole answer that a request gets instead of the true one."""
    what = fault.what
    assert isinstance(what, Exchange)
    if what in _PAGES:
        return page(_PAGES[what])
    if what in _ERRORS:
        return error(*_ERRORS[what])
    if what in {Exchange.REDIRECT, Exchange.REDIRECT_SAME, Exchange.CIRCLE}:
        place = "" if what == Exchange.CIRCLE else hub.elsewhere
        status = 307 if what == Exchange.REDIRECT_SAME else 302
        return replace(page(status), location=place + handler.path)
    if what == Exchange.ECHO:
        return error(f"cannot handle {handler.headers['Authorization']}", 500)
    if what == Exchange.EMPTY:
        return replace(true, body=b"")
    if what == Exchange.GARBLED:
        return replace(true, body=true.body[: len(true.body) // 2])
    if what == Exchange.SHAPE:
        return as_json(["status", None])
    if what == Exchange.WRONG:
        return _of_another(fault.call)
    return true  # Exchange.LIE: nothing was done


def _of_another(call: Call) -> Answer:
    """A good answer to another question."""
    match call:
        case Call.ME:
            return success({"username": _MALLORY})
        case Call.LIGHT:
            line = {"name": "other.flist", "size": 1, "updated": 1, "type": "regular"}
            return as_json(line | {"md5": "0" * 32})
        case Call.METADATA:
            return as_json({"sha256": "0" * 64})
        case Call.MD5:
            return Answer(b"0" * 32 + b"\n", kind=TEXT)
        case Call.DOWNLOAD:
            return Answer(make_flist({}, {}), kind="application/octet-stream")
        case _:
            return success({"name": "other.flist"})


def claimed(answer: Answer, claim: Claim) -> Answer:
    """What is said of an upload instead of the true ``answer``."""
    document = json.loads(answer.body)
    payload = document["payload"]
    files = payload["files"]
    numbers = files.get("response", {})
    less = {
        Claim.FEWER_FILES: "regular",
        Claim.FEWER_LINKS: "symlink",
        Claim.FEWER_SPECIAL: "special",
        Claim.SMALLER: "fullsize",
    }
    if claim in less:
        numbers[less[claim]] -= 1
    elif claim == Claim.FLAT:
        payload["files"] = numbers
    elif claim == Claim.INNER_FAILURE:
        files["success"] = False
    elif claim == Claim.ONE_FAILURE:
        numbers["failure"] = 1
    elif claim == Claim.OTHER_NAME:
        payload["name"] = "other.flist"
    elif claim == Claim.NO_COUNTS:
        del payload["files"]
    elif claim == Claim.ERROR:
        document = {"status": "error", "message": "putdir failed"}
    return as_json(document)


def spoiled(tree: Tree, content: Content) -> Tree:
    """``tree`` with one difference; raises ValueError for a tree without such an entry."""
    tree = copy.deepcopy(tree)

    def last(kind: Kind, keys: int = 0) -> Node:
        """The last entry of its kind with at least so many different pieces."""
        nodes = [n for n in tree.values() if n.kind == kind and len(set(n.keys)) >= keys]
        if not nodes:
            raise ValueError(f"the archive has no {kind.name} with {keys} pieces")
        return max(nodes, key=lambda node: node.path)

    match content:
        case Content.MODE:
            last(Kind.FILE).mode ^= 0o022
        case Content.SETUID:
            last(Kind.FILE).mode ^= 0o4000
        case Content.USER:
            last(Kind.FILE).uid += 1
        case Content.GROUP:
            last(Kind.FILE).gid += 1
        case Content.MTIME:
            last(Kind.FILE).mtime += 1
        case Content.SIZE:
            last(Kind.FILE).size += 1
        case Content.KEY:
            last(Kind.FILE, 1).keys[0] = bytes(16)
        case Content.FEWER_KEYS:
            del last(Kind.FILE, 1).keys[-1]
        case Content.ORDER:
            keys = last(Kind.FILE, 2).keys
            keys[0], keys[1] = keys[1], keys[0]
        case Content.TARGET:
            last(Kind.LINK).target += b"x"
        case Content.KIND:
            node = last(Kind.LINK)
            node.kind, node.target, node.size = Kind.FILE, b"", 0
        case Content.NAME:
            node = last(Kind.FILE)
            del tree[node.path]
            node.path += b"x"
            tree[node.path] = node
        case Content.NO_FILE:
            del tree[last(Kind.FILE).path]
        case Content.NO_DIRECTORY:
            lost = last(Kind.FILE).parent + b"/"
            if lost == b"/":
                raise ValueError("the last file is in no directory")
            tree = {path: n for path, n in tree.items() if not path.startswith(lost)}
        case Content.EXTRA:
            tree[b"extra"] = Node(b"extra", Kind.FILE, 0o644)
        case Content.NO_ENTRIES:
            tree.clear()
    return tree


def damaged(flist: bytes, what: object) -> bytes:
    """What is published instead of ``flist``."""
    if what == Content.NO_FLIST:
        return json.dumps({"not": "a flist"}).encode()
    if what == Content.HALF:
        return flist[: len(flist) // 2]
    return flist
