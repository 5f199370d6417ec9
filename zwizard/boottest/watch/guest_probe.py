"""What a guest tells of itself once somebody is in, and what that means for the proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from zwizard.boottest.stages import Finding, Outcome
from zwizard.util.text import size

# Files of the kernel's wherever they do: an image need not have `ip`, `hostname` or `findmnt`.
# The script says the hash of nobody's password, only what kind it is.
QUESTIONS = r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
say() { printf '%s\n' "== $1"; shift; "$@" 2>&1; }
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
waited_for() {
    command -v cloud-init >/dev/null || { echo '{"not": "installed"}'; return; }
    [ ! -e /run/cloud-init/disabled ] || { echo '{"not": "enabled"}'; return; }
    while [ ! -e /run/cloud-init/result.json ]; do sleep 1; done
    cat /run/cloud-init/result.json
}
say release sh -c '. /etc/os-release && echo "$PRETTY_NAME"'
say init cat /proc/1/comm
say mounts cat /proc/mounts
say hostname cat /proc/sys/kernel/hostname
say addresses cat /proc/net/fib_trie
say routes cat /proc/net/route
say space df -Pk /
say block block
say root-password root_password
say sshd sshd -T
say cloud-init waited_for
say over
"""
POWER_OFF = "systemctl poweroff || poweroff || halt -p\n"


@dataclass(frozen=True)
class GuestFacts:
    """The guest's answers by their names; those not given (yet) are missing. All raw."""

    said: dict[str, str]

    @classmethod
    def read(cls, answers: str) -> GuestFacts:
        """The answers as :data:`QUESTIONS` prints them, to the last one that is whole."""
        parts = answers.split("== ")[1:-1] if "== " in answers else []
        pairs = (part.partition("\n")[::2] for part in parts)
        return cls({name.strip(): text.strip("\n") for name, text in pairs})

    def __getitem__(self, name: str) -> str:
        return self.said.get(name, "")

    @property
    def over(self) -> bool:
        """Whether all was answered, cloud-init's end included."""
        return "cloud-init" in self.said


def judge(
    facts: GuestFacts, *, hostname: str, address: IPv4Interface, gateway: str, image: bool
) -> Iterator[Finding]:
    """What the answers given so far come to; cloud-init's comes when it is over."""
    if "hostname" in facts.said:
        yield _same("hostname", facts["hostname"], hostname)
    if "routes" in facts.said:
        yield _network(facts, address, gateway)
    if image and "block" in facts.said:
        yield _grown(facts)
    if "cloud-init" in facts.said:
        yield _cloud_init(facts["cloud-init"])


def _same(stage: str, found: str, given: str) -> Finding:
    if found == given:
        return Finding(stage, "pass", found)
    return Finding(stage, "fail", f"{found or 'none'}, and {given} was given")


def root_mount(facts: GuestFacts) -> str:
    """What is mounted as the root, in a few words: ``vroot, virtiofs``."""
    found = [line.split() for line in facts["mounts"].splitlines()]
    roots = [fields for fields in found if len(fields) > 3 and fields[1] == "/"]
    return ", ".join((roots[-1][0], roots[-1][2])) if roots else ""


def _network(facts: GuestFacts, address: IPv4Interface, gateway: str) -> Finding:
    addresses, routes = _local_addresses(facts["addresses"]), _default_routes(facts["routes"])
    said = f"{', '.join(addresses) or 'no address'}, default route by"
    said = f"{said} {', '.join(routes) or 'nothing'}"
    if str(address.ip) in addresses and routes == [gateway]:
        return Finding("network", "pass", said)
    return Finding("network", "fail", f"{said}; given were {address} and {gateway}")


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
    """The gateways of the default routes in /proc/net/route."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return [_dotted(row[2]) for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]


def _dotted(number: str) -> str:
    """An address as /proc/net/route has it: hexadecimal, the last byte first."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(number)))


_SECTOR = 512
_ROUNDING = 4 << 20  # bytes: GPT's copy at the end, and the alignment of partitions


def _grown(facts: GuestFacts) -> Finding:
    try:
        start, length, disk = (int(word) * _SECTOR for word in facts["block"].split())
        space = int(facts["space"].splitlines()[-1].split()[1]) * 1024
    except (ValueError, IndexError):
        return Finding("grown", "unknown", f"the guest said {facts['block']!r}")
    said = f"{size(space)} of a partition of {size(length)}, on a disk of {size(disk)}"
    whole = disk - (start + length) <= _ROUNDING and space >= 0.85 * length
    return Finding("grown", "pass" if whole else "fail", said)


def _cloud_init(result: str) -> Finding:
    try:
        told = json.loads(result)
        if reason := told.get("not"):
            return Finding("cloud-init", "fail", f"cloud-init is not {reason}")
        source, errors = str(told["v1"]["datasource"]), list(told["v1"]["errors"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Finding("cloud-init", "unknown", f"its result cannot be read: {result!r}")
    if errors:
        return Finding("cloud-init", "fail", "; ".join(map(str, errors)))
    good = "NoCloud" in source
    return Finding("cloud-init", "pass" if good else "fail", f"{source}, no error")


def judge_password(facts: GuestFacts, attempt: str, accepted: bool) -> Finding:
    """Whether root got, or would get, in with a password.

    ``attempt`` is what ssh said when passwords were tried; ``accepted`` that one of them did it.
    """
    if accepted:
        return Finding("password", "fail", "a password that was guessed let root in")
    kind = facts["root-password"] or "not to be read"
    options = {
        words[0]: words[1]
        for line in facts["sshd"].splitlines()
        if len(words := line.lower().split()) == 2
    }
    takes = options.get("passwordauthentication") == "yes" or (
        options.get("kbdinteractiveauthentication") == "yes" and options.get("usepam") == "yes"
    )
    permits = options.get("permitrootlogin")
    said = f"root's password is {kind}, PermitRootLogin {permits or 'unknown'}"
    if kind == "set" and permits == "yes" and takes:
        return Finding("password", "fail", f"{said}, and the server takes passwords")
    outcome: Outcome = "pass" if "Permission denied" in attempt else "unknown"
    last = attempt.strip().splitlines()[-1:] or ["ssh said nothing"]
    return Finding("password", outcome, f"{last[0]}; {said}")
