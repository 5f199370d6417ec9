"""Flists by their URLs: what is accepted, and each way in which a download fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.command import Run, refused
from tests.support.flist_bytes import small_flist
from zwizard.hub import download
from zwizard.hub.download import check_url, local_flist
from zwizard.image import FlistTree, UnreadableError
from zwizard.util.errors import UsageError, ZwizardError


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    flist = b""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        name = self.path.strip("/")
        length, status, body = len(self.flist), 200, self.flist
        if name == "missing":
            status = 404
        elif name == "broken":
            status = 500
        elif name == "page":
            body = b"<html>not here</html>"
            length = len(body)
        elif name == "cut":
            length += 100
        elif name in {"moved", "circle", "elsewhere"}:
            status = 302
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        targets = {"moved": "/x.flist", "circle": "/circle", "elsewhere": "http://192.0.2.1/x"}
        self.send_header("Location", targets.get(name, ""))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    Handler.flist = small_flist(tmp_path / "made.flist").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.flist", "moved"])
def test_a_flist_on_a_hub_is_read_as_a_file(hub: str, name: str) -> None:
    with local_flist(f"{hub}/{name}") as path, FlistTree(path) as tree:
        assert len(list(tree.entries())) == 2
    assert not path.exists()


def test_a_path_is_left_as_it_is(tmp_path: Path) -> None:
    with local_flist(str(tmp_path / "x")) as path:
        assert path == tmp_path / "x"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "what"),
    [
        ("missing", UsageError, "there is no flist at"),
        ("broken", ZwizardError, "answered 500"),
        ("cut", ZwizardError, "could not be downloaded"),
        ("circle", ZwizardError, "from one address to the next"),
        ("elsewhere", UsageError, "is not encrypted"),
    ],
)
def test_a_download_that_fails_says_why(
    hub: str, name: str, error: type[ZwizardError], what: str
) -> None:
    with pytest.raises(error, match=what), local_flist(f"{hub}/{name}"):
        pass


@pytest.mark.slow
def test_an_error_about_a_download_names_its_url(hub: str) -> None:
    with pytest.raises(UnreadableError, match=f"{hub}/page"), local_flist(f"{hub}/page") as path:
        FlistTree(path)


def test_a_download_may_not_be_larger_than_any_flist(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 100)
    with pytest.raises(UsageError, match="has more than"), local_flist(f"{hub}/x.flist"):
        pass


def test_a_hub_that_does_not_answer_is_an_error_of_ours() -> None:
    with pytest.raises(ZwizardError, match="could not be downloaded"), local_flist(REFUSED):
        pass


REFUSED = "http://127.0.0.1:9/x.flist"


@pytest.mark.parametrize(
    "url",
    ["https://hub.example.org/a/b.flist", "http://127.0.0.1:5555/x", "http://[::1]:1/x",
     "http://localhost/x"],
)  # fmt: skip
def test_https_and_this_machine_are_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://hub.example.org/x", "http://127.0.0.1.example.org/x", "https://me:secret@hub/x",
     "https://", "https://[x/", "https://hub:port/x"],
)  # fmt: skip
def test_other_urls_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(UsageError) as error:
        check_url(url)
    assert "secret" not in error.value.message


@pytest.mark.slow
def test_check_and_verify_take_a_url(run: Run, hub: str, tmp_path: Path) -> None:
    code, out, _ = run("check", f"{hub}/x.flist")
    assert (code, out.splitlines()[0]) == (3, f"{hub}/x.flist: a container")
    refused(run("check", f"{hub}/page"), f"{hub}/page is")
    refused(run("verify", tmp_path / "none", f"{hub}/x.flist"), "none cannot be read")
