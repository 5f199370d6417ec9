"""The answers of the tests' hub, one after the other as the real one gives them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hub.access import make_token
from tests.hub.client import Client, wait_until
from tests.hub.hub import Hub
from tests.hub.samples import SAMPLE, packed
from tests.hub.server import running
from tests.hub.unpack import counts
from tests.support.certificates import self_signed

ALICE = "alice.3bot"


@pytest.fixture
def client(hub: Hub) -> Iterator[Client]:
    with Client(hub) as client:
        yield client


def message(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


# --- upload --------------------------------------------------------------------------------------


def test_an_upload_is_there_with_what_was_in_it(hub: Hub, client: Client) -> None:
    answer = client.upload("my.tar.gz", sha256="abc", readme="x").json()
    files = answer["payload"]["files"]
    assert (answer["status"], answer["payload"]["name"]) == ("success", "my.flist")
    light = client.get(f"/api/flist/{ALICE}/my/light").json()
    right = counts(hub.store.trees[light["md5"]])
    assert (files["success"], files["response"]) == (True, {**right, "directory": 17})
    assert client.get(f"/api/flist/{ALICE}/my").json().items() > right.items()
    assert client.get(f"/{ALICE}/my.flist.md5").text == light["md5"] + "\n"
    assert client.head(f"/{ALICE}/my.flist").headers["Content-Length"] == str(light["size"])
    assert client.get(f"/{ALICE}/my.flist").content == hub.flist("my")
    assert client.get(f"/api/flist/{ALICE}/my/metadata").json().keys() == {"sha256", "backend"}
    [request] = hub.uploads
    assert (request.form.filename, request.form.size) == ("my.tar.gz", len(SAMPLE))


def test_only_fields_named_so_are_metadata(client: Client) -> None:
    fields = {"metadata-a": "1", "x-metadata-b": "2", "c": "3", "metadata-volume": "4"}
    client.post("/api/flist/me/upload", files={"file": ("x.tar.gz", b"")}, data=fields)
    found = client.get(f"/api/flist/{ALICE}/x/metadata").json()
    assert found.keys() == {"a", "backend"}


def test_an_upload_in_chunks_is_accepted(hub: Hub, client: Client) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.tar.gz"\r\n\r\n'
    body = [form, SAMPLE[:1000], SAMPLE[1000:], b"\r\n--b--\r\n"]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/api/flist/me/upload", content=iter(body), headers=headers)
    assert answer.json()["payload"]["files"]["success"]
    assert hub.uploads[0].form.size == len(SAMPLE)


def test_the_second_upload_of_a_name_replaces_the_first(hub: Hub, client: Client) -> None:
    client.upload("x.tar.gz")
    first = hub.flist("x")
    client.upload("x.tar.gz", packed())
    assert hub.names() == ["x.flist"]
    assert hub.flist("x") != first


@pytest.mark.parametrize(
    "archive", [b"a text file\n", b"", packed()], ids=["text", "nothing", "tar"]
)
def test_of_garbage_the_hub_says_success_and_makes_an_empty_flist(
    hub: Hub, client: Client, archive: bytes
) -> None:
    answer = client.upload("x.tar.gz", archive)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")
    files = answer.json()["payload"]["files"]
    assert files["success"] is False
    assert files["error"]["function"] == "putdir"
    assert hub.names() == ["x.flist"]


def test_of_a_truncated_archive_only_the_counts_are_smaller(client: Client) -> None:
    whole = client.upload("x.tar.gz").json()["payload"]["files"]
    cut = client.upload("x.tar.gz", SAMPLE[:-1200]).json()["payload"]["files"]
    assert cut["success"]
    assert cut["response"]["failure"] == 0
    assert cut["response"]["fullsize"] < whole["response"]["fullsize"]


@pytest.mark.parametrize(
    ("name", "flist"),
    [
        ("my image (1).tar.gz", "my_image_1.flist"),
        ("ubuntu:jammy.tar.gz", "ubuntujammy.flist"),
        ("a+b~c.tar.gz", "abc.flist"),
        (".hidden.tar.gz", "hidden.flist"),
        (".tar.gz", "tar.gz.flist"),
        ("образ.tar.gz", "tar.gz.flist"),
        ("é.tar.gz", "e.flist"),
        ("../../etc/x.tar.gz", "etc_x.flist"),
        ("x.flist.tar.gz", "x.flist"),
    ],
)
def test_the_hub_makes_another_name_of_it(client: Client, name: str, flist: str) -> None:
    assert client.upload(name, packed()).json()["payload"]["name"] == flist


def test_a_name_in_a_header_is_taken_as_it_is(hub: Hub, client: Client) -> None:
    client.headers["X-Original-Name"] = "a/my img+1.tar.gz"
    client.upload("x.tar.gz", packed())
    assert hub.names() == ["my img+1.flist"]


@pytest.mark.parametrize("name", ["x.tgz", "x.TAR.GZ", "x.tar.xz", "x"])
def test_other_endings_are_refused(hub: Hub, client: Client, name: str) -> None:
    assert message(client.upload(name)) == (500, "this file is not allowed")
    assert hub.names() == []


def test_an_upload_without_a_file_is_refused(client: Client) -> None:
    upload = "/api/flist/me/upload"
    other = {"other": ("x.tar.gz", b"")}
    assert message(client.post(upload, files=other)) == (500, "no file found")
    assert message(client.post(upload, data={"file": "x"})) == (500, "no file found")
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post(upload, content=form, headers=headers)
    assert message(answer) == (500, "no file selected")


def test_an_upload_that_breaks_off_makes_nothing(hub: Hub) -> None:
    head = f"POST /api/flist/me/upload HTTP/1.1\r\nAuthorization: bearer {hub.token}\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(hub.url).port or 0)) as connection:
        connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
    assert hub.names() == []
    assert list(hub.spool.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("slow", [False, True])
def test_an_upload_can_be_stopped_on_its_way(hub: Hub, client: Client, slow: bool) -> None:
    if slow:
        hub.read_speed = 1
    else:
        hub.may_receive.clear()
    client.timeout = httpx.Timeout(60, write=0.05)
    with pytest.raises(httpx.WriteTimeout):
        client.upload("x.tar.gz", bytes(64 << 20))
    assert hub.receiving.wait(60)
    assert not hub.unpacking.is_set()
    assert 0 < hub.uploads[0].body < 1 << 20


def test_a_flist_can_be_seen_before_it_is_whole(hub: Hub, client: Client) -> None:
    hub.commit_seconds = 60
    client.timeout = httpx.Timeout(60, read=0.05)
    with pytest.raises(httpx.ReadTimeout):
        client.upload("x.tar.gz", packed())
    assert wait_until(lambda: hub.flist("x") is not None)
    half = len(hub.flist("x") or b"")
    hub.over.set()
    assert wait_until(lambda: len(hub.flist("x") or b"") > half)


# --- who -----------------------------------------------------------------------------------------


def test_a_token_is_of_its_user(hub: Hub, client: Client) -> None:
    me = {"status": "success", "payload": {"username": ALICE}}
    assert client.get("/api/flist/me").json() == me
    assert client.cookies.get("session")  # as Flask; a user should not send it back
    client.headers["Authorization"] = f"BEARER {hub.token}"
    assert client.get("/api/flist/me").json() == me


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("", (401, "no authorization provided")),
        ("token x", (400, "invalid authorization header")),
        ("bearer x.y.z", (403, "invalid token")),
        ("bearer x", (401, "invalid signature")),
        ("bearer " + make_token(ALICE, b"another hub"), (401, "invalid signature")),
    ],
)
def test_another_token_is_refused(client: Client, header: str, answer: tuple[int, str]) -> None:
    client.headers["Authorization"] = header
    for path in ("/api/flist/me", "/api/flist/me/x", "/api/flist/me/x/rename/y"):
        assert message(client.get(path)) == answer


def test_with_a_bad_token_the_body_of_an_upload_is_not_read(hub: Hub) -> None:
    head = b"POST /api/flist/me/upload HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(hub.url).port or 0)) as connection:
        connection.sendall(head)
        connection.settimeout(60)
        with connection.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 401 ")  # to the end: it is closed
    assert hub.uploads[0].body == 0


def test_a_mirror_refuses_everything_but_reading(hub: Hub, client: Client) -> None:
    client.upload("x.tar.gz", packed())
    hub.readonly = True
    assert message(client.get("/api/flist/me")) == (400, "readonly mode")
    assert message(client.delete("/api/flist/me/x")) == (400, "readonly mode")
    assert client.get(f"/{ALICE}/x.flist").status_code == 200


def test_a_cookie_picks_a_shared_account(hub: Hub, client: Client) -> None:
    hub.accounts = {"official": ALICE, "other": "bob.3bot"}
    for account, user in [("official", "official"), ("other", ALICE), ("none", ALICE)]:
        answer = client.get("/api/flist/me", headers={"Cookie": f"active-user={account}"})
        assert answer.json()["payload"]["username"] == user


# --- what is there -------------------------------------------------------------------------------


def test_what_is_not_there_is_said_to_be_missing(client: Client) -> None:
    assert message(client.get(f"/api/flist/{ALICE}/x/light")) == (404, "user not found")
    assert message(client.get("/api/flist/me/x/rename/y")) == (404, "user not found")
    client.upload("y.tar.gz", packed())
    for answer in (
        client.get(f"/api/flist/{ALICE}/x"),
        client.get(f"/api/flist/{ALICE}/x/light"),
        client.get(f"/api/flist/{ALICE}/x/metadata"),
        client.get("/api/flist/me/x/rename/y"),
        client.get("/api/flist/me/x/link/z"),
        client.get(f"/api/flist/me/promote/{ALICE}/x/y"),
        client.delete("/api/flist/me/x"),
    ):
        assert message(answer) == (404, "source not found")
    assert message(client.get("/api/flist/me/y/light")) == (404, "user not found")  # "me" is none


@pytest.mark.parametrize(
    "path",
    [
        "/api/flist/nobody",
        f"/{ALICE}/x.flist",
        f"/{ALICE}/x.flist.md5",
        "/nothing",
        "/a/../b.flist",
    ],
)
def test_elsewhere_what_is_missing_is_a_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_flists_are_renamed_linked_copied_and_deleted(hub: Hub, client: Client) -> None:
    client.upload("a.tar.gz", packed())
    client.upload("b.tar.gz")
    a, b = hub.flist("a"), hub.flist("b")
    linked = client.get("/api/flist/me/a/link/c")
    assert linked.json() == {"status": "success"}
    assert hub.flist("c") == a
    answer = client.get("/api/flist/me/a/link/b")
    assert message(answer) == (401, "link destination is already a file")
    client.get("/api/flist/me/b/rename/c")  # onto the link
    assert (hub.flist("a"), hub.flist("c"), hub.names()) == (a, b, ["a.flist", "c.flist"])
    client.get("/api/flist/me/c/rename/a")  # onto a file
    assert (hub.flist("a"), hub.names()) == (b, ["a.flist"])
    client.get(f"/api/flist/me/promote/{ALICE}/a/d")
    assert hub.flist("d") == b
    client.delete("/api/flist/me/a.flist")
    assert hub.names() == ["d.flist"]


def test_flists_and_links_are_listed(client: Client) -> None:
    client.upload("a.tar.gz", packed())
    client.get("/api/flist/me/a/link/b")
    listed = client.get(f"/api/flist/{ALICE}").json()
    assert [(line["name"], line["type"]) for line in listed] == [
        ("a.flist", "regular"),
        ("b.flist", "symlink"),
    ]
    assert client.get(f"/api/flist/{ALICE}/b/light").json()["target"] == "a.flist"


def test_names_that_are_not_utf8_have_no_path_in_the_list(client: Client) -> None:
    client.upload("x.tar.gz")
    content = client.get(f"/api/flist/{ALICE}/x").json()["content"]
    assert len(content) == 15
    assert sum("path" not in line for line in content) == 1


def test_a_link_leads_elsewhere_afterwards_and_an_upload_replaces_it(
    hub: Hub, client: Client
) -> None:
    client.upload("a.tar.gz", packed())
    client.upload("b.tar.gz")
    a, b = hub.flist("a"), hub.flist("b")
    for name in ("a", "b"):
        client.get(f"/api/flist/me/{name}/link/c")
        assert hub.flist("c") == hub.flist(name)
    client.upload("c.tar.gz", b"garbage")
    assert (hub.flist("a"), hub.flist("b")) == (a, b)
    assert client.get(f"/api/flist/{ALICE}/c/light").json()["type"] == "regular"


# --- its store, its certificate, by hand ---------------------------------------------------------


def test_the_store_knows_the_blocks_of_what_was_uploaded(hub: Hub, client: Client) -> None:
    client.upload("x.tar.gz")
    known, unknown = next(iter(hub.store.blocks)), bytes(16)
    with socket.create_connection(("127.0.0.1", hub.blocks_port)) as connection:
        for block in (known, unknown):
            connection.sendall(b"*2\r\n$6\r\nEXISTS\r\n$16\r\n" + block + b"\r\n")
        connection.sendall(b"*1\r\n$3\r\nGET\r\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers:
            assert answers.read() == b":1\r\n:0\r\n-Command not supported\r\n"


@pytest.mark.slow
def test_a_hub_with_a_certificate_speaks_https(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.certificate = self_signed(tmp_path)
    with running(hub), Client(hub) as client:
        assert hub.url.startswith("https://")
        assert client.get("/api/flist/me").status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(hub.url, trust_env=False, timeout=60)


@pytest.mark.slow
def test_it_can_be_started_by_hand(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "tests.hub",
        "--directory",
        str(tmp_path),
        "--fault",
        "light:full",
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(3)]
        facts = dict(lines)
        headers = {"Authorization": f"bearer {Path(facts['token:']).read_text().strip()}"}
        with httpx.Client(
            base_url=facts["hub:"], headers=headers, trust_env=False, timeout=60
        ) as client:
            assert client.get("/api/flist/me").json()["payload"]["username"] == facts["user:"]
            assert client.get("/api/flist/x/y/light").status_code == 500
        process.terminate()
    assert process.returncode == 0
