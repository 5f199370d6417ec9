"""Files that are not images, and hostile ones: reported in time, without a traceback."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from tests.support import disks
from tests.support.command import Run
from tests.support.faults import Fault, both, cut, link, write
from tests.support.limits import bounds
from tests.support.trees import packed, tarred, vm_tree
from zwizard.checks import Outcome, check
from zwizard.engine.repair import remedy
from zwizard.image import UnreadableError

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "image")


QCOW2 = b"QFI\xfb\x00\x00\x00\x03" + bytes(1 << 16)


@pytest.mark.parametrize(
    ("name", "data", "code", "text"),
    [
        ("a.tar.gz", b"no archive\n", 2, "is a text file, not a directory"),
        ("a.tar.gz", b"", 2, "is an empty file"),
        ("a.tar.gz", lzma.compress(b"x" * 999), 2, "is an xz file, not a directory"),
        ("a.tar.gz", gzip.compress(b"no tar\n" * 999), 3, "the compressed data is a text file"),
        ("image.raw", QCOW2, 3, "it is a qcow2 disk image"),
        ("image.raw", b"", 3, "it is an empty file"),
        ("image.raw", gzip.compress(bytes(9999)), 3, "it is a gzip file"),
    ],
    ids=["text", "empty", "xz", "no-tar", "qcow2", "empty-image", "gzip"],
)
def test_another_file_type_is_named(
    run: Run, tmp_path: Path, name: str, data: bytes, code: int, text: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found, out, err = run("check", path)
    assert text in out + err
    assert found == code


def test_a_qcow2_in_an_archive_is_recognised(run: Run, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/image.raw").write_bytes(QCOW2)
    path = packed(tmp_path / "image", tmp_path / "a.tar.gz")
    code, text, _ = run("check", path, "--disk-size", "5GiB")
    assert "it is a qcow2 disk image" in text
    assert code == 3


def test_a_truncated_archive_is_reported(run: Run, root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    cut(0.7)(path)
    code, text, _ = run("check", path, "--mode", "vm")
    assert "truncated" in text
    assert code == 3


@pytest.mark.slow
def test_a_bomb_is_reported_and_not_unpacked(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    member = tarfile.TarInfo("etc/zeros")
    member.size = 1 << 40
    with path.open("wb") as file:
        file.write(gzip.compress(member.tobuf()))
        zeros = gzip.compress(bytes(64 << 20), 9)
        for _ in range(160):
            file.write(zeros)
    code, text, _ = run("check", path, "--mode", "container")
    assert "it unpacks to more than 8 GiB" in text
    assert code == 3


@contextmanager
def as_nobody() -> Iterator[None]:
    """What is within is done by a user who may do nothing."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    for path in place.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(place)


def test_unreadable_files_are_reported(public: Path) -> None:
    tree = vm_tree(public / "image")
    for directory in (public / "closed", tree / "etc/closed"):
        directory.mkdir()
        directory.chmod(0)
    (tree / "boot/vmlinuz").resolve().chmod(0)
    path = packed(tree, public / "a.tar.gz")
    path.chmod(0)
    with as_nobody():
        with pytest.raises(UnreadableError, match=r"a\.tar\.gz cannot be read: Permission denied"):
            check(path)
        closed = check(public / "closed", mode="vm")
        report = check(tree, mode="vm")
    assert "Permission denied" in closed.finding("archive-readable").evidence
    assert not closed.ready
    for slug, path_in_image in (("archive-readable", "/etc/closed"), ("kernel-elf", "/boot/vml")):
        finding = report.finding(slug)
        assert finding.outcome is Outcome.UNKNOWN
        assert path_in_image in finding.evidence
        assert finding.fix
    assert not report.ready


