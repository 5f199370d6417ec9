"""Rules about the network that cloud-init sets up in the guest."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import texts
from zwizard.checks.rule import VM_IMAGE, must, should
from zwizard.checks.settings import netplan
from zwizard.checks.settings.netplan import read_netplan
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import FileTree

# The release from which a network without set-name is found by its MAC (cloud-init 22.4).
_BY_MAC = (22, 4)

# Files that cloud-init renders the network into, by what writes them.
_RENDERED = (
    "/etc/netplan/50-cloud-init.yaml",
    "/etc/network/interfaces.d/50-cloud-init",
    "/etc/network/interfaces.d/50-cloud-init.cfg",
    "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
    "/etc/systemd/network/[0-9]*-cloud-init-*.network",
    "/etc/udev/rules.d/70-persistent-net*.rules",
    "/etc/udev/rules.d/85-persistent-net*.rules",
)
# Where network settings are, and how each sets a fixed hardware address.
_DESCRIBED = (
    "/etc/network/interfaces",
    "/etc/systemd/network/*.network",
    "/etc/systemd/network/*.link",
    "/etc/network/interfaces.d/*",
    "/etc/NetworkManager/system-connections/*.nmconnection",
    "/etc/sysconfig/network-scripts/*",
)
_MAC = re.compile(
    r"[ \t]*(?:MACAddress|hwaddress(?:[ \t]+ether)?|mac-address|HWADDR)"
    r"(?:[ \t]*[:=][ \t]*|[ \t]+)[\"']?((?:[0-9a-f]{2}:){5}[0-9a-f]{2})",
    re.IGNORECASE,
)


@should(
    "No network settings of another machine are left",
    VM_IMAGE,
    source="cloud-init clean keeps the network settings that it wrote; with another machine's"
    " addresses the new one starts with a wrong network or none (cloud-init, cmd/clean.py).",
    fix="Remove those files (cloud-init clean --configs network, where it has that option), and"
    " every fixed hardware address.",
    example="/etc/netplan/01.yaml has 192.168.1.10/24",
    reads=(*_DESCRIBED, *netplan.READS),
    keys=("system.run",),
)
def cloud_init_network_clean(context: CheckContext) -> Verdict:
    """No network file was written by cloud-init, or has an address of one machine."""
    rendered = [entry.path for entry in context.guest.glob(*_RENDERED)]
    if rendered:
        return failed(f"written for another machine: {', '.join(rendered[:3])}")
    fixed = next(_fixed(context.guest), None)
    if fixed is not None:
        return failed(f"a fixed address: {fixed}")
    return passed("no network files of cloud-init, no fixed address")


def _fixed(tree: FileTree) -> Iterator[str]:
    yield from read_netplan(tree).fixed
    for path, content in texts(tree, *_DESCRIBED):
        for line in content.splitlines():
            if (found := _MAC.match(line) or _ADDRESS.match(line)) and found[1] not in _LOOPBACK:
                yield f"{path} has {found[1]}"


_LOOPBACK = frozenset({"127.0.0.1", "127.0.0.1/8", "::1", "::1/128"})
# networkd, ifupdown, ifcfg files, NetworkManager.
_ADDRESS = re.compile(
    r"[ \t]*(?:Address|address|IPADDR0?|IPV6ADDR|address1)[ \t]*[ \t=][ \t]*"
    r"[\"']?([0-9a-fA-F]*[:.][0-9a-fA-F:.]+(?:/\d+)?)"
)


@must(
    "cloud-init can set up the network",
    VM_IMAGE,
    source="Zero-OS gives fixed addresses only through cloud-init, which writes them for the first"
    " of ifupdown, sysconfig, netplan, NetworkManager and networkd that it finds (cloud-init,"
    " net/renderers.py).",
    fix="Install netplan.io; or enable one that is installed (systemctl enable systemd-networkd)"
    " and name it first in system_info: {network: {renderers: […]}}.",
    example="none of netplan, networkd, eni is installed",
    after="cloud-init-installed",
    keys=("source.packages", "system.services"),
)
def network_renderer(context: CheckContext) -> Verdict:
    """The first renderer that cloud-init finds is enabled and works."""
    order = context.cloud.names("system_info", "network", "renderers") or tuple(_RENDERERS)
    if strange := [name for name in order if name not in _RENDERERS and "bsd" not in name]:
        return failed(f"cloud-init stops, because it does not know the renderer {strange[0]}")
    chosen = _chosen(context)
    if not chosen:
        return failed(f"none of {', '.join(order)} is installed")
    renderer, version = _RENDERERS[chosen], context.cloud.version
    if renderer.needs_mac and version is None:
        return unknown(
            f"cloud-init uses {chosen}, and it is unknown whether cloud-init is 22.4 or newer"
        )
    if renderer.needs_mac and version is not None and version < _BY_MAC:
        return failed(
            f"cloud-init uses {chosen}, and version {version[0]}.{version[1]} cannot find a"
            " network card by its address (22.4 can)",
            "Install netplan.io, or a newer cloud-init.",
        )
    services = context.services
    if chosen == "netplan":  # enables one of them itself
        if not any(map(services.exists, renderer.services)):
            return failed(
                "cloud-init uses netplan, and neither systemd-networkd nor NetworkManager is"
                " installed to apply its settings"
            )
    elif idle := [name for name in renderer.services if not services.enabled(name)]:
        return failed(f"cloud-init uses {chosen}, and {idle[0]} is not enabled")
    return passed(chosen)


def _chosen(context: CheckContext) -> str:
    """The renderer that cloud-init uses, "" for none."""
    order = context.cloud.names("system_info", "network", "renderers") or tuple(_RENDERERS)
    known = (name for name in order if name in _RENDERERS)
    return next((name for name in known if _RENDERERS[name].is_in(context.guest)), "")


@must(
    "The image's own network settings let netplan apply those of Zero-OS",
    VM_IMAGE,
    source="netplan reads all its files together: one that it refuses leaves the machine without"
    " a network, and the renderer that one chooses holds for all (netplan(5)).",
    fix="Remove that file, or correct it: netplan generate in the image reports what is wrong.",
    example="netplan's files choose NetworkManager, which is not enabled",
    after="network-renderer",
    keys=("system.run",),
)
def network_configured(context: CheckContext) -> Verdict:
    """If cloud-init uses netplan: its files are valid, and their renderer can run."""
    chosen = _chosen(context)
    if chosen != "netplan":
        return passed(f"cloud-init uses {chosen}")
    found = read_netplan(context.guest)
    if found.fault:
        return failed(f"netplan refuses {found.fault}")
    if found.renderer == "NetworkManager" and not context.services.enabled("NetworkManager"):
        return failed("netplan's files choose NetworkManager, which is not enabled")
    if found.renderer != "NetworkManager" and not context.services.exists("systemd-networkd"):
        return failed(
            "netplan uses systemd-networkd, which is not installed, because its files choose"
            " nothing else",
            "Add renderer: NetworkManager to a file in /etc/netplan, or install systemd-networkd.",
        )
    return passed(f"netplan uses {found.renderer or 'networkd'}")


class _Renderer(NamedTuple):
    """Recognised by all its programs and one of its files; its services apply what it writes."""

    programs: tuple[str, ...]
    services: tuple[str, ...]
    files: tuple[str, ...] = ()
    needs_mac: bool = False

    def is_in(self, tree: FileTree) -> bool:
        files = not self.files or any(tree.resolve(path).file for path in self.files)
        return files and all(find_program(tree, name) for name in self.programs)


_NETWORK_SCRIPTS = "/etc/sysconfig/network-scripts/network-functions"
# In cloud-init's own order.
_RENDERERS = {
    "eni": _Renderer(
        ("ifup", "ifdown", "ifquery"), ("networking",), ("/etc/network/interfaces",), True
    ),
    "sysconfig": _Renderer(("ifup",), (), (_NETWORK_SCRIPTS, "/etc/sysconfig/config"), True),
    "netplan": _Renderer(("netplan",), ("systemd-networkd", "NetworkManager")),
    "network-manager": _Renderer(("nmcli",), ("NetworkManager",)),
    "networkd": _Renderer(("ip", "systemctl"), ("systemd-networkd",), (), True),
}
