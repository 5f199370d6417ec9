"""Which files netplan accepts.

Measured with netplan 0.106 (Debian 12): `netplan generate`, whose error leaves a machine without
any network; tests/real/test_truth.py measures it again.
"""

from __future__ import annotations


def ethernets(devices: str) -> str:
    return f"network: {{version: 2, ethernets: {{{devices}}}}}"


ACCEPTED = {
    "nothing": "",
    "empty": "{}",
    "version-only": "network: {version: 2}",
    "no-version": "network: {ethernets: {eth0: {dhcp4: true}}}",
    "tab-between": "network:\n  version:\t2",
    "aliases": ethernets("eth0: &x {dhcp4: true}, eth1: *x"),
    "yes-and-no": ethernets("eth0: {dhcp4: yes, dhcp6: no, optional: true}"),
    "address-options": ethernets("eth0: {addresses: [10.0.0.1/24: {lifetime: 0}, 'fd00::1/8']}"),
    "gateway": ethernets("eth0: {addresses: [10.0.0.3/24], gateway4: 10.0.0.1}"),
    "network-manager": "network: {version: 2, renderer: NetworkManager}",
    "name-with-match": ethernets("x: {match: {name: 'e*'}, set-name: y, dhcp4: true}"),
}
REFUSED = {
    "list": "- a",
    "text": "nonsense",
    "tab": "network:\n\tversion: 2",
    "open-bracket": "network: [",
    "no-network": "ethernets: {eth0: {dhcp4: true}}",
    "version-3": "network: {version: 3}",
    "unknown-key": "network: {version: 2, ethernet: {}}",
    "unknown-device-key": ethernets("eth0: {dhcp: true}"),
    "renderer-in-lower-case": "network: {version: 2, renderer: networkmanager}",
    "list-of-devices": "network: {version: 2, ethernets: [eth0]}",
    "device-of-text": ethernets("eth0: dhcp"),
    "address-without-prefix": ethernets("eth0: {addresses: [10.0.0.1]}"),
    "impossible-address": ethernets("eth0: {addresses: [10.0.0.300/24]}"),
    "half-a-gateway": ethernets("eth0: {addresses: [10.0.0.3/24], gateway4: 10.0.0}"),
    "no-flag": ethernets("eth0: {dhcp4: maybe}"),
    "name-without-match": ethernets("eth0: {set-name: y, dhcp4: true}"),
}

# What sets up the node's card, with the file that cloud-init writes of Zero-OS's settings; the
# second text is that of a later file. Measured by running netplan's `generate` in a chroot.
RENDERERS: dict[tuple[str, str], str] = {
    ("network: {version: 2}", ""): "",
    ("network: {version: 2}", "network: {renderer: NetworkManager}"): "NetworkManager",
    (ethernets("eth0: {renderer: NetworkManager}"), ""): "NetworkManager",
    (ethernets("renderer: NetworkManager, eth0: {dhcp4: true}"), ""): "NetworkManager",
    (ethernets("renderer: NetworkManager"), ""): "",
    (ethernets("eth1: {renderer: NetworkManager}"), ""): "",
    (ethernets("x: {match: {name: 'e*'}, renderer: NetworkManager}"), ""): "",
    (ethernets("eth0: {renderer: NetworkManager}"),
     ethernets("eth0: {renderer: networkd}")): "networkd",
    ("network: {renderer: NetworkManager, ethernets: {eth0: {renderer: networkd}}}",
     ""): "networkd",
    ("network: {renderer: NetworkManager, ethernets: {renderer: networkd, eth0: {dhcp4: true}}}",
     ""): "networkd",
}  # fmt: skip