def test_an_archive_that_changes_while_it_is_read_is_reported(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")

    def append(done: int, of: int) -> None:
        with path.open("ab") as file:
            file.write(b"\0")

    with pytest.raises(UnreadableError, match="changed while it was checked"):
        check(path, mode="vm", progress=append)


def test_a_disk_image_that_changes_while_it_is_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(bytes(1 << 20))
    judge = check.__globals__["judge"]

    def meanwhile(*args: object, **options: object) -> object:
        path.write_bytes(bytes(1 << 19))
        return judge(*args, **options)

    monkeypatch.setitem(check.__globals__, "judge", meanwhile)
    with pytest.raises(UnreadableError, match="changed while it was checked"):
        check(path)


def test_files_removed_while_a_directory_is_read_are_unknown(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = check.__globals__["judge"]

    def meanwhile(*args: object, **options: object) -> object:
        shutil.rmtree(root)
        return judge(*args, **options)

    monkeypatch.setitem(check.__globals__, "judge", meanwhile)
    report = check(root, mode="vm")
    assert not report.ready
    assert report.finding("kernel-elf").outcome is Outcome.UNKNOWN
    assert "No such file or directory" in report.finding("kernel-elf").evidence


# --- made to do harm ----------------------------------------------------------------------------

MIB = 1 << 20


def many(line: bytes, size: int = MIB) -> bytes:
    return line * (size // len(line))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("etc/environment", many(b"\n")),
        ("etc/environment", many(b"export ")),
        ("etc/apt/apt.conf.d/own", many(b"\n")),
        ("etc/netplan/own.yaml", many(b"\n")),
        ("etc/netplan/own.yaml", b"macaddress" + many(b" ", MIB - 10)),
        ("etc/network/interfaces", b"hwaddress" + many(b"\t", MIB - 9)),
        ("etc/cloud/ds-identify.cfg", many(b"\n")),
        ("etc/cloud/cloud.cfg.d/99.cfg", b"system_info:" + many(b" renderers:[", MIB - 20)),
        ("etc/cloud/cloud.cfg.d/99.cfg", b"system_info:\n renderers:" + many(b"\n ", MIB - 30)),
        ("etc/cloud/cloud.cfg.d/99.cfg", many(b"datasource_list:\n")),
        ("etc/ssh/sshd_config.d/own.conf", b"Include " + b"?" * (MIB - 9)),
        ("etc/ssh/sshd_config", b"Include " + b"[" * (MIB - 9)),
        ("etc/ssh/sshd_config", many(b"Include " + b"[" * 250 + b"\n")),
        ("etc/ssh/sshd_config.d/own.conf", b"AllowUsers" + many(b" a*", MIB - 10)),
        ("etc/ssh/sshd_config.d/own.conf", many(b"Include own.conf\n", 60000)),
        ("etc/fstab", many(b"/dev/a / x\n")),
        ("etc/pacman.conf", many(b"\n")),
        ("etc/tmpfiles.d/own.conf", many(b"z " + b" " * 100 + b"\n")),
        ("etc/apt/preferences", many(b"Package: a* b* c*\nPin-Priority: -1\n\n")),
        ("var/lib/dpkg/status",
         many(b"Package: linux-image-1\nStatus: install ok installed\n\n", 16 * MIB)),
    ],
)  # fmt: skip
def test_settings_made_to_be_slow_are_checked_in_time(root: Path, name: str, data: bytes) -> None:
    write(name, data)(root)
    with bounds():
        report = check(root, mode="vm")
    for finding in report.findings:
        assert not (finding.blocks and report.ready)


@pytest.mark.slow
def test_endless_settings_are_not_all_read(root: Path) -> None:
    for number in range(40):
        write(f"etc/tmpfiles.d/{number}.conf", bytes(MIB))(root)
    finding = check(root, mode="vm").finding("setuid-files")
    assert finding.outcome is Outcome.UNKNOWN
    assert "have more than 32 MiB" in finding.evidence


def test_an_archive_is_read_again_only_a_few_times(root: Path, tmp_path: Path) -> None:
    """Links from where settings are to files that nobody would expect to be read."""
    breaks: list[Fault] = []
    for number in range(40):
        breaks += [write(f"var/own/{number}", b"x"),
                   link(f"etc/profile.d/{number}.sh", f"/var/own/{number}")]  # fmt: skip
    (root / "etc/profile.d").mkdir()
    both(*breaks)(root)
    report = check(packed(root, tmp_path / "a.tar.gz"), mode="vm")
    finding = report.finding("no-secrets")
    assert finding.outcome is Outcome.UNKNOWN
    assert "too many files of the archive" in finding.evidence


@pytest.fixture(scope="module")
def hostile_disk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, str]], Path]:
    disks.need_tools()

    def made(files: dict[str, str]) -> Path:
        place = tmp_path_factory.mktemp("disk")
        tree = disks.image_tree(place / "tree")
        for name, text in files.items():
            (tree / name).write_text(text)
        return disks.disk(place / "image.raw", tree)

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "slug", "evidence"),
    [
        ("etc/default/grub", 'GRUB_A="xx"\n' + 'GRUB_A="$GRUB_A$GRUB_A"\n' * 99, "grub-timeout",
         "doubles GRUB_A repeatedly"),
        ("boot/grub/grub.cfg", "\tlinux\t/boot/x root=UUID=1 console=ttyS0\n" * 9999,
         "grub-cmdline", "more than 1000 lines that start Linux"),
        ("boot/grub/grub.cfg", 'if [ "${recordfail}" = 1 ]\n' * 30000, "grub-timeout", ""),
        ("boot/grub/grub.cfg", "\n" * MIB, "grub-kernel", "no grub.cfg that loads a kernel"),
        ("etc/fstab", f"UUID={disks.ESP_SERIAL[:4]}-{disks.ESP_SERIAL[4:]} /a vfat x 0 0\n" * 999,
         "fstab", ""),
    ],
)  # fmt: skip
def test_a_disk_made_to_be_slow_is_checked_in_time(
    hostile_disk: Callable[[dict[str, str]], Path], name: str, text: str, slug: str, evidence: str
) -> None:
    path = hostile_disk({name: text})
    with bounds():
        finding = check(path, disk_size=5 << 30).finding(slug)
    assert evidence in finding.evidence
    assert evidence == "" or finding.outcome is Outcome.UNKNOWN


