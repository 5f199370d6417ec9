"""The ext4 reader gives the tree that mke2fs wrote, with any features."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import disks
from zwizard.image import DirectoryTree, UnreadableError
from zwizard.image.disk import ext4
from zwizard.image.disk.crc32c import crc32c
from zwizard.image.disk.ext4 import Ext4Tree
from zwizard.image.disk.ext4_superblock import read_superblock
from zwizard.image.disk.ranges import FileRange
from zwizard.image.tree import EntryType, FileTree

pytestmark = pytest.mark.usefixtures("_tools")
NAMES = 400  # in one directory: several blocks of them, whatever a block's size


@pytest.fixture(scope="module")
def _tools() -> None:
    disks.need_tools("mke2fs", "e2fsck", "debugfs")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    disks.close_handles()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small and large files, holes, links short and long, and a directory of many names."""
    root = tmp_path_factory.mktemp("tree")
    chance = random.Random(1)
    (root / "etc").mkdir()
    (root / "etc/empty").write_bytes(b"")
    (root / "etc/tiny").write_bytes(b"x" * 30)
    (root / "etc/inline").write_bytes(b"y" * 120)
    (root / "etc/large").write_bytes(chance.randbytes(3 << 20))
    with (root / "etc/holes").open("wb") as file:
        file.write(b"start")
        file.seek(1 << 20)
        file.write(b"middle")
        file.seek(2 << 20)
        file.write(b"end")
    (root / "etc/short").symlink_to("tiny")
    (root / "etc/long").symlink_to("./" * 40 + "tiny")
    (root / "etc/longer").symlink_to("./" * 100 + "tiny")
    (root / "bin").mkdir()
    (root / "bin/sudo").write_bytes(b"#!")
    (root / "bin/sudo").chmod(0o4755)
    os.link(root / "bin/sudo", root / "bin/sudoedit")
    os.mkfifo(root / "pipe")
    (root / "many").mkdir()
    for number in range(NAMES):
        (root / f"many/a name that is rather long, number {number}").write_bytes(b"")
    os.mkdir(bytes(root) + b"/not \xff utf-8")  # noqa: PTH102
    return root


