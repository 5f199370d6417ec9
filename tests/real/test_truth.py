"""The table of truth is true: the real readers of a Debian VM say what it records."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.faults import write
from tests.truth import cloud_init, netplan, sshd

pytestmark = pytest.mark.real

READ = (
    "import json, pathlib; from cloudinit import util;"
    " print(json.dumps({path.name: util.read_conf_with_confd(f'{path}/etc/cloud/cloud.cfg')"
    " for path in pathlib.Path('/etc/rows').iterdir()}))"
)
ROOT = "user=root,host=nobody,addr=203.0.113.9,laddr=192.0.2.1,lport=22"


class Guest:
    """The unpacked VM, whose /etc is a copy for each input."""

    def __init__(self, tree: Path, scratch: Path) -> None:
        self._tree, self.root = tree, scratch

    def reset(self) -> Path:
        """A root with the VM's own /etc."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self._tree / "etc", self.root / "etc", symlinks=True)
        return self.root

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the VM with that /etc."""
        sandbox = ["bwrap", "--unshare-all", "--ro-bind", str(self._tree), "/", "--dev", "/dev"]
        own = ["--bind", str(self.root / "etc"), "/etc", "--proc", "/proc", "--tmpfs", "/run"]
        argv = [*sandbox, *own, "--dir", "/run/sshd", "--tmpfs", "/tmp", *command]
        return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def guest(vm_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    tree = tmp_path_factory.mktemp("tree")
    subprocess.run(["tar", "-xpf", str(vm_archive), "-C", str(tree)], check=True)
    return Guest(tree, tree.with_name(f"{tree.name}-root"))


def test_sshd_judges_its_settings_as_recorded(guest: Guest) -> None:
    wrong = {}
    for row in {row.name: row for row in sshd.ROWS}.values():
        row.breaks(guest.reset())
        key = guest.root / "etc/key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        shown = guest.run("/usr/sbin/sshd", "-h", "/etc/key", "-T", "-C", ROOT)
        settings = shown.stdout.lower().splitlines()
        real = "ends" if shown.returncode else "starts"
        if row.real.lower() not in {real, *settings}:
            wrong[row.name] = (row.real, shown.stderr)
    assert wrong == {}


def test_cloud_init_merges_its_files_as_recorded(guest: Guest) -> None:
    rows = guest.reset() / "etc/rows"
    for row in cloud_init.MERGED:
        row.write()(rows / row.name)
    merged = json.loads(guest.run("python3", "-c", READ).stdout)
    assert {row.name: merged[row.name].get(row.key) for row in cloud_init.MERGED} == {
        row.name: row.value for row in cloud_init.MERGED
    }


def test_netplan_accepts_and_refuses_files_as_recorded(guest: Guest) -> None:
    wrong = {}
    for name, content in (netplan.ACCEPTED | netplan.REFUSED).items():
        write("etc/netplan/01.yaml", content.encode())(guest.reset())
        made = guest.run("/usr/lib/netplan/generate")
        if (made.returncode == 0) != (name in netplan.ACCEPTED):
            wrong[name] = made.stderr
    assert wrong == {}
