"""Owners that a build by an ordinary user cannot keep: who has no number in its user namespace."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

from zwizard.engine.sandbox import privilege
from zwizard.util.text import one_line

_UIDS, _GIDS = Path("/etc/subuid"), Path("/etc/subgid")
_REMEDY = "import it as root, or as a tar archive that root made"


def unmappable_owners(directory: Path) -> str:
    """What keeps this user from importing ``directory``: a file of another user, "" if none is.

    Inside of the namespace all of them belong to nobody, so that this is asked outside of it.
    """
    if os.geteuid() == 0:
        return ""
    uids = (range(os.geteuid(), os.geteuid() + 1), *_given(_UIDS))
    gids = (range(os.getegid(), os.getegid() + 1), *_given(_GIDS))
    found = is_unmappable(directory, uids, gids)
    if not found or privilege().mode != "userns":
        return ""
    return f"{found}, and would belong to nobody in what you build: {_REMEDY}"


def is_unmappable(directory: Path, uids: Iterable[range], gids: Iterable[range]) -> str:
    """The first file in ``directory`` whose owner or group is none of these, and whose it is."""
    users, groups = tuple(uids), tuple(gids)
    for path, info in _walk(directory):
        if not any(info.st_uid in known for known in users):
            return one_line(f"{path} belongs to {_user(info.st_uid)}")
        if not any(info.st_gid in known for known in groups):
            return one_line(f"{path} belongs to the group {_group(info.st_gid)}")
    return ""


def _walk(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All that an import takes: what is mounted in it is left out."""
    top = directory.stat()
    yield str(directory), top
    pending = [str(directory)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:  # told elsewhere
            for item in found:
                info = item.stat(follow_symlinks=False)
                if info.st_dev != top.st_dev:
                    continue
                yield item.path, info
                if item.is_dir(follow_symlinks=False):
                    pending.append(item.path)


def _given(file: Path) -> Iterator[range]:
    """The numbers that this user was given besides the own one: the first line's."""
    names = {str(os.geteuid())}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    with contextlib.suppress(OSError):
        for line in file.read_text("utf-8", "replace").splitlines():
            name, first, count = (*line.split(":"), "", "")[:3]
            if name in names and first.isdigit() and count.isdigit():
                yield range(int(first), int(first) + int(count))
                return


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"the user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
