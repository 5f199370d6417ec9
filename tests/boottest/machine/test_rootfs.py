"""The tree or disk that is booted: never the artefact itself."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import tarfile
from pathlib import Path

import pytest

from zwizard.boottest import records
from zwizard.boottest.machine import rootfs
from zwizard.boottest.results import NotUpError
from zwizard.util.errors import ZwizardError


def packed(path: Path, *members: tuple[str, bytes, int]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, mode in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, mode
            archive.addfile(member)
    return path


def test_an_archive_is_unpacked_with_its_modes_and_unchanged(tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "a.tar.gz",
        ("./etc", tarfile.DIRTYPE, 0o755),
        ("./etc/shadow", tarfile.REGTYPE, 0o640),
    )
    before = records.digest(archive)
    root = rootfs.unpack(archive, tmp_path)
    assert stat.S_IMODE((root / "etc/shadow").stat().st_mode) == 0o640
    assert records.digest(archive) == before


def test_a_truncated_archive_or_another_file_is_reported(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.tar.gz", ("./etc", tarfile.DIRTYPE, 0o755)).read_bytes()
    for data, expected in (
        (whole[:-9], "cannot be unpacked"),
        (gzip.compress(b"not a tar" * 100), "does not look like a tar archive"),
    ):
        archive = tmp_path / "b.tar.gz"
        archive.write_bytes(data)
        with pytest.raises(ZwizardError, match=expected):
            rootfs.unpack(archive, _fresh(tmp_path))


def test_a_member_cannot_leave_the_tree(tmp_path: Path) -> None:
    link = tarfile.TarInfo("./out")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    inside = tarfile.TarInfo("./out/hit")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(link)
        archive.addfile(inside)
    with contextlib.suppress(ZwizardError):  # tar may refuse it
        rootfs.unpack(tmp_path / "a.tar.gz", _fresh(tmp_path))
    assert not (tmp_path / "hit").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes need root")
def test_special_files_bits_and_host_keys_are_removed_as_on_a_node(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc/ssh").mkdir(parents=True)
    (root / "etc/ssh/ssh_host_rsa_key").touch()
    (root / "etc/ssh/sshd_config").touch()
    (root / "su").touch()
    (root / "su").chmod(0o4755)
    os.mkfifo(root / "fifo")
    os.mknod(root / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    rootfs.mount_as_flist(root)
    assert sorted(path.name for path in root.iterdir()) == ["etc", "su"]
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o755
    assert [path.name for path in (root / "etc/ssh").iterdir()] == ["sshd_config"]


class TestADisk:
    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        path = tmp_path / "image.raw"
        path.write_bytes(b"GPT" + bytes(4093))
        path.chmod(0o400)
        return path

    def test_is_a_copy_of_the_rented_size(self, image: Path, tmp_path: Path) -> None:
        rootfs.write_disk(image, tmp_path / "disk", 1 << 20, ours=False)
        assert (tmp_path / "disk").stat().st_size == 1 << 20
        assert (tmp_path / "disk").read_bytes()[:3] == b"GPT"
        assert image.stat().st_size == 4096

    def test_a_disk_of_the_images_size_is_accepted(self, image: Path, tmp_path: Path) -> None:
        rootfs.write_disk(image, tmp_path / "disk", 4096, ours=False)
        assert (tmp_path / "disk").stat().st_size == 4096

    def test_a_smaller_disk_is_refused_with_zero_os_message(
        self, image: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(NotUpError, match="image size is bigger than disk") as refused:
            rootfs.write_disk(image, tmp_path / "disk", 4095, ours=False)
        assert "--disk-size" in refused.value.evidence
        assert not (tmp_path / "disk").exists()

    def test_is_the_unpacked_image_itself_if_that_is_temporary(
        self, image: Path, tmp_path: Path
    ) -> None:
        rootfs.write_disk(image, tmp_path / "disk", 8192, ours=True)
        assert not image.exists()
        assert (tmp_path / "disk").stat().st_size == 8192


def _fresh(tmp_path: Path) -> Path:
    work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
    work.mkdir()
    return work