FORMS = {
    "ext4": ("-t", "ext4"),
    "ext4-1k": ("-t", "ext4", "-b", "1024"),
    "ext2": ("-t", "ext2"),
    "ext2-1k": ("-t", "ext2", "-b", "1024", "-I", "128"),
    "ext3": ("-t", "ext3"),
    "old": ("-t", "ext2", "-r", "0"),
    "32bit": ("-t", "ext4", "-O", "^64bit"),
    "meta_bg": ("-t", "ext4", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"),
    "sparse_super2": ("-t", "ext4", "-b", "1024", "-g", "1024",
                      "-O", "meta_bg,^resize_inode,sparse_super2"),
    "inline_data": ("-t", "ext4", "-O", "inline_data", "-I", "512"),
    "no-filetype": ("-t", "ext4", "-O", "^filetype"),
    "bigalloc": ("-t", "ext4", "-O", "bigalloc", "-C", "16384"),
    "casefold": ("-t", "ext4", "-O", "casefold"),
    "no-flex": ("-t", "ext4", "-O", "^flex_bg"),
}  # fmt: skip


MakeImage = Callable[..., Path]


@pytest.fixture(scope="module")
def originals() -> dict[tuple[str, ...], Path]:
    """The file systems of these tests, by the options of mke2fs."""
    return {}


@pytest.fixture
def image_of(
    originals: dict[tuple[str, ...], Path],
    tree: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeImage:
    """Make a file system of ``tree``: a copy to change of one that is made once."""

    def made(*options: str) -> Path:
        if options not in originals:
            place = tmp_path_factory.mktemp("original") / "fs"
            originals[options] = disks.ext(place, 32, tree, *options)
        copy = tmp_path / ("fs" + "".join(options))
        disks.run("cp", "--sparse=always", originals[options], copy)
        return copy

    return made


@pytest.fixture(params=FORMS)
def image(request: pytest.FixtureRequest, tree: Path, tmp_path: Path) -> Path:
    try:
        return disks.ext(tmp_path / "fs", 32, tree, *FORMS[request.param])
    except subprocess.CalledProcessError as error:
        if request.param == "old" and "-d" in error.stderr:
            pytest.skip("this mke2fs makes no such file system")
        raise


def opened(path: Path) -> Ext4Tree:
    return Ext4Tree(path, FileRange(disks.handle(path), 0, path.stat().st_size))


def contents_of(view: FileTree) -> dict[str, tuple[object, ...]]:
    """Every entry and its contents; the sizes of directories are each file system's own."""
    found: dict[str, tuple[object, ...]] = {}
    for entry in view.entries():
        if entry.path.startswith("/lost+found"):
            continue
        data = b""
        if entry.kind is EntryType.FILE:
            with view.open_entry(entry) as file:
                data = file.read()
        found[entry.path] = (entry.kind, entry.mode, entry.uid, entry.gid, entry.target, data)
    return found


@pytest.mark.slow
def test_ext4_with_any_features_has_the_tree_that_was_written(image: Path, tree: Path) -> None:
    assert contents_of(opened(image)) == contents_of(DirectoryTree(tree))


@pytest.mark.slow
def test_a_hashed_directory_is_read(image_of: MakeImage) -> None:
    path = image_of("-t", "ext4", "-b", "1024")
    subprocess.run(["e2fsck", "-fyD", path], capture_output=True, check=False)
    shown = subprocess.run(["debugfs", "-R", "stat /many", path], capture_output=True, text=True,
                           check=True).stdout  # fmt: skip
    assert "Flags: 0x81000" in shown
    assert len(opened(path).children("/many")) == NAMES


@pytest.mark.slow
def test_the_index_of_a_grown_directory_keeps_the_end_of_its_first_block(
    image_of: MakeImage,
) -> None:
    """As the kernel makes an index: of the old end only the checksum is another's."""
    path = image_of("-t", "ext4", "-b", "4096")
    subprocess.run(["e2fsck", "-fyD", path], capture_output=True, check=False)
    view = opened(path)
    many = view.node("/many")
    assert many is not None
    blocks = subprocess.run(["debugfs", "-R", "blocks /many", path], capture_output=True,
                            text=True, check=True).stdout.split()  # fmt: skip
    at, seed = int(blocks[0]) * 4096, view._inode(many.inode).seed
    assert seed is not None
    with path.open("r+b") as file:
        file.seek(at)
        root = file.read(4096)
        used = root[: 32 + int.from_bytes(root[34:36], "little") * 8]
        end = b"\x0c\x00\x00\xde"
        file.seek(at + 4088)
        file.write(end + crc32c(used + end + bytes(4), seed).to_bytes(4, "little"))
    assert (
        subprocess.run(["e2fsck", "-fn", path], capture_output=True, check=False).returncode == 0
    )
    assert len(opened(path).children("/many")) == NAMES


@pytest.mark.slow
def test_only_requested_paths_are_read(tree: Path, image_of: MakeImage) -> None:
    view = opened(image_of())
    assert view.resolve("/etc/longer").file is not None
    assert view.read("/etc/short", 100) == b"x" * 30
    with view.open("/etc/large") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == (tree / "etc/large").read_bytes()[-5:]
    assert view.node("/etc/tiny/x") is None
    assert view.node("/nothing") is None


@pytest.mark.slow
def test_the_superblock_is_read(image_of: MakeImage) -> None:
    path = image_of()
    found = read_superblock(FileRange(disks.handle(path), 0, path.stat().st_size))
    assert (found.filesystem, found.uuid, found.label) == (
        "ext4",
        disks.ROOT_UUID,
        "cloud-root",
    )
    assert found.clean
    assert not found.needs_recovery
    forms = {name: image_of("-t", name) for name in ("ext2", "ext3")}
    for name, other in forms.items():
        assert (
            read_superblock(FileRange(disks.handle(other), 0, other.stat().st_size)).filesystem
            == name
        )


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (1024 + 300, b"x", "the checksum of its superblock is wrong"),
        (1024 + 96, b"\xff\xff\x00\x00", "compression|feature"),
        (1024 + 4, b"\xff\xff\xff\x7f", "says it has"),
        (1024 + 40, bytes(4), "makes no sense"),
        (1024 + 88, b"\x81\x00", "makes no sense"),
        (1024 + 56, b"\x00\x00", "no ext4 superblock"),
    ],
)
def test_an_impossible_superblock_is_refused(
    image_of: MakeImage, offset: int, value: bytes, message: str
) -> None:
    plain = () if "checksum" in message else ("-t", "ext4", "-O", "^metadata_csum")
    path = image_of(*plain)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(value)
    with pytest.raises(UnreadableError, match=message):
        opened(path)