@pytest.mark.slow
def test_an_endless_initramfs_is_refused(root: Path) -> None:
    initrd = (root / "boot/initrd.img").resolve()
    initrd.write_bytes(gzip.compress(bytes(32 << 20), 1) * 40)
    with bounds():
        finding = check(root, mode="vm").finding("initrd-readable")
    assert finding.outcome is Outcome.UNKNOWN
    assert "unpacks to more than 768 MiB" in finding.evidence


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.tar", bytes),
        ("a.tar.xz", lzma.compress),
        ("a.tar.zst", zstandard.compress),
        ("a.tar.bz2", bz2.compress),
        ("a.tar.gz", lzma.compress),  # whatever its name says
    ],
)
def test_an_archive_that_a_build_takes_is_checked_and_only_its_compression_is_wrong(
    name: str, pack: Callable[[bytes], bytes], root: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(tarred(root)))
    report = check(path, mode="vm")
    assert [finding.slug for finding in report.findings if finding.blocks] == ["archive-name"]
    assert "not compressed with gzip" in report.finding("archive-name").evidence
    assert "a.tar.gz becomes a.flist" in report.finding("archive-name-survives").evidence
    found = remedy(report, path)
    assert [finding.slug for finding, _ in found.fixed] == ["archive-name"]
    assert found.archive == tmp_path / "a-repaired.tar.gz"


def test_an_archive_cut_short_is_reported_in_any_compression(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(tarred(root)))
    cut(0.9)(path)
    assert check(path, mode="vm").finding("archive-readable").blocks
