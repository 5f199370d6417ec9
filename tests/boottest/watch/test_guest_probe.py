"""Facts of a guest, and the findings from them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from zwizard.boottest.stages import StageResult
from zwizard.boottest.watch.guest_probe import (
    PROBE_SCRIPT,
    GuestFacts,
    judge,
    judge_password,
)

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.3.0/24 2 0 2
        |-- 10.1.3.0
           /24 link UNICAST
        |-- 10.1.3.77
           /32 host LOCAL
        |-- 10.1.3.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.1.3.77
           /32 host LOCAL
"""
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
enp0s3	00000000	0103010A	0003	0	0	0	00000000	0	0	0
enp0s3	0003010A	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""
GOOD = {
    "release": "Debian GNU/Linux 12 (bookworm)",
    "init": "systemd",
    "hostname": "proof-1",
    "addresses": TRIE,
    "routes": ROUTES,
    "space": "Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/vda1 5000000 1 1 1% /",
    "block": "2048\n10481664\n10485760",
    "root-password": "locked",
    "sshd": "permitrootlogin without-password\npasswordauthentication yes\nusepam yes",
    "cloud-init": '{"v1": {"datasource": "DataSourceNoCloud [seed=/dev/vda]", "errors": []}}',
}


def judged(changed: dict[str, str] = GOOD) -> dict[str, StageResult]:
    found = judge(GuestFacts({**GOOD, **changed}), hostname="proof-1", image=True)
    return {finding.name: finding for finding in found}


def test_a_good_guest_passes_everything() -> None:
    found = judged()
    assert set(found) == {"hostname", "network", "grown", "cloud-init"}
    assert all(finding.outcome == "pass" for finding in found.values()), found
    assert found["network"].evidence == "10.1.3.77, default route by 10.1.3.1"


@pytest.mark.parametrize(
    ("stage", "changed", "expected"),
    [
        ("hostname", {"hostname": "debian"}, "debian, expected proof-1"),
        ("network", {"addresses": TRIE.replace("10.1.3.77", "10.1.3.15")}, "10.1.3.15, default"),
        ("network", {"addresses": ""}, "no address"),
        ("network", {"routes": ROUTES.replace("0103010A", "0203010A")}, "by 10.1.3.2"),
        ("network", {"routes": ROUTES.splitlines()[0]}, "default route by nothing"),
        ("cloud-init", {"cloud-init": '{"not": "enabled"}'}, "not enabled"),
        ("cloud-init", {"cloud-init": '{"not": "installed"}'}, "not installed"),
        (
            "cloud-init",
            {"cloud-init": '{"v1": {"datasource": "DataSourceNone", "errors": []}}'},
            "DataSourceNone",
        ),
        (
            "cloud-init",
            {"cloud-init": '{"v1": {"datasource": "NoCloud", "errors": ["(\'ssh\', 1)"]}}'},
            "('ssh', 1)",
        ),
        ("grown", {"block": "2048\n4194304\n10485760"}, "of 2.0 GiB, on a disk of 5.0 GiB"),
        ("grown", {"space": "x\n/dev/vda1 2000000 1 1 1% /"}, "of 5.0 GiB, on a disk of 5.0 GiB"),
    ],
)
def test_a_fact_that_differs_fails_with_the_value_found(
    stage: str, changed: dict[str, str], expected: str
) -> None:
    finding = judged(changed)[stage]
    assert finding.outcome == "fail"
    assert expected in finding.evidence


@pytest.mark.parametrize("result", ["", "cat: no such file", "[]", '{"v1": 3}'])
def test_an_unreadable_result_is_unknown(result: str) -> None:
    assert judged({"cloud-init": result})["cloud-init"].outcome == "unknown"


def test_an_unreadable_block_device_is_unknown() -> None:
    assert judged({"block": "cat: nothing"})["grown"].outcome == "unknown"


DENIED = "root@127.0.0.1: Permission denied (publickey,password)."


@pytest.mark.parametrize(
    ("changed", "attempt", "accepted", "outcome"),
    [
        ({}, DENIED, False, "pass"),
        ({"root-password": "set"}, DENIED, False, "pass"),  # the server does not let root
        ({}, "Connection closed", False, "unknown"),
        ({}, "", True, "fail"),
        ({"root-password": "set", "sshd": "permitrootlogin yes\npasswordauthentication yes"},
         DENIED, False, "fail"),
        ({"root-password": "set", "sshd": "permitrootlogin yes\npasswordauthentication no\n"
          "kbdinteractiveauthentication yes\nusepam yes"}, DENIED, False, "fail"),
        ({"root-password": "set", "sshd": "permitrootlogin yes\npasswordauthentication no\n"
          "kbdinteractiveauthentication no\nusepam yes"}, DENIED, False, "pass"),
    ],
)  # fmt: skip
def test_root_must_not_log_in_with_a_password(
    changed: dict[str, str], attempt: str, accepted: bool, outcome: str
) -> None:
    found = judge_password(GuestFacts({**GOOD, **changed}), attempt, accepted)
    assert (found.name, found.outcome) == ("password", outcome)


def test_facts_count_once_they_are_complete() -> None:
    facts = GuestFacts.read("== release\nDebian\n== hostname\nweb\n== addre")
    assert facts == {"release": "Debian", "hostname": "web"}
    assert not facts.complete
    assert GuestFacts.read("") == {}
    assert GuestFacts.read("== cloud-init\n{}\n== over\n").complete


def test_the_probe_script_runs_on_this_host_in_any_shell() -> None:
    here = PROBE_SCRIPT.replace("fact cloud-init cloud_init_result\n", "fact x true\n")
    assert here != PROBE_SCRIPT
    for shell in ("dash", "bash"):
        if shutil.which(shell):
            done = subprocess.run([shell], input=here, capture_output=True, text=True, check=True)
            facts = GuestFacts.read(done.stdout)
            assert facts["hostname"]
            assert facts["root-password"] in {"locked", "set", "empty", ""}
            assert "127.0.0.1" in facts["addresses"]
