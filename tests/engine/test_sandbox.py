"""What runs in the sandbox reaches nothing of this machine, however it tries."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.steps.sandbox_syscalls import program
from tests.support.machine import Machine
from tests.support.machine import machine as make_machine
from zwizard.steps import programs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes a sandbox as root")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with make_machine() as made:
        yield made


@needs_root
@pytest.mark.parametrize("network", ["", "internet"])
def test_a_program_of_the_tree_gets_out_by_no_way(machine: Machine, network: str) -> None:
    assert machine.escapes("in_tree python3 /escapes.py", network) == {}


@needs_root
def test_what_a_package_manager_starts_gets_out_by_no_way(machine: Machine) -> None:
    line = f"on_tree python3 {shlex.quote(str(machine.tree))}/escapes.py"
    assert machine.escapes(line, "internet") == {}


@needs_root
def test_the_ways_work_outside(machine: Machine) -> None:
    """What is tried is there to be found: otherwise refusing it would prove nothing."""
    names = [
        *("read_a_file_of_the_user", "read_it_through_the_root_of_a_process"),
        *("find_a_socket_of_the_machine", "signal_a_process_of_the_machine"),
        *("see_a_process_of_the_machine", "read_its_environment", "share_memory"),
        *("reach_a_service_on_the_loopback", "reach_an_abstract_socket", "see_shared_files"),
        *("set_the_core_pattern", "restart_the_machine", "mount_a_file_system"),
        *("make_a_user_namespace", "have_more_rights_than_meant", "gain_rights_by_a_program"),
    ]
    done = subprocess.run(
        ["unshare", "--mount", "--uts", "python3", str(machine.tree / "escapes.py"), *names],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout.splitlines()[-1])["worked"]) == set(names)


@needs_root
def test_a_sandbox_leaves_nothing_in_the_tree(machine: Machine) -> None:
    before = sorted(str(path) for path in machine.tree.rglob("*"))
    assert (
        machine.run(
            "in_tree sh -c 'echo x >/tmp/x; echo x >/run/x; echo x >/dev/shm/x'"
        ).returncode
        == 0
    )
    assert machine.run("on_tree sh -c 'echo x >/tmp/x'").returncode == 0
    assert sorted(str(path) for path in machine.tree.rglob("*")) == before


@needs_root
@pytest.mark.parametrize("name", ["dev", "etc", "proc", "run", "sys", "tmp"])
def test_no_program_runs_where_a_link_leads_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree" / name).symlink_to("/oldroot" + str(tmp_path / "outside"))
    done = Machine({}, tmp_path / "tree").run("in_tree sh -c true")
    assert done.returncode == 1
    assert f"/{name} of the tree is a link" in done.stderr
    assert not list((tmp_path / "outside").iterdir())


@needs_root
def test_it_ends_with_what_it_started(machine: Machine) -> None:
    done = machine.run("in_tree sh -c 'sleep 600 & echo started'")  # returns at once
    assert done.stdout == "started\n"


def test_the_refused_calls_are_those_listed() -> None:
    text = programs.script("sandbox.sh")
    kept = text.partition("SYSCALLS='\n")[2].partition("'")[0]
    assert base64.b64decode(kept) == program()
