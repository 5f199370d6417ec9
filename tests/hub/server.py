"""The HTTP server of the hub of the tests, on loopback, with another host beside it."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer
from typing import cast
from urllib.parse import unquote, urlsplit

from tests.hub import breaking
from tests.hub.access import DeniedError, user_of
from tests.hub.answers import TEXT, Answer, Connection, as_json, error, page, success
from tests.hub.blocks import Blocks
from tests.hub.faults import Call, Claim, Content, Exchange, Fault
from tests.hub.flist import Tree, backend, make_flist
from tests.hub.hub import Hub, RememberMistakes, Request
from tests.hub.store import PROTECTED, answer_of_upload
from tests.hub.unpack import unpack
from tests.hub.upload import BrokenOffError, Form, flist_name, parse, receive, secure_name


@contextmanager
def running(hub: Hub, port: int = 0) -> Iterator[Hub]:
    """Serve in threads until the end; a mistake of the server's own is raised there."""
    here, other = (
        Server(("127.0.0.1", port), Handler, hub),
        Server(("127.0.0.2", 0), Stranger, hub),
    )
    blocks = Blocks(hub)
    scheme = "http"
    if hub.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(hub.certificate)
        here.socket = context.wrap_socket(here.socket, server_side=True)
        scheme = "https"
    hub.url = f"{scheme}://127.0.0.1:{here.server_port}"
    hub.elsewhere = f"http://127.0.0.2:{other.server_port}"
    hub.blocks_port = blocks.server_address[1]
    servers: list[BaseServer] = [here, other, blocks]
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        hub.may_finish.set()
        hub.may_receive.set()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
    for mistake in hub.mistakes:
        raise mistake


class Server(RememberMistakes, ThreadingHTTPServer):
    """A server of the hub."""

    def __init__(self, place: tuple[str, int], handler: type[Connection], hub: Hub) -> None:
        super().__init__(place, handler)
        self.hub = hub


