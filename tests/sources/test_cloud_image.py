"""A cloud image, fetched and converted by the function that the engine and the script share."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.http_server import Server, sum_of
from zwizard.sources import inspection
from zwizard.steps import render
from zwizard.steps.actions import Convert

pytestmark = pytest.mark.slow

MIB = 2**20
LIMIT = 64 * MIB


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk of 8 MiB with something at its beginning and its end."""
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(3 * MIB) + bytes(4 * MIB) + os.urandom(MIB))
    return path


@pytest.fixture
def qcow2(raw: Path, tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path], check=True)
    return path


def convert(tmp_path: Path, location: str | Path, sha256: str = "", limit: int = LIMIT) -> str:
    """Run it; what it says if it fails, else ""."""
    action = Convert(str(location), sha256, limit)
    script = (
        f"sleep() {{ :; }}\n{render.functions(action)}\n{action.shell()}"  # no pauses in tests
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "OUT": str(tmp_path / "image.raw"),
            "DOWNLOADS": str(tmp_path / "downloads"),
        },
        capture_output=True,
        text=True,
    )
    return "" if done.returncode == 0 else done.stderr.splitlines()[-1]


def test_a_file_becomes_the_raw_disk_and_holes_stay_holes(
    qcow2: Path, raw: Path, tmp_path: Path
) -> None:
    assert convert(tmp_path, qcow2, sum_of(qcow2)) == ""
    made = tmp_path / "image.raw"
    assert made.read_bytes() == raw.read_bytes()
    assert made.stat().st_blocks * 512 < 5 * MIB


def test_a_raw_one_is_taken_too_whatever_it_is_called(raw: Path, tmp_path: Path) -> None:
    named = raw.rename(tmp_path / "disk.qcow2")
    assert convert(tmp_path, named) == ""
    assert (tmp_path / "image.raw").stat().st_size == 8 * MIB


def test_a_file_with_another_checksum_is_refused(qcow2: Path, tmp_path: Path) -> None:
    said = convert(tmp_path, qcow2, "0" * 64)
    assert said == f"{qcow2} does not have the SHA-256 {'0' * 64}"
    assert not (tmp_path / "image.raw").exists()


def test_one_that_is_too_large_for_the_rented_disk_is_refused(qcow2: Path, tmp_path: Path) -> None:
    said = convert(tmp_path, qcow2, limit=7 * MIB)
    assert said.startswith(f"its disk has {8 * MIB} bytes, more than the rented disk")
    assert "image size is bigger than disk" in said
    assert not (tmp_path / "image.raw").exists()


def test_one_with_a_backing_file_is_refused(qcow2: Path, tmp_path: Path) -> None:
    above = tmp_path / "above.qcow2"
    create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", qcow2, above)
    subprocess.run(create, check=True)
    said = convert(tmp_path, above)
    assert said.startswith(f"{above} needs its backing file {qcow2}")


