"""A download from a hostile network: tried again, ended or refused, and never a wrong file."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.http_server import Server
from zwizard.steps import programs

DATA = os.urandom(200_000)
PAUSES = ["2", "4", "8", "16"]


@pytest.fixture
def server(server: Server) -> Server:
    server.files["file"] = DATA
    return server


class Fetched:
    """What a download printed, the pauses that it would have made, and the file."""

    def __init__(self, url: str, tmp_path: Path, limit: int = 2**20, wanted: str = "") -> None:
        self.file = tmp_path / "file"
        pause = 'sleep() { echo "pause $1"; }'
        line = f'wanted={wanted}; get "$1" "$2" "$3" || fail "$?: $why"'
        script = f"{programs.script('fetch.sh')}\n{pause}\n{line}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script, "fetch", url, self.file, str(limit)],
            env={"PATH": os.environ["PATH"], "STALLED": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.status, self.output, self.errors = done.returncode, done.stdout, done.stderr
        self.pauses = re.findall(r"^pause (.*)$", self.output, re.MULTILINE)

    @property
    def why(self) -> str:
        return self.errors.splitlines()[-1]

    def is_whole(self) -> bool:
        return self.status == 0 and self.file.read_bytes() == DATA


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_has_no_time_is_asked_again_later(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.faults = [status, status]
    fetched = Fetched(server.url("file"), tmp_path)
    assert fetched.is_whole()
    assert f"the server answers {status}; trying again in 2 s (2 of 5)" in fetched.output
    assert fetched.pauses == PAUSES[:2]


@pytest.mark.slow
def test_it_is_asked_five_times(server: Server, tmp_path: Path) -> None:
    server.faults = [503] * 9
    fetched = Fetched(server.url("file"), tmp_path)
    assert (fetched.why, fetched.pauses) == ("1: the server answers 503", PAUSES)
    assert len(server.asked) == 5


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_said_at_once(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.faults = [status]
    fetched = Fetched(server.url("file"), tmp_path)
    assert fetched.why == f"4: the server answers {status}: there is no such file"
    assert not fetched.pauses


@pytest.mark.slow
def test_a_refused_connection_is_tried_again(server: Server, tmp_path: Path) -> None:
    fetched = Fetched("http://127.0.0.1:9/file", tmp_path)
    assert "127.0.0.1 port 9" in fetched.why
    assert fetched.pauses == PAUSES


@pytest.mark.slow
def test_a_stalled_download_is_named_and_tried_again(server: Server, tmp_path: Path) -> None:
    server.faults = ["stall"]
    fetched = Fetched(server.url("file"), tmp_path)
    assert fetched.is_whole()
    assert "stalled: Operation too slow" in fetched.output


@pytest.mark.parametrize("where", ["ftp://127.0.0.1/file", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_is_not_followed(
    server: Server, tmp_path: Path, where: str
) -> None:
    server.faults = [where]
    fetched = Fetched(server.url("file"), tmp_path)
    assert fetched.why.startswith("1: it leads to another scheme, which is not followed")
    assert not fetched.pauses
    assert not fetched.file.exists()


def test_what_is_no_web_server_is_said_to_be_none(server: Server, tmp_path: Path) -> None:
    server.faults = ["noise"]
    assert Fetched(server.url("file"), tmp_path).why.startswith("1: what answers is no web server")


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    server.faults = [server.url("file")]
    assert Fetched(server.url("moved"), tmp_path).is_whole()


@pytest.fixture
def encrypted(server: Server, tmp_path: Path) -> Server:
    """The same, with a certificate that nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


@pytest.mark.slow
def test_a_wrong_certificate_is_said_at_once(encrypted: Server, tmp_path: Path) -> None:
    fetched = Fetched(encrypted.url("file").replace("http", "https"), tmp_path)
    assert "certificate" in fetched.why
    assert not fetched.pauses


@pytest.mark.parametrize("fault", [[], ["endless"]])
def test_a_file_larger_than_may_be_taken_is_refused_at_once(
    server: Server, tmp_path: Path, fault: list[int | str]
) -> None:
    server.faults = fault
    fetched = Fetched(server.url("file"), tmp_path, limit=100_000)
    assert fetched.why == "1: larger than 100000 bytes, the most that is taken here"
    assert not fetched.pauses
    assert not fetched.file.exists()


@pytest.mark.slow
def test_a_cut_file_is_continued_if_the_server_says_that_it_is_the_same(
    server: Server, tmp_path: Path
) -> None:
    server.cuts, server.etag = 2, '"one"'
    assert Fetched(server.url("file"), tmp_path).is_whole()
    assert [asked.split()[1:] for asked in server.asked] == [
        [],
        ["bytes=100000-"],
        ["bytes=150000-"],
    ]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_cut_file_that_may_be_another_now_begins_anew(
    server: Server, tmp_path: Path, etag: str
) -> None:
    server.cuts, server.etag = 1, etag
    assert Fetched(server.url("file"), tmp_path).is_whole()
    assert not any("bytes=" in asked for asked in server.asked)


def test_a_part_of_another_file_is_not_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1000))
    (tmp_path / "file.head").write_text('ETag: "another"\r\n')
    server.etag = '"one"'
    assert Fetched(server.url("file"), tmp_path).is_whole()


def test_its_speed_is_shown_in_bytes_and_its_time_left_only_if_known(
    server: Server, tmp_path: Path
) -> None:
    server.files["short"] = bytes(15)
    server.faults = ["trickle"]
    fetched = Fetched(server.url("short"), tmp_path)
    assert fetched.status == 0
    shown = re.findall(
        r"(\d+)B downloaded, (\d+)B/s, (.*?) +(?:\r|$)", fetched.errors, re.MULTILINE
    )
    assert shown[-1][0] == "15"
    assert all(int(speed) < 30 for _, speed, _ in shown)
    assert all(left == "time left unknown" or left.endswith(" left") for _, _, left in shown)
