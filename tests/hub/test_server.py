"""The hub of the tests: what it answers, what it makes of archives, what its faults do."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import httpx
import pytest

from tests.hub.hub import Hub


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **facts: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mtime = kind, 1_700_000_000
    for key, value in facts.items():
        setattr(info, key, value)
    return info


SMALL = packed(
    (entry("etc", tarfile.DIRTYPE, mode=0o755), b""),
    (entry("etc/hello", mode=0o644, uid=12345, gid=54321), b"hello\n"),
    (entry("etc/other", tarfile.LNKTYPE, linkname="etc/hello"), b""),
    (entry("link", tarfile.SYMTYPE, linkname="etc/hello"), b""),
    (entry("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
)


class Client(httpx.Client):
    """A user of the hub."""

    def __init__(self, hub: Hub) -> None:
        headers = {"Authorization": f"bearer {hub.token}"}
        super().__init__(base_url=hub.url, headers=headers, trust_env=False, timeout=10)

    def upload(self, name: str, data: bytes = SMALL, **metadata: str) -> httpx.Response:
        fields = {f"metadata-{key}": value for key, value in metadata.items()}
        files = {"file": (name, data)}
        return self.post("/api/flist/me/upload", files=files, data=fields)


@pytest.fixture
def client(hub: Hub) -> Iterator[Client]:
    with Client(hub) as client:
        yield client


def test_an_upload_is_there_with_what_was_in_it(hub: Hub, client: Client) -> None:
    answer = client.upload("my.tar.gz", sha256="abc", readme="x").json()
    files = answer["payload"]["files"]
    assert (answer["status"], answer["payload"]["name"]) == ("success", "my.flist")
    assert files["response"] == {
        "regular": 2, "symlink": 1, "directory": 8, "special": 1, "failure": 0, "fullsize": 12,
    }  # fmt: skip
    light = client.get(f"/api/flist/{hub.user}/my/light").json()
    assert client.get(f"/{hub.user}/my.flist.md5").text == light["md5"] + "\n"
    assert client.head(f"/{hub.user}/my.flist").headers["Content-Length"] == str(light["size"])
    assert client.get(f"/{hub.user}/my.flist").content == hub.flist("my")
    assert client.get(f"/api/flist/{hub.user}/my/metadata").json().keys() == {"sha256", "backend"}
