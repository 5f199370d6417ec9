"""Read-only file trees of what is checked and booted; no root, no mounts."""

from collections.abc import Callable
from pathlib import Path

from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.compression import GZIP, detect
from zwizard.image.archive.decompress import decompressed
from zwizard.image.archive.tar_reader import members
from zwizard.image.directory import DirectoryTree
from zwizard.image.flist.tree import FlistTree, is_flist
from zwizard.image.magic import HEAD, file_type
from zwizard.image.single_file import SingleFileTree
from zwizard.image.tarball import KEEP_NOTHING, Keep, TarballTree
from zwizard.image.tree import FileTree, UnreadableError, unreadable

__all__ = [
    "DirectoryTree",
    "FileTree",
    "FlistTree",
    "Keep",
    "SingleFileTree",
    "TarballTree",
    "UnreadableError",
    "open_tree",
]


def open_tree(
    path: Path | str,
    *,
    keep: Keep = KEEP_NOTHING,
    progress: Callable[[int, int], None] | None = None,
) -> FileTree:
    """The tree of the artefact at ``path``, chosen by its contents, not by its name.

    ``keep`` selects the contents of an archive to hold on to because they will be read (others
    cost another pass); ``progress`` is called with (bytes done, bytes in all) of the artefact
    while it is read. Raises UnreadableError for anything but a directory, a gzip file or another
    tar archive, a flist or a disk image, naming what it is. A broken archive is not an error here:
    see ``TarballTree.fault``.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return DirectoryTree(path)
        if not path.is_file():
            if path.exists():
                raise UnreadableError(
                    f"{path} is neither a directory nor a regular file", "Give one of them."
                )
            raise UnreadableError(
                f"{path} does not exist", "Check the path; it is a directory or a .tar.gz."
            )
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            if is_flist(file):
                return FlistTree(path)
    except OSError as error:
        raise unreadable(path, error) from error
    found = file_type(head)
    if _is_disk(path, found):
        return SingleFileTree(path)
    if detect(head) is not GZIP and not _is_tar(path):
        raise UnreadableError(
            f"{path} is {found}, not a directory, a tar archive or a disk image",
            "Pack the image's files with tar -czf NAME.tar.gz -C DIRECTORY . and check that.",
        )
    return TarballTree(path, keep=keep, progress=progress)


def _is_tar(path: Path) -> bool:
    """Whether a tar archive begins in ``path``, compressed or not."""
    try:
        with path.open("rb") as file:
            return next(iter(members(decompressed(file))), None) is not None
    except ArchiveError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error


def _is_disk(path: Path, found: str) -> bool:
    """Whether a disk image is meant: by its name, or by what it holds."""
    name = path.name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        return False
    return name.endswith(".raw") or "disk image" in found or "ISO 9660" in found