def test_one_that_was_cut_is_refused(qcow2: Path, tmp_path: Path) -> None:
    """Else what is not there would become zeros in some of its files."""
    cut = tmp_path / "cut.qcow2"
    cut.write_bytes(qcow2.read_bytes()[: -MIB // 2])
    assert convert(tmp_path, cut) == (f"{cut} is damaged or incomplete: download it again")
    assert not (tmp_path / "image.raw").exists()


def test_a_compressed_one_is_whole(qcow2: Path, raw: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", qcow2, packed], check=True)
    assert convert(tmp_path, packed) == ""
    assert (tmp_path / "image.raw").read_bytes() == raw.read_bytes()


def test_another_format_is_named(raw: Path, tmp_path: Path) -> None:
    other = tmp_path / "disk.vmdk"
    subprocess.run(["qemu-img", "convert", "-O", "vmdk", raw, other], check=True)
    assert convert(tmp_path, other) == f"{other} is a vmdk image; only qcow2 and raw are supported"


def test_a_file_that_is_no_cloud_image_is_reported_at_its_question(
    raw: Path, qcow2: Path, tmp_path: Path
) -> None:
    assert inspection.inspect("cloud-image", qcow2).summary == "a qcow2 disk image of 8.0 MiB"
    assert inspection.inspect("cloud-image", raw).wrong == ""
    above, other, text = (tmp_path / name for name in ("above.qcow2", "disk.vmdk", "text"))
    create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", qcow2, above)
    subprocess.run(create, check=True)
    subprocess.run(["qemu-img", "convert", "-O", "vmdk", raw, other], check=True)
    text.write_text("not found\n")
    for file, said in (
        (above, "it needs another image, its backing file"),
        (other, "it is a vmdk disk image: convert it first"),
        (text, "it is a text file; a cloud image is qcow2 or raw"),
        (tmp_path, "a directory"),
    ):
        assert inspection.inspect("cloud-image", file).wrong.startswith(said)


def test_a_download_is_verified_with_the_sum_of_the_recipe(
    server: Server, qcow2: Path, raw: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = qcow2.read_bytes()
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2).upper()) == ""
    assert (tmp_path / "image.raw").read_bytes() == raw.read_bytes()
    asked = len(server.asked)
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2)) == ""
    assert len(server.asked) == asked, "what was fetched once is fetched again"


def test_a_wrong_sum_is_reported_and_the_download_deleted(
    server: Server, qcow2: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = qcow2.read_bytes()
    said = convert(tmp_path, server.url("disk.img"), "0" * 64)
    assert said.startswith(f"{server.url('disk.img')} does not have the checksum 000")
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_list_of_sums_beside_it_is_used(
    server: Server, qcow2: Path, tmp_path: Path, algorithm: str
) -> None:
    data = qcow2.read_bytes()
    sums = f"{'1' * 64} *other.img\n{hashlib.new(algorithm, data).hexdigest()} *disk.img\n"
    server.files |= {"disk.img": data, f"{algorithm.upper()}SUMS": sums.encode()}
    assert convert(tmp_path, server.url("disk.img")) == ""
    server.files["disk.img"] = bytes(100)
    (tmp_path / "downloads").rename(tmp_path / "gone")
    assert "does not have the checksum" in convert(tmp_path, server.url("disk.img"))


def test_a_connection_that_breaks_off_is_gone_on_with(
    server: Server, qcow2: Path, raw: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = qcow2.read_bytes()
    server.cuts = 2
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2)) == ""
    assert (tmp_path / "image.raw").read_bytes() == raw.read_bytes()
    began = [asked.partition("bytes=")[2] for asked in server.asked if "disk.img" in asked]
    assert began[0] in {"", "0-"}
    assert all(int(start.rstrip("-")) > 0 for start in began[1:])


def test_the_next_build_continues_an_interrupted_download(
    server: Server, qcow2: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = qcow2.read_bytes()
    server.cuts = 99
    said = convert(tmp_path, server.url("disk.img"), sum_of(qcow2))
    assert "remaining to read" in said
    server.cuts = 0
    server.asked.clear()
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2)) == ""
    assert "bytes=" in server.asked[0]


def test_a_part_of_an_older_file_is_not_mixed_with_the_new_one(
    server: Server, qcow2: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = os.urandom(qcow2.stat().st_size)
    server.cuts = 99
    convert(tmp_path, server.url("disk.img"), sum_of(qcow2))
    server.files["disk.img"], server.cuts = qcow2.read_bytes(), 0
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2)) == ""


def test_a_server_that_cannot_go_on_in_the_middle_is_asked_from_the_start(
    server: Server, qcow2: Path, tmp_path: Path
) -> None:
    server.files["disk.img"] = qcow2.read_bytes()
    server.cuts, server.ranges = 1, False
    assert convert(tmp_path, server.url("disk.img"), sum_of(qcow2)) == ""


def test_a_missing_url_is_reported_at_once(server: Server, tmp_path: Path) -> None:
    url = server.url("missing.img")
    assert convert(tmp_path, url, "0" * 64).startswith(f"{url}: the server answers 404")
    assert len(server.asked) == 1
