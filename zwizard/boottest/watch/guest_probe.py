"""Facts that a guest reports about itself over SSH, and the results that follow from them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from zwizard.boottest.machine.qemu import ADDRESS, GATEWAY
from zwizard.boottest.stages import Outcome, StageResult
from zwizard.util.text import size

# Reads files of the kernel where possible: an image may lack `ip`, `hostname` or `findmnt`.
# The script prints no password hash, only its kind.
PROBE_SCRIPT = r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fact() { printf '%s\n' "== $1"; shift; "$@" 2>&1; }
root_password() {
    while IFS=: read -r name hash rest; do
        [ "$name" = root ] || continue
        case $hash in '') echo empty ;; [!*]*|'*'*) echo locked ;; *) echo set ;; esac
    done </etc/shadow
}
partition() {
    while read -r _ _ number _ at _; do [ "$at" = / ] && echo "$number"; done \
        </proc/self/mountinfo | tail -n 1
}
block() {
    place=$(readlink -f "/sys/dev/block/$(partition)") || return
    cat "$place/start" "$place/size" "$place/../size"
}
cloud_init_result() {
    command -v cloud-init >/dev/null || { echo '{"not": "installed"}'; return; }
    [ ! -e /run/cloud-init/disabled ] || { echo '{"not": "enabled"}'; return; }
    while [ ! -e /run/cloud-init/result.json ]; do sleep 1; done
    cat /run/cloud-init/result.json
}
fact release sh -c '. /etc/os-release && echo "$PRETTY_NAME"'
fact init cat /proc/1/comm
fact hostname cat /proc/sys/kernel/hostname
fact addresses cat /proc/net/fib_trie
fact routes cat /proc/net/route
fact space df -Pk /
fact block block
fact root-password root_password
fact sshd sshd -T
fact cloud-init cloud_init_result
fact over
"""
POWER_OFF = "systemctl poweroff || poweroff || halt -p\n"


class GuestFacts(dict[str, str]):
    """The facts received so far, by name and unchanged; "" for those that are missing."""

    @classmethod
    def read(cls, output: str) -> GuestFacts:
        """The facts in the output of :data:`PROBE_SCRIPT`, up to the last complete one."""
        parts = output.split("== ")[1:-1] if "== " in output else []
        pairs = (part.partition("\n")[::2] for part in parts)
        return cls({name.strip(): text.strip("\n") for name, text in pairs})

    def __missing__(self, name: str) -> str:
        return ""

    @property
    def complete(self) -> bool:
        """Whether all facts are there, cloud-init's result included."""
        return "cloud-init" in self


def judge(facts: GuestFacts, *, hostname: str, image: bool) -> Iterator[StageResult]:
    """The findings from the facts received so far."""
    if "hostname" in facts:
        found = facts["hostname"]
        wrong = "" if found == hostname else f"{found or 'none'}, expected {hostname}"
        yield StageResult("hostname", "fail" if wrong else "pass", wrong or found)
    if "routes" in facts:
        yield _network(facts)
    if image and "block" in facts:
        yield _grown(facts)
    if "cloud-init" in facts:
        yield _cloud_init(facts["cloud-init"])


def _network(facts: GuestFacts) -> StageResult:
    addresses, routes = _local_addresses(facts["addresses"]), _default_routes(facts["routes"])
    by = ", ".join(routes) or "nothing"
    evidence = f"{', '.join(addresses) or 'no address'}, default route by {by}"
    if str(ADDRESS.ip) in addresses and routes == [GATEWAY]:
        return StageResult("network", "pass", evidence)
    return StageResult("network", "fail", f"{evidence}; expected {ADDRESS} and {GATEWAY}")


def _local_addresses(trie: str) -> list[str]:
    """The addresses of this host in /proc/net/fib_trie, those of lo left out."""
    found, last = set(), ""
    for line in trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and not last.startswith("127."):
            found.add(last)
    return sorted(found)


def _default_routes(table: str) -> list[str]:
    rows = [line.split() for line in table.splitlines()[1:]]
    numbers = [row[2] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    # Hexadecimal, the last byte first.
    return [".".join(map(str, reversed(bytes.fromhex(number)))) for number in numbers]


_SECTOR = 512
_ROUNDING = 4 << 20  # bytes: GPT's copy at the end, and the alignment of partitions


def _grown(facts: GuestFacts) -> StageResult:
    try:
        start, length, disk = (int(word) * _SECTOR for word in facts["block"].split())
        space = int(facts["space"].splitlines()[-1].split()[1]) * 1024
    except (ValueError, IndexError):
        return StageResult("grown", "unknown", f"unexpected: {facts['block']!r}")
    evidence = f"{size(space)} of a partition of {size(length)}, on a disk of {size(disk)}"
    whole = disk - (start + length) <= _ROUNDING and space >= 0.85 * length
    return StageResult("grown", "pass" if whole else "fail", evidence)


def _cloud_init(result: str) -> StageResult:
    try:
        status = json.loads(result)
        if missing := status.get("not"):
            return StageResult("cloud-init", "fail", f"cloud-init is not {missing}")
        source, errors = str(status["v1"]["datasource"]), list(status["v1"]["errors"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return StageResult("cloud-init", "unknown", f"its result cannot be read: {result!r}")
    if errors:
        return StageResult("cloud-init", "fail", "; ".join(map(str, errors)))
    good = "NoCloud" in source
    return StageResult("cloud-init", "pass" if good else "fail", f"{source}, no errors")


def judge_password(facts: GuestFacts, attempt: str, accepted: bool) -> StageResult:
    """Whether root can log in with a password.

    ``attempt`` is the output of ssh when passwords were tried; ``accepted`` whether one worked.
    """
    if accepted:
        return StageResult("password", "fail", "root logged in with a guessed password")
    kind = facts["root-password"] or "unreadable"
    options = {
        words[0]: words[1]
        for line in facts["sshd"].splitlines()
        if len(words := line.lower().split()) == 2
    }
    accepts = options.get("passwordauthentication") == "yes" or (
        options.get("kbdinteractiveauthentication") == "yes" and options.get("usepam") == "yes"
    )
    permits = options.get("permitrootlogin")
    evidence = f"root's password is {kind}, PermitRootLogin {permits or 'unknown'}"
    if kind == "set" and permits == "yes" and accepts:
        return StageResult("password", "fail", f"{evidence}, and the server accepts passwords")
    outcome: Outcome = "pass" if "Permission denied" in attempt else "unknown"
    last = attempt.strip().splitlines()[-1:] or ["no output of ssh"]
    return StageResult("password", outcome, f"{last[0]}; {evidence}")
