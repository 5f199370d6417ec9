"""A real build with a canary in every place: nobody but its user ever sees it."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from tests.real.workplace import Workplace
from tests.support.canaries import CANARY, GIVEN, SIGHTINGS
from tests.support.http_server import Server

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not shutil.which("busybox"), reason="busybox-static is not here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a build of another user is not watched"),
]

RUN = (
    f"export API_TOKEN={CANARY}; sleep 1",
    f"true --password {CANARY} # Authorization: Bearer {CANARY}",
    f"echo root:{CANARY} | chpasswd || true",
    *(f"true # {text}" for text in GIVEN if "\n" not in text),
)


def system() -> bytes:
    """A tar of a system with nothing but busybox."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("dev", "etc", "proc", "run", "sys", "tmp", "bin", "sbin", "usr"):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        tar.add(shutil.which("busybox") or "", "bin/busybox")
        for name in ("sh", "true", "cat", "sleep", "init"):
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
        member = tarfile.TarInfo("sbin/init")
        member.type, member.linkname = tarfile.SYMTYPE, "../bin/busybox"
        tar.addfile(member)
    return data.getvalue()


class Watch(threading.Thread):
    """Collects the arguments of all processes until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(file.read_bytes())
                except OSError:
                    continue  # it has just ended


def test_nobody_sees_a_secret_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ftp_proxy", f"http://ada:{CANARY}@proxy.example:3128")
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    name = f"system.tar?X-Amz-Signature={CANARY}"
    server.files[name] = system()
    url = server.url(name).replace("://", f"://ada:{CANARY}@")
    place = Workplace(tmp_path)
    text = f'[source]\nkind = "rootfs"\ndistro = "other"\nlocation = "{url}"\n'
    recipe = place.recipe("web", f"{text}[system]\nrun = {json.dumps(RUN)}\n", target="container")
    watch = Watch()
    watch.start()
    before = os.umask(0)
    try:
        built = place.run("build", recipe, "--json")
    finally:
        os.umask(before)
        watch.stopped.set()
        watch.join()
        server.shutdown()
        server.server_close()
    assert built.code in {0, 3}, built.output + built.errors
    bundled = place.run("bundle", "web")
    shown = [place.run(*words.split()).output for words in ("show web --json", "log web")]

    assert [words for words in watch.seen if b"bwrap" in words]
    assert [words for words in watch.seen if b"curl" in words]
    assert [words for words in watch.seen if sighted(words)] == []
    for text in (built.output, built.errors, bundled.output, *shown):
        assert not sighted(text.encode())
    home = tmp_path / "state/zwizard"
    holding = [path for path in home.rglob("*") if path.is_file() and holds(path)]
    assert [path.name for path in holding] == ["recipe.toml"], "what is built from"
    kept = [home, *home.rglob("*"), tmp_path / "cache/zwizard"]
    assert [path for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    made = (*tmp_path.glob("*.gz"), *tmp_path.glob("*.md"))
    assert len(made) == 3  # the archive, its note, the bug report
    assert [path.name for path in made if holds(path)] == []


def sighted(data: bytes) -> bool:
    """Whether the canary can be read in ``data``, in any of its forms."""
    return any(form.encode() in data for form in SIGHTINGS)


def holds(path: Path) -> bool:
    """Whether the canary is in the file, or in a file of the archive that it is."""
    if not path.name.endswith(".gz"):
        return sighted(path.read_bytes())
    with tarfile.open(path) as archive:
        files = (archive.extractfile(member) for member in archive if member.isfile())
        return any(file is not None and sighted(file.read()) for file in files)
