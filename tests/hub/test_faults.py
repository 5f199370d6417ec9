"""Each fault of the tests' hub happens, and does only what it says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.hub.client import Client, wait_until
from tests.hub.faults import (
    ALWAYS,
    BY_NAME,
    CHANGING,
    EVERY,
    Call,
    Claim,
    Content,
    Exchange,
    Fault,
)
from tests.hub.hub import Hub
from tests.hub.samples import packed
from tests.hub.server import running

ALICE = "alice.3bot"
LIGHT = f"/api/flist/{ALICE}/a/light"


@pytest.fixture
def client(hub: Hub) -> Iterator[Client]:
    with Client(hub) as client:
        yield client


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(EVERY)


# --- the exchange --------------------------------------------------------------------------------

NO_ANSWER = {
    Exchange.DROP: httpx.RemoteProtocolError,
    Exchange.RESET: httpx.ReadError,
    Exchange.CUT: httpx.RemoteProtocolError,
    Exchange.NOISE: httpx.RemoteProtocolError,
}
ANSWERS = {
    Exchange.HTML: (200, "<!doctype html>"),
    Exchange.EMPTY: (200, ""),
    Exchange.GARBLED: (200, '{"name": "a.flist"'),
    Exchange.SHAPE: (200, "["),
    Exchange.WRONG: (200, '{"name": "other.flist"'),
    Exchange.ECHO: (500, '{"status": "error", "message": "cannot handle bearer '),
    Exchange.HOSTILE: (500, '{"status": "error", "message": "\\u001b]0;'),
    Exchange.DENIED: (401, '{"status": "error", "message": "invalid signature"}'),
    Exchange.READONLY: (400, '{"status": "error", "message": "readonly mode"}'),
    Exchange.MISSING: (404, '{"status": "error", "message": "source not found"}'),
    Exchange.TOO_LARGE: (413, "<!doctype html>"),
    Exchange.TOO_MANY: (429, "<!doctype html>"),
    Exchange.FULL: (500, "<!doctype html>"),
    Exchange.BAD_GATEWAY: (502, "<!doctype html>"),
    Exchange.UNAVAILABLE: (503, "<!doctype html>"),
    Exchange.GATEWAY_TIMEOUT: (504, "<!doctype html>"),
    Exchange.REDIRECT: (302, "<!doctype html>"),
    Exchange.REDIRECT_SAME: (307, "<!doctype html>"),
    Exchange.CIRCLE: (302, "<!doctype html>"),
}
WITHOUT_END = (Exchange.STALL, Exchange.TRICKLE, Exchange.ENDLESS)


def test_every_exchange_is_tested_here() -> None:
    tested = {*NO_ANSWER, *ANSWERS, *WITHOUT_END, Exchange.SILENCE, Exchange.LIE}
    assert tested == set(Exchange)


@pytest.mark.parametrize(("what", "error"), NO_ANSWER.items())
def test_an_answer_does_not_arrive(
    hub: Hub, client: Client, what: Exchange, error: type[Exception]
) -> None:
    client.upload("a.tar.gz", packed())
    hub.faults = [Fault(what, Call.LIGHT)]
    with pytest.raises(error):
        client.get(LIGHT)
    assert client.get(LIGHT).json()["name"] == "a.flist"  # only once


@pytest.mark.parametrize(("what", "answer"), ANSWERS.items())
def test_another_answer_arrives(
    hub: Hub, client: Client, what: Exchange, answer: tuple[int, str]
) -> None:
    client.upload("a.tar.gz", packed())
    true = client.get(LIGHT)
    hub.faults = [Fault(what, Call.LIGHT, skip=1)]
    found = client.get(LIGHT)
    assert (found.status_code, found.text[: len(answer[1])]) == answer
    assert found.text != true.text
    assert client.get(LIGHT).text == true.text


@pytest.mark.parametrize("what", WITHOUT_END)
def test_an_answer_does_not_end(hub: Hub, client: Client, what: Exchange) -> None:
    client.upload("a.tar.gz", packed())
    hub.faults = [Fault(what, Call.LIGHT)]
    with client.stream("GET", LIGHT) as answer:
        length = int(answer.headers["Content-Length"])
        pieces = answer.iter_raw(16)
        assert len(next(pieces)) == 16
        assert length > 100


def test_silence_lasts_until_the_client_gives_up(hub: Hub) -> None:
    hub.faults = [Fault(Exchange.SILENCE, Call.ME)]
    with Client(hub, httpx.Timeout(60, read=0.05)) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/api/flist/me")


def test_a_redirect_leads_to_another_host_that_says_yes(hub: Hub, client: Client) -> None:
    hub.faults = [Fault(Exchange.REDIRECT, Call.ME), Fault(Exchange.REDIRECT_SAME)]
    client.follow_redirects = True
    assert client.get("/api/flist/me").json()["status"] == "success"
    assert client.upload("x.tar.gz").json()["status"] == "success"
    assert [request.method for request in hub.strangers] == ["GET", "POST"]
    assert all("Authorization" not in request.headers for request in hub.strangers)
    assert hub.names() == []


def test_a_circle_of_redirects_does_not_end(hub: Hub, client: Client) -> None:
    hub.faults = [Fault(Exchange.CIRCLE, Call.ME, times=ALWAYS)]
    client.follow_redirects = True
    with pytest.raises(httpx.TooManyRedirects):
        client.get("/api/flist/me")


def test_faults_happen_to_the_requests_that_were_chosen(hub: Hub, client: Client) -> None:
    hub.faults = [
        Fault(Exchange.FULL, Call.ME, skip=1, times=2),
        Fault(Exchange.TOO_MANY, Call.ME, skip=4),
    ]
    statuses = [client.get("/api/flist/me").status_code for _ in range(6)]
    assert statuses == [200, 500, 500, 200, 429, 200]


# --- what has an effect --------------------------------------------------------------------------

REQUESTS: dict[Call, tuple[str, str, list[str]]] = {
    Call.UPLOAD: ("POST", "upload", ["a.flist", "b.flist"]),
    Call.RENAME: ("GET", "a/rename/c", ["c.flist"]),
    Call.DELETE: ("DELETE", "a", []),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "done"), [(call, done) for call in CHANGING for done in (False, True)]
)
def test_a_fault_has_an_effect_only_if_it_is_done(
    hub: Hub, client: Client, call: Call, done: bool
) -> None:
    method, path, after = REQUESTS[call]
    expected = after if done else ["a.flist"]
    url, files = f"/api/flist/me/{path}", {"file": ("b.tar.gz", packed())}
    faults = [fault for fault in EVERY if fault.call == call and isinstance(fault.what, Exchange)]
    for fault in faults:
        if fault.done is not done or fault.early or fault.at is not None:
            continue
        for name in hub.names():
            hub.store.delete(ALICE, name)
        hub.store.publish(ALICE, "a", b"a flist")
        hub.requests.clear()
        hub.faults = [fault]
        read = 0.05 if fault.what == Exchange.SILENCE else 60
        timeout = httpx.Timeout(60, read=read)
        with (
            suppress(httpx.TransportError),
            client.stream(
                method, url, files=files if call == Call.UPLOAD else None, timeout=timeout
            ),
        ):
            pass
        assert wait_until(lambda: len(hub.requests) == 1), fault  # also after a client that left
        assert wait_until(lambda: hub.names() == expected), fault


@pytest.mark.parametrize("what", [Exchange.GATEWAY_TIMEOUT, Exchange.DROP, Exchange.RESET])
def test_an_upload_can_be_unpacked_after_its_answer(
    hub: Hub, client: Client, what: Exchange
) -> None:
    hub.faults = [BY_NAME[f"upload:{what.value}:early"]]
    hub.may_finish.clear()
    if what == Exchange.GATEWAY_TIMEOUT:
        assert client.upload("a.tar.gz").status_code == 504
    else:
        with pytest.raises(httpx.TransportError):
            client.upload("a.tar.gz")
    assert hub.names() == []
    hub.may_finish.set()
    assert wait_until(lambda: hub.names() == ["a.flist"])


@pytest.mark.slow
@pytest.mark.parametrize("what", ["drop", "reset"])
def test_an_upload_can_be_cut_while_it_is_sent(hub: Hub, client: Client, what: str) -> None:
    hub.faults = [BY_NAME[f"upload:{what}:at-65536"]]
    with pytest.raises(httpx.TransportError):
        client.upload("a.tar.gz", bytes(64 << 20))
    assert hub.names() == []
    assert hub.uploads[0].body == 1 << 16


@pytest.mark.slow
def test_a_hub_can_stop_reading(hub: Hub, client: Client) -> None:
    hub.faults = [BY_NAME["upload:silence:at-65536"]]
    client.timeout = httpx.Timeout(60, write=0.05)
    with pytest.raises(httpx.WriteTimeout):
        client.upload("a.tar.gz", bytes(64 << 20))


def test_a_lie_says_that_it_was_done(hub: Hub, client: Client) -> None:
    hub.faults = [Fault(Exchange.LIE, call) for call in CHANGING]
    payload = client.upload("a.tar.gz").json()["payload"]
    assert payload["name"] == "a.flist"
    assert payload["files"]["success"]
    assert hub.names() == []
    hub.store.publish(ALICE, "a", b"")
    assert client.delete("/api/flist/me/a").json() == {"status": "success"}
    assert client.get("/api/flist/me/a/rename/b").json() == {"status": "success"}
    assert hub.names() == ["a.flist"]


# --- what is said of an upload, and what is made of it -------------------------------------------


@pytest.mark.parametrize("claim", Claim)
def test_an_upload_is_answered_with_a_claim(hub: Hub, client: Client, claim: Claim) -> None:
    true = client.upload("a.tar.gz").json()
    hub.faults = [Fault(claim, skip=1)]
    answer = client.upload("a.tar.gz")
    assert answer.status_code == 200
    assert answer.json() != true
    assert hub.names() == ["a.flist"]
    assert client.upload("a.tar.gz").json() == true


@pytest.mark.parametrize("content", Content)
def test_another_flist_is_made(hub: Hub, client: Client, content: Content) -> None:
    true = client.upload("a.tar.gz").json()
    tree, size = hub.store.trees[hub.store.md5(ALICE, "a")], len(hub.flist("a") or b"")
    hub.faults = [Fault(content, skip=1)]
    assert client.upload("a.tar.gz").json() == true
    if content in {Content.NO_FLIST, Content.HALF}:
        assert len(hub.flist("a") or b"") < size
    else:
        assert hub.store.trees[hub.store.md5(ALICE, "a")] != tree


@pytest.mark.parametrize(
    ("what", "answer"),
    [(Exchange.DROP, b""), (Exchange.NOISE, b"HTTP/1.1 400 no store\r\n\r\n"),
     (Exchange.WRONG, b":0\r\n")],
)  # fmt: skip
def test_the_store_fails(hub: Hub, client: Client, what: Exchange, answer: bytes) -> None:
    client.upload("a.tar.gz")
    hub.faults = [Fault(what, Call.BLOCKS)]
    block = next(iter(hub.store.blocks))
    with socket.create_connection(("127.0.0.1", hub.blocks_port)) as connection:
        connection.sendall(b"*2\r\n$6\r\nEXISTS\r\n$16\r\n" + block + b"\r\n")
        assert connection.recv(100) == answer


def test_the_store_is_silent(hub: Hub) -> None:
    hub.faults = [Fault(Exchange.SILENCE, Call.BLOCKS)]
    with socket.create_connection(("127.0.0.1", hub.blocks_port)) as connection:
        connection.settimeout(0.05)
        connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(100)


def test_a_mistake_of_the_server_is_raised_at_the_end(tmp_path: Path) -> None:
    served = running(Hub(tmp_path))
    hub = served.__enter__()
    hub.faults = [Fault(Content.MODE)]
    with Client(hub) as client, pytest.raises(httpx.RemoteProtocolError):
        client.upload("x.tar.gz", packed())
    with pytest.raises(ValueError, match="no FILE"):
        served.__exit__(None, None, None)
