"""Privileges of this user, with user ids and tools as other hosts have them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zwizard.host import privileges
from zwizard.host.privileges import Privilege, find_privilege, subordinate_ids
from zwizard.util.errors import ZwizardError


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: type("User", (), {"pw_name": "me"}))


@pytest.mark.parametrize("line", ["me:165536:65536", "4711:165536:65536"])
@pytest.mark.usefixtures("as_user")
def test_the_first_range_of_this_user_is_found_by_name_or_number(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "subuid"
    file.write_text(f"# theirs\nother:1:9\nbroken\n{line}\nme:1:1\n")
    assert subordinate_ids(file) == range(165536, 231072)
    assert subordinate_ids(tmp_path / "none") is None


def test_root_needs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_privilege().mode == "root"


IN_A_CHROOT = """
cd "$1"
for name in bin lib lib64 sbin; do ln -s "usr/$name"; done
for place in / /*; do
    case $place in
    /bin | /lib | /lib64 | /sbin | /run | /sys | /) ;;
    *) [ -d "$place" ] && mkdir ".$place" && mount --rbind "$place" ".$place" ;;
    esac
done
exec chroot . "${@:2}"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="takes rights from root")
@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        (("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"), "not permitted"),
        (("unshare", "--mount", "bash", "-c", IN_A_CHROOT, "chroot"), "Invalid argument"),
    ],
    ids=["a container", "a chroot"],
)
def test_root_that_cannot_make_a_sandbox_is_told_why_and_the_way_out(
    tmp_path: Path, prefix: tuple[str, ...], reason: str
) -> None:
    code = "from zwizard.host.privileges import find_privilege as f; p = f();"
    code += "print(p.mode, p.description, p.remedy, sep='|')"
    place = (str(tmp_path),) if "bash" in prefix else ()
    done = subprocess.run(
        [*prefix, *place, sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    mode, description, remedy = done.stdout.strip().split("|")
    assert mode == "none"
    assert reason in description
    assert "--privileged" in remedy
    assert "mount --bind" in remedy


@pytest.mark.usefixtures("as_user")
def test_without_user_namespaces_sudo_is_used_and_without_sudo_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"sudo": "/usr/bin/sudo"}
    monkeypatch.setattr(shutil, "which", found.get)
    by_sudo = find_privilege()
    assert by_sudo.mode == "sudo"
    assert by_sudo.launch()[0] == "sudo"
    assert "newuidmap" in by_sudo.description
    found.clear()
    assert find_privilege().mode == "none"
    with pytest.raises(ZwizardError, match="newuidmap"):
        find_privilege().require()


def test_layers_are_kept_apart_by_id_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "subordinate_ids", lambda _: range(7, 9))
    by_map = Privilege("userns", "").layers_below(tmp_path)
    assert by_map == tmp_path / "layers/uid-7"
    assert Privilege("sudo", "").layers_below(tmp_path) == tmp_path / "layers/root"