class Handler(Connection):
    """A connection to the hub."""

    server: Server
    seen: Request
    fault: Fault | None

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path).rstrip("/")
        call, answer = self._route(path)
        self.seen = Request(self.command, self.path, call, self.headers)
        fault = self.fault = self.hub.record(self.seen)
        if fault is None or not isinstance(fault.what, Exchange):
            self.send(answer())
        elif fault.early:
            answer()
        else:
            breaking.serve(self, self.hub, fault, answer)

    do_GET = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815

    @property
    def pretend(self) -> bool:
        """Whether to answer as if it had been done, and do nothing."""
        fault = self.fault
        if fault is None or not isinstance(fault.what, Exchange):
            return False
        return not (fault.done or fault.early)

    def _route(self, path: str) -> tuple[Call, Callable[[], Answer]]:
        for methods, pattern, call, function in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in methods and ".." not in path.split("/"):
                return call, partial(function, self, *match.groups())
        return Call.OTHER, partial(page, 404)

    # --- what everybody may ask ---

    def listing(self, user: str) -> Answer:
        if not (self.hub.store.directory / user).is_dir():
            return page(404)
        return as_json(self.hub.store.listing(user))

    def contents(self, user: str, name: str) -> Answer:
        return self._if_there(user, name, lambda: as_json(self.hub.store.contents(user, name)))

    def light(self, user: str, name: str) -> Answer:
        return self._if_there(user, name, lambda: as_json(self.hub.store.light(user, name)))

    def metadata(self, user: str, name: str) -> Answer:
        return self._if_there(user, name, lambda: as_json(self.hub.store.metadata(user, name)))

    def _if_there(self, user: str, name: str, answer: Callable[[], Answer]) -> Answer:
        missing = self.hub.store.missing(user, name)
        return error(missing, 404) if missing else answer()

    def download(self, user: str, name: str) -> Answer:
        path = self.hub.store.path(user, name)
        if not path.is_file():
            return page(404)
        return Answer(path.read_bytes(), kind="application/octet-stream")

    def md5(self, user: str, name: str) -> Answer:
        if not self.hub.store.path(user, name).is_file():
            return page(404)
        return Answer(f"{self.hub.store.md5(user, name)}\n".encode(), kind=TEXT)

    # --- what only a user may do ---

    def _as_user(self, function: Callable[[str], Answer]) -> Answer:
        headers = cast("dict[str, str]", self.headers)
        try:
            user = user_of(headers, self.hub)
        except DeniedError as denied:
            self.close_connection = True  # without reading the body of an upload
            return error(denied.message, denied.status)
        self.cookie = "session=of-another-user; HttpOnly; Path=/"  # not to be sent back
        return function(user)

    def me(self) -> Answer:
        return self._as_user(lambda user: success({"username": user}))

    def my_contents(self, name: str) -> Answer:
        return self._as_user(lambda user: self.contents(user, name))

    def delete(self, name: str) -> Answer:
        return self._as_user(lambda user: self._change(self.hub.store.delete, user, name))

    def rename(self, name: str, target: str) -> Answer:
        return self._as_user(lambda user: self._change(self.hub.store.rename, user, name, target))

    def _change(self, function: Callable[..., None], user: str, name: str, *more: str) -> Answer:
        def change() -> Answer:
            if not self.pretend:
                function(user, name, *more)
            return success()

        return self._if_there(user, name, change)

    def link(self, name: str, target: str) -> Answer:
        def link(user: str) -> Answer:
            if self.hub.store.link(user, name, target):
                return success()
            return error("link destination is already a file", 401)

        return self._as_user(lambda user: self._if_there(user, name, lambda: link(user)))

    def promote(self, repository: str, source: str, name: str) -> Answer:
        def promote(user: str) -> Answer:
            self.hub.store.promote(repository, source, user, name)
            return success(
                {
                    "source": {"username": repository, "filename": flist_name(source)},
                    "destination": {"username": user, "filename": flist_name(name)},
                }
            )

        return self._as_user(
            lambda user: self._if_there(repository, source, lambda: promote(user))
        )

    # --- upload ---

    def upload(self) -> Answer:
        return self._as_user(self._upload)

    def _upload(self, user: str) -> Answer:
        body = self.hub.spool / str(next(self.hub.numbers))
        try:
            receive(self.rfile, self.headers, body, arrived=self.arrived)
            self.seen.form = parse(body, self.headers.get("Content-Type", ""))
            return self._take(user, self.seen.form, body)
        except BrokenOffError:
            self.close_connection = True
            return page(400)
        finally:
            body.unlink(missing_ok=True)

    def arrived(self, count: int) -> None:
        self.seen.body += count
        self.hub.receiving.set()
        self.hub.may_receive.wait()
        if self.hub.read_speed:
            self.hub.over.wait(count / self.hub.read_speed)

    def _take(self, user: str, form: Form, body: Path) -> Answer:
        """Make the flist of an upload, as the hub does: nothing of it is checked."""
        if form.filename is None:
            return error("no file found", 500)
        if not form.filename:
            return error("no file selected", 500)
        if not form.filename.endswith(".tar.gz"):
            return error("this file is not allowed", 500)
        name = secure_name(form.filename)
        if original := self.headers.get("X-Original-Name"):
            name = original.rpartition("/")[2]
        name = flist_name(name.removesuffix(".tar.gz"))
        now = int(time.time())
        if self.fault and self.fault.early:
            breaking.serve(self, self.hub, self.fault, success)
            with suppress(OSError):  # reset
                self.connection.shutdown(socket.SHUT_RDWR)
        self.hub.unpacking.set()
        self.hub.may_finish.wait()
        self.hub.over.wait(self.hub.unpack_seconds)
        os.truncate(body, form.start + form.size)
        with body.open("rb") as archive:
            archive.seek(form.start)
            tree = unpack(archive, now)
        answer = success({"name": name, "files": answer_of_upload(tree)})
        what = self.fault.what if self.fault else None
        if isinstance(what, Content):
            tree = breaking.spoiled(tree, what)
        if isinstance(what, Claim):
            answer = breaking.claimed(answer, what)
        flist = make_flist(tree, _metadata(form, self.hub), made=now)
        if not self.pretend:
            self._commit(user, name, breaking.damaged(flist, what), tree)
        return answer

    def _commit(self, user: str, name: str, flist: bytes, tree: Tree) -> None:
        if self.hub.commit_seconds:
            self.hub.store.publish(user, name, flist[: len(flist) // 2])
            self.hub.over.wait(self.hub.commit_seconds)
        self.hub.store.publish(user, name, flist, tree)


def _metadata(form: Form, hub: Hub) -> dict[str, str]:
    fields = [(key.removeprefix("metadata-"), key, value) for key, value in form.fields.items()]
    kept = {name: value for name, key, value in fields if name not in {key, *PROTECTED}}
    return kept | {"backend": backend("127.0.0.1", hub.blocks_port)}


class Stranger(Connection):
    """A connection to another host: it says yes to everything, and remembers it."""

    server: Server

    def _serve(self) -> None:
        self.close_connection = True
        self.server.hub.strangers.append(
            Request(self.command, self.path, Call.OTHER, self.headers)
        )
        with suppress(BrokenOffError):
            receive(self.rfile, self.headers, Path(os.devnull))
        self.send(success({"username": self.server.hub.user}))

    do_GET = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815


_NAME = "([^/]+)"
# Methods, path, kind of request, function; the first that fits answers.
ROUTES: list[tuple[tuple[str, ...], str, Call, Callable[..., Answer]]] = [
    (("GET",), "/api/flist/me", Call.ME, Handler.me),
    (("POST",), "/api/flist/me/upload", Call.UPLOAD, Handler.upload),
    (("DELETE",), f"/api/flist/me/{_NAME}", Call.DELETE, Handler.delete),
    (("GET",), f"/api/flist/me/{_NAME}", Call.CONTENTS, Handler.my_contents),
    (("GET",), f"/api/flist/me/promote/{_NAME}/{_NAME}/{_NAME}", Call.PROMOTE, Handler.promote),
    (("GET",), f"/api/flist/me/{_NAME}/rename/{_NAME}", Call.RENAME, Handler.rename),
    (("GET",), f"/api/flist/me/{_NAME}/link/{_NAME}", Call.LINK, Handler.link),
    (("GET", "HEAD"), f"/api/flist/{_NAME}", Call.LISTING, Handler.listing),
    (("GET", "HEAD"), f"/api/flist/{_NAME}/{_NAME}", Call.CONTENTS, Handler.contents),
    (("GET", "HEAD"), f"/api/flist/{_NAME}/{_NAME}/light", Call.LIGHT, Handler.light),
    (("GET", "HEAD"), f"/api/flist/{_NAME}/{_NAME}/metadata", Call.METADATA, Handler.metadata),
    (("GET", "HEAD"), rf"/{_NAME}/{_NAME}\.flist\.md5", Call.MD5, Handler.md5),
    (("HEAD",), rf"/{_NAME}/{_NAME}\.flist", Call.HEAD, Handler.download),
    (("GET",), rf"/{_NAME}/{_NAME}\.flist", Call.DOWNLOAD, Handler.download),
]
