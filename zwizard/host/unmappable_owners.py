"""File owners that a build in a user namespace cannot keep: their ids are not mapped."""

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

from zwizard.host.privileges import SUBGIDS, SUBUIDS, find_privilege, subordinate_ids
from zwizard.util.text import one_line

_REMEDY = "import it as root, or as a tar archive made by root"


def unmappable_owners(directory: Path) -> str:
    """Why this user cannot import ``directory``: a file whose owner is not mapped; "" if none.

    Call it outside of the namespace: inside, all of them belong to nobody.
    """
    if os.geteuid() == 0:
        return ""
    uids = (range(os.geteuid(), os.geteuid() + 1), subordinate_ids(SUBUIDS) or range(0))
    gids = (range(os.getegid(), os.getegid() + 1), subordinate_ids(SUBGIDS) or range(0))
    found = find_unmappable(directory, uids, gids)
    if not found or find_privilege().mode != "userns":
        return ""
    return f"{found} and would belong to nobody in the image: {_REMEDY}"


def find_unmappable(directory: Path, uids: Iterable[range], gids: Iterable[range]) -> str:
    """The first file in ``directory`` whose owner or group is none of these, with that owner."""
    users, groups = tuple(uids), tuple(gids)
    for path, info in _walk(directory):
        if not any(info.st_uid in ids for ids in users):
            return one_line(f"{path} belongs to {_user(info.st_uid)}")
        if not any(info.st_gid in ids for ids in groups):
            return one_line(f"{path} belongs to the group {_group(info.st_gid)}")
    return ""


def _walk(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything that an import takes; file systems mounted inside are left out."""
    top = directory.stat()
    yield str(directory), top
    pending = [str(directory)]
    while pending:
        # Errors are reported elsewhere.
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:
            for item in found:
                info = item.stat(follow_symlinks=False)
                if info.st_dev != top.st_dev:
                    continue
                yield item.path, info
                if item.is_dir(follow_symlinks=False):
                    pending.append(item.path)


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
