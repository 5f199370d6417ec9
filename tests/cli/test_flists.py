"""The commands on flists: verify, and check of a flist."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hub.hub import Hub
from tests.image.flist.test_compare import D, F, made, packed
from tests.support.command import Run, refused
from tests.support.flist_bytes import ACL, permissions, small_flist


def test_verify_ends_with_0_for_an_equal_flist_and_with_1_for_another(
    run: Run, tmp_path: Path
) -> None:
    archive, flist = packed(tmp_path / "x.tar.gz", D, F), small_flist(tmp_path / "x.flist")
    assert run("verify", archive, flist)[:2] == (0, "Equal: 2 entries, 1 blocks\n")
    other = packed(tmp_path / "y.tar.gz", D, made("f", b"y"))
    code, out, _ = run("verify", other, flist)
    assert code == 1
    assert out.splitlines()[1].startswith("  /f  content: block 1 of 1 has the key")


def test_verify_names_the_first_differences_and_counts_all(run: Run, tmp_path: Path) -> None:
    more = [made(f"more{number:02}") for number in range(30)]
    archive, flist = packed(tmp_path / "x.tar.gz", D, F, *more), small_flist(tmp_path / "x.flist")
    lines = run("verify", archive, flist)[1].splitlines()
    assert (len(lines), lines[-1]) == (22, "  and 10 more")
    code, out, _ = run("verify", archive, flist, "--json")
    result = json.loads(out)
    assert (code, result["equal"], result["count"]) == (1, False, 30)
    assert result["differences"][0] == {
        "path": "/more00", "what": "entry", "archive": "file", "flist": "missing",
    }  # fmt: skip
    assert set(result) >= {"schema", "archive", "sha256", "flist", "entries", "blocks"}


def test_verify_refuses_what_it_cannot_read(run: Run, tmp_path: Path) -> None:
    archive, flist = packed(tmp_path / "x.tar.gz", D, F), small_flist(tmp_path / "x.flist")
    refused(run("verify", archive, archive), "flistdb.sqlite3 is missing")
    refused(run("verify", tmp_path / "none", flist), "none cannot be read")
    refused(run("verify", archive, tmp_path), "is no regular file")
    os.mkfifo(tmp_path / "fifo")  # nobody writes to it
    refused(run("verify", archive, tmp_path / "fifo"), "fifo is no regular file")
    refused(run("verify", tmp_path / "fifo", flist), "fifo is no regular file")
    refused(run("check", ""), "PATH is missing")


def test_check_of_a_flist_ends_with_3(run: Run, tmp_path: Path) -> None:
    flist = small_flist(tmp_path / "x.flist", **{ACL.decode(): permissions(0o755)})
    options = ("--mode", "container", "--entrypoint", "/f", "--json")
    code, out, _ = run("check", flist, *options)
    assert code == 3
    assert any(finding.get("no_contents") for finding in json.loads(out)["findings"])


def test_repair_and_boot_refuse_a_flist(run: Run, tmp_path: Path) -> None:
    flist = small_flist(tmp_path / "x.flist")
    for command in ("repair", "boot"):
        refused(run(command, flist), "is a flist, which has no contents")


@pytest.mark.slow
def test_upload_ends_with_the_flist_and_its_checksum(
    run: Run, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZWIZARD_HUB_TOKEN", hub.token)
    archive = packed(tmp_path / "web.tar.gz", D, F)
    command = ("upload", archive, "--hub", hub.url, "--json")
    code, out, err = run(*command)
    assert (code, out) == (3, "")
    assert "--force" in err
    code, out, _ = run(*command, "--force")
    last = json.loads(out.splitlines()[-1])
    assert (code, last["event"], last["url"]) == (0, "uploaded", f"{hub.url}/{hub.user}/web.flist")
    assert last["md5"] == hub.store.md5(hub.user, "web")
    (tmp_path / "other").mkdir()
    other = packed(tmp_path / "other/web.tar.gz", D)
    result = run("upload", other, "--hub", hub.url, "--json", "--force")
    refused(result, "web.flist is on", "--replace")


def test_upload_refuses_before_anything_is_sent(
    run: Run, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = packed(tmp_path / "web.tar.gz", D, F)
    for name in ("ZWIZARD_HUB_TOKEN", "ZFLIST_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    refused(run("upload", archive, "--hub", hub.url), "there is no token", f"{hub.url}/token")
    refused(run("upload", archive, "--hub", "http://hub.example"), "not encrypted")
    refused(run("upload", tmp_path / "none.tar.gz"), "does not exist")
    refused(run("upload", tmp_path), "no .tar.gz")
    refused(run("upload", archive, "--name", "a b"), "name of a flist", "--name")
    assert not hub.requests


def test_deploy_prints_the_note_one_form_or_json(run: Run, tmp_path: Path) -> None:
    archive = packed(tmp_path / "web.tar.gz", D, F)
    code, out, _ = run("deploy", archive, "--mode", "vm")
    assert code == 0
    assert out.startswith("# Deploying web\n")
    assert run("deploy", archive, "--mode", "vm", "--for", "tfcmd")[1].startswith("tfcmd deploy")
    note = json.loads(run("deploy", archive, "--json", "--mode", "image")[1])
    assert (note["kind"], note["entrypoint"], note["flist"]) == ("image", "/", "")
    assert run("deploy", tmp_path / "none.tar.gz")[0] == 2