def test_a_loop_in_a_block_map_ends(image_of: MakeImage) -> None:
    """Every inode's double indirect block is made its own child."""
    path = image_of("-t", "ext2", "-b", "1024")
    entry = opened(path).node("/etc/large")
    assert entry is not None
    shown = subprocess.run(["debugfs", "-R", "stat /etc/large", path], capture_output=True,
                           text=True, check=True).stdout  # fmt: skip
    block = int(shown.split("(DIND):")[1].split(",")[0])
    with path.open("r+b") as file:
        file.seek(block * 1024)
        file.write(block.to_bytes(4, "little") * 256)
    with pytest.raises(UnreadableError, match=r"has no end|there is no block|not in order"):
        opened(path).read("/etc/large", 4 << 20)


@pytest.mark.parametrize(
    ("part", "at", "message"),
    [
        ("descriptors", 20, "the checksum of group 0 is wrong"),
        ("inode", 0x64, "the checksum of inode"),
        ("directory", 60, "the checksum of a directory is wrong"),
    ],
)
def test_metadata_with_a_wrong_checksum_is_refused_as_by_the_kernel(
    image_of: MakeImage, part: str, at: int, message: str
) -> None:
    path = image_of("-t", "ext4", "-b", "4096")
    view = opened(path)
    entry = view.node("/etc")
    assert entry is not None
    shown = subprocess.run(["debugfs", "-R", "imap /etc", path], capture_output=True, text=True,
                           check=True).stdout  # fmt: skip
    words = shown.replace(",", "").split()
    table = int(words[words.index("at") + 2]) * 4096 + int(words[-1], 16)
    blocks = subprocess.run(["debugfs", "-R", "blocks /etc", path], capture_output=True, text=True,
                            check=True).stdout.split()  # fmt: skip
    place = {"descriptors": 4096, "inode": table, "directory": int(blocks[0]) * 4096}[part]
    with path.open("r+b") as file:
        file.seek(place + at)
        byte = file.read(1)
        file.seek(place + at)
        file.write(bytes([byte[0] ^ 0x40]))
    with pytest.raises(UnreadableError, match=message):
        opened(path).read("/etc/tiny", 1)


@pytest.mark.slow
def test_an_endless_file_system_is_refused(
    image_of: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = image_of("-t", "ext4")
    assert len(list(opened(path).entries())) > NAMES
    monkeypatch.setattr(ext4, "_METADATA", 1 << 14)
    with pytest.raises(UnreadableError, match="more directories and files than can be looked at"):
        list(opened(path).entries())


def test_a_directory_inside_itself_is_refused(image_of: MakeImage) -> None:
    path = image_of("-t", "ext2")
    disks.run("debugfs", "-w", "-R", "link /etc /etc/again", path)
    with pytest.raises(UnreadableError, match="in the tree twice"):
        list(opened(path).walk("/etc"))
