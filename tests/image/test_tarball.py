"""Archives: read once, verified, and indexed as tar would unpack them."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.trees import archive, member, packed, tarred, vm_tree
from zwizard.image import Keep, TarballTree, UnreadableError, open_tree
from zwizard.image import tarball as tarball_module
from zwizard.image import tree_index as index_module
from zwizard.image.archive import gzip_stream
from zwizard.image.tree import EntryType


class Opener(Protocol):
    def __call__(self, path: Path, keep: Keep | None = None) -> TarballTree: ...


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Views that are closed when the test ends."""
    with contextlib.ExitStack() as views:

        def open_one(path: Path, keep: Keep | None = None) -> TarballTree:
            return views.enter_context(TarballTree(path, keep=keep or Keep()))

        yield open_one


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "root")


# The archive itself


def test_a_complete_archive_has_no_fault(opened: Opener, root: Path, tmp_path: Path) -> None:
    tree = opened(packed(root, tmp_path / "a.tar.gz"))
    assert tree.fault == ""
    assert tree.members == 1 + len(list(tree.entries()))
    assert not tree.unsafe
    assert not tree.named
    assert not tree.duplicates


def test_padding_and_several_gzip_members_are_whole(
    opened: Opener, root: Path, tmp_path: Path
) -> None:
    data = tarred(root)
    parts = [gzip.compress(data[i : i + 5000]) for i in range(0, len(data), 5000)]
    path = written(tmp_path / "a.tar.gz", b"".join(parts) + bytes(3000))
    assert opened(path).fault == ""


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, -1, -4, -8])
def test_an_archive_truncated_anywhere_is_reported(
    opened: Opener, root: Path, tmp_path: Path, kept: float
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    data = path.read_bytes()
    size = int(kept) if kept < 0 else int(len(data) * kept)
    tree = opened(written(path, data[:size]))
    assert tree.fault.startswith("truncated: the compressed data ends at byte")
    assert not tree.bounded


@pytest.mark.parametrize("place", [-8, -1])
def test_a_wrong_checksum_or_length_is_reported(
    opened: Opener, root: Path, tmp_path: Path, place: int
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    assert "compressed data is damaged" in opened(written(path, bytes(data))).fault


@pytest.mark.parametrize("junk", [b"x", bytes(700) + b"x", b"\x1f", b"\x1f\x8b", b"PK\x03\x04"])
def test_data_after_the_compressed_data_is_reported(
    opened: Opener, root: Path, tmp_path: Path, junk: bytes
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    assert opened(written(path, path.read_bytes() + junk)).fault


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda data: data.rstrip(b"\x00"), "truncated"),
        (lambda data: data[: len(data.rstrip(b"\x00")) // 512 * 512 + 512], "without its end"),
        (lambda data: data[: len(data.rstrip(b"\x00")) // 512 * 512 + 1024], "not whole"),
        (lambda data: data + b"x", "other data follows the end of the tar archive"),
        (lambda data: data + data, "other data follows the end of the tar archive"),
        (lambda data: data[:512] + b"x" + data[513:], "header at unpacked byte 512 is damaged"),
        (lambda data: b"hello world\n" * 90, "is a text file, not a tar archive"),
        (lambda data: b"\x7fELF" + bytes(2000), "is an ELF program, not a tar archive"),
        (lambda data: b"", "without its end marker"),
        (lambda data: b"x" * 100, "without its end marker"),
    ],
)
def test_a_broken_tar_in_valid_gzip_is_reported(
    opened: Opener, root: Path, tmp_path: Path, change: Callable[[bytes], bytes], fault: str
) -> None:
    path = written(tmp_path / "a.tar.gz", gzip.compress(change(tarred(root))))
    assert fault in opened(path).fault


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (lzma.compress(b"x"), "an xz file"),
        (b"", "an empty file"),
        (b"QFI\xfb\x00\x00\x00\x03", "a qcow2 disk image"),
        (b"hello\n", "a text file"),
        (bytes(512) + b"EFI PART" + bytes(500), "a raw disk image (GPT)"),
        (random.Random(1).randbytes(5000), "a file of an unknown kind"),
    ],
)
def test_another_file_type_named_tar_gz_is_recognised(
    tmp_path: Path, data: bytes, named: str
) -> None:
    path = written(tmp_path / "a.tar.gz", data)
    with pytest.raises(UnreadableError) as caught:
        open_tree(path)
    assert f"is {named}, not" in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_an_uncompressed_tar_is_recognised(root: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.tar.gz", tarred(root))
    with open_tree(path) as tree:
        assert isinstance(tree, TarballTree)
        assert not tree.gzipped
        assert tree.resolve("/etc/hosts").file is not None


def test_a_file_that_changes_while_it_is_read_is_reported(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")

    def touch(done: int, total: int) -> None:
        os.utime(path, (1, 1))

    with TarballTree(path, progress=touch) as tree:
        assert tree.fault == "it changed while it was read"


def test_progress_is_reported_in_bytes_of_the_archive(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    seen: list[tuple[int, int]] = []
    open_tree(path, progress=lambda done, total: seen.append((done, total))).close()
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_nothing_stays_open_when_reading_is_given_up(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    before = sorted(Path("/proc/self/fd").iterdir())

    def give_up(done: int, total: int) -> None:
        raise UnreadableError("enough", "")

    with pytest.raises(UnreadableError) as error:  # which holds what it went through
        TarballTree(path, progress=give_up)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert error.value.message == "enough"


# What tar would unpack


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_targets_are_read(opened: Opener, tmp_path: Path, form: int) -> None:
    root = tmp_path / "root"
    deep = root / ("d" * 90) / ("e" * 90) / ("ü" * 60)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"here")
    (deep / "link").symlink_to("t" * 300)
    tree = opened(written(tmp_path / "a.tar.gz", gzip.compress(tarred(root, form))))
    assert tree.fault == ""
    inside = "/" + str(deep.relative_to(root))
    assert tree.read(f"{inside}/file", 10) == b"here"
    link = tree.lstat(f"{inside}/link")
    assert link is not None
    assert link.target == "t" * 300


def test_an_ustar_prefix_is_part_of_the_name(opened: Opener, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / ("d" * 90)).mkdir(parents=True)
    (root / ("d" * 90) / ("f" * 90)).write_bytes(b"x")
    data = gzip.compress(tarred(root, tarfile.USTAR_FORMAT))
    tree = opened(written(tmp_path / "a.tar.gz", data))
    assert tree.lstat(f"/{'d' * 90}/{'f' * 90}") is not None


def test_large_owners_in_base_256_are_read(opened: Opener, tmp_path: Path) -> None:
    info = member("file")
    info.uid = 4_000_000_000
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as made:
        made.addfile(info)
    tree = opened(written(tmp_path / "a.tar.gz", gzip.compress(out.getvalue())))
    entry = tree.lstat("/file")
    assert entry is not None
    assert entry.uid == 4_000_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "option",
    [
        "--format=gnu",
        "--format=posix --sparse-version=0.0",
        "--format=posix --sparse-version=0.1",
        "--format=posix --sparse-version=1.0",
    ],
)
@pytest.mark.parametrize("holes", [1, 30])
def test_sparse_files_read_unchanged(
    opened: Opener, tmp_path: Path, option: str, holes: int
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with (root / "sparse").open("wb") as file:
        for number in range(holes):
            file.seek(number * (1 << 20))
            file.write(b"%05d" % number * 2000)
        file.truncate(holes * (1 << 20) + 12345)
    (root / "zz").write_bytes(b"behind")
    path = tmp_path / "a.tar.gz"
    argv = [
        "tar",
        "-C",
        str(root),
        *option.split(),
        "--hole-detection=raw",
        "-Sczf",
        str(path),
        ".",
    ]
    subprocess.run(argv, check=True)
    tree = opened(path)
    assert tree.fault == ""
    assert tree.read("/sparse", 1 << 30) == (root / "sparse").read_bytes()
    assert tree.read("/zz", 10) == b"behind"


def test_a_hard_link_is_the_same_file(opened: Opener, tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar.gz",
        (member("./one"), b"contents"),
        member("./two", tarfile.LNKTYPE, "./one"),
    )
    tree = opened(path)
    assert tree.read("/two", 100) == b"contents"
    assert not tree.unsafe


def test_a_later_member_replaces_an_earlier_one_and_is_counted(
    opened: Opener, tmp_path: Path
) -> None:
    path = archive(tmp_path / "a.tar.gz", (member("x"), b"old"), (member("./x"), b"newer"))
    tree = opened(path)
    assert tree.read("/x", 100) == b"newer"
    assert str(tree.duplicates) == "/x"


def test_implied_directories_exist(opened: Opener, tmp_path: Path) -> None:
    tree = opened(archive(tmp_path / "a.tar.gz", (member("usr/bin/app"), b"x")))
    assert [entry.path for entry in tree.entries()] == ["/usr", "/usr/bin", "/usr/bin/app"]


@pytest.mark.parametrize(
    ("members", "evidence"),
    [
        ([member("/etc/passwd")], "/etc/passwd is absolute"),
        ([member("../etc/passwd")], "../etc/passwd climbs out with .."),
        ([member("a/../../b")], "a/../../b climbs out with .."),
        ([member("x", tarfile.LNKTYPE, "gone")], "x is a hard link to gone, which is missing"),
        (
            [member("x", tarfile.LNKTYPE, "../../etc/passwd")],
            "x is a hard link out of the archive, ../../etc/passwd",
        ),
        (
            [member("x", tarfile.LNKTYPE, "/etc/passwd")],
            "x is a hard link out of the archive, /etc/passwd",
        ),
        (
            [member("l", tarfile.SYMTYPE, "/etc"), member("l/passwd")],
            "l/passwd lies beneath /l, a link",
        ),
        (
            [member("l", tarfile.SYMTYPE, "/etc"), member("l/a/b/passwd")],
            "l/a/b/passwd lies beneath /l, a link",
        ),
        ([member("f"), member("f/passwd")], "f/passwd lies beneath /f, a file"),
        (
            [member("d", tarfile.DIRTYPE), member("d", tarfile.SYMTYPE, "/etc")],
            "/d is first a directory, then a link",
        ),
        ([member("d/f"), member("d", tarfile.SYMTYPE, "x")], "/d is first a directory"),
    ],
)
def test_members_that_would_land_elsewhere_are_reported(
    opened: Opener, tmp_path: Path, members: list[tarfile.TarInfo], evidence: str
) -> None:
    tree = opened(archive(tmp_path / "a.tar.gz", *members))
    assert evidence in str(tree.unsafe)
    assert tree.fault == ""


def test_many_examples_are_counted_not_kept(opened: Opener, tmp_path: Path) -> None:
    tree = opened(archive(tmp_path / "a.tar.gz", *(member(f"/{n}") for n in range(100))))
    assert tree.unsafe.count == 100
    assert str(tree.unsafe).endswith("and 95 more")


def test_owners_by_name_are_reported(opened: Opener, tmp_path: Path) -> None:
    info = member("x")
    info.uname, info.gname = "www-data", "staff"
    tree = opened(archive(tmp_path / "a.tar.gz", info, member("y")))
    assert tree.named == 1
    assert str(tree.owners) == "www-data:staff"


def test_devices_and_fifos_are_distinguished(opened: Opener, tmp_path: Path) -> None:
    kinds = {
        "c": (tarfile.CHRTYPE, EntryType.CHARACTER),
        "b": (tarfile.BLKTYPE, EntryType.BLOCK),
        "f": (tarfile.FIFOTYPE, EntryType.FIFO),
    }
    members = [member(name, stored) for name, (stored, _) in kinds.items()]
    tree = opened(archive(tmp_path / "a.tar.gz", *members))
    assert {e.name: e.kind for e in tree.entries()} == {n: k for n, (_, k) in kinds.items()}


# Contents


def test_kept_contents_are_read_without_another_pass(
    opened: Opener, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    tree = opened(path, Keep(["/etc/*", "/lib/modules/*/modules.dep"]))
    path.unlink()
    assert tree.read("/etc/hosts", 9) == b"127.0.0.1"
    assert tree.read("/lib/modules/6.1.0-50-cloud-amd64/modules.dep", 6) == b"kernel"
    with pytest.raises(UnreadableError, match=r"a\.tar\.gz cannot be read"):
        tree.read("/boot/vmlinuz", 9)


def test_contents_that_were_not_kept_are_fetched(
    opened: Opener, root: Path, tmp_path: Path
) -> None:
    tree = opened(packed(root, tmp_path / "a.tar.gz"))
    assert tree.read("/boot/vmlinuz", 4) == b"\x7fELF"
    assert tree.read("/boot/vmlinuz", 1 << 20) == (root / "boot/vmlinuz").read_bytes()


def test_contents_that_are_announced_are_fetched_in_one_pass(
    opened: Opener, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarball_module, "_PASSES", 1)
    tree = opened(packed(root, tmp_path / "a.tar.gz"))
    tree.prepare([e for e in (tree.node("/etc/hosts"), tree.node("/etc/passwd")) if e])
    assert tree.read("/etc/hosts", 9) == b"127.0.0.1"
    assert tree.read("/etc/passwd", 4) == b"root"
    with pytest.raises(UnreadableError, match="too many files"):
        tree.read("/etc/shadow", 9)


def test_an_archive_replaced_meanwhile_is_not_read_further(
    opened: Opener, root: Path, tmp_path: Path
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    tree = opened(path)
    (root / "etc/hosts").write_bytes(b"other")
    packed(root, path)
    with pytest.raises(UnreadableError, match="the archive changed while it was checked"):
        tree.read("/etc/hosts", 9)


def test_contents_in_a_truncated_part_are_unreadable(
    opened: Opener, root: Path, tmp_path: Path
) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    data = gzip.decompress(path.read_bytes())
    place = data.index(b"127.0.0.1")
    tree = opened(written(path, gzip.compress(data[: place + 5])))
    assert "truncated inside" in tree.fault
    with pytest.raises(UnreadableError, match="/etc/hosts cannot be read: truncated"):
        tree.read("/etc/hosts", 9)


@pytest.mark.parametrize(
    ("pattern", "path", "kept"),
    [
        ("/boot/vmlinu*", "/boot/vmlinuz-6.1", True),
        ("/boot/vmlinu*", "/boot/vmlinuz/deeper", False),
        ("/boot/vmlinu*", "/x/boot/vmlinuz", False),
        ("/lib/modules/*/config", "/usr/lib/modules/6.1/config", True),
        ("/usr/lib/x", "/lib/x", True),
        ("/etc/a.b", "/etc/axb", False),
    ],
)
def test_patterns_match_within_one_component(pattern: str, path: str, kept: bool) -> None:
    assert Keep([pattern])(path) is kept


# Hostile archives


@pytest.mark.slow
def test_a_bomb_is_not_unpacked_to_the_end(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzip_stream, "BOMB_BYTES", 8 << 20)
    info = member("zeros")
    tree = opened(archive(tmp_path / "a.tar.gz", (info, bytes(64 << 20))))
    assert tree.bounded
    assert "over 200 times what it takes packed" in tree.fault
    with pytest.raises(UnreadableError, match="was not read"):
        tree.read("/zeros", 1)


@pytest.mark.slow
def test_a_disk_image_of_zeros_is_not_a_bomb(opened: Opener, tmp_path: Path) -> None:
    tree = opened(archive(tmp_path / "a.tar.gz", (member("image.raw"), bytes(64 << 20))))
    assert tree.fault == ""


def test_too_many_members_are_not_indexed(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "INDEX_BYTES", 10_000)
    tree = opened(archive(tmp_path / "a.tar.gz", *(member(str(n)) for n in range(100))))
    assert tree.bounded
    assert tree.fault == "it has more than 24 members"


def test_a_path_of_endless_depth_is_refused(opened: Opener, tmp_path: Path) -> None:
    path = "/".join(["d"] * 400_000)
    tree = opened(archive(tmp_path / "a.tar.gz", member(path)))
    assert "has a longer name or target than any system takes" in str(tree.unsafe)


def test_an_endless_name_is_refused(opened: Opener, tmp_path: Path) -> None:
    tree = opened(archive(tmp_path / "a.tar.gz", member("n" * (2 << 20))))
    assert "a member's name or attributes take" in tree.fault


def test_a_gzip_file_of_empty_gzip_files_is_refused(opened: Opener, tmp_path: Path) -> None:
    tree = opened(written(tmp_path / "a.tar.gz", gzip.compress(b"") * 200_000))
    assert tree.bounded
    assert "too many empty gzip files" in tree.fault


def test_a_file_above_the_limit_is_not_kept(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarball_module, "KEEP_FILE", 1 << 20)
    path = archive(tmp_path / "a.tar.gz", (member("boot/vmlinuz"), bytes(2 << 20)))
    tree = opened(path, Keep(["/boot/*"]))
    with pytest.raises(UnreadableError, match="too large to be looked at"):
        tree.read("/boot/vmlinuz", 1)


@pytest.mark.parametrize(
    ("count", "taken"), [("2", True), ("3", True), ("1", False), (None, False)]
)
def test_a_map_of_holes_with_more_than_it_counts_is_refused_as_by_tar(
    count: str | None, taken: bool, tmp_path: Path
) -> None:
    holes = member("holes")
    holes.pax_headers = {
        "GNU.sparse.size": "8",
        **({"GNU.sparse.numblocks": count} if count else {}),
    }
    holes.pax_headers |= {"GNU.sparse.map": "0,4,8,0"}
    path = archive(tmp_path / "a.tar.gz", (holes, b"data"))
    by_tar = subprocess.run(["tar", "-tf", path], capture_output=True, check=False)
    with TarballTree(path) as tree:
        assert (by_tar.returncode == 0, not tree.fault) == (taken, taken)
