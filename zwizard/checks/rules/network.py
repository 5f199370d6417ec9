"""Rules about the network that cloud-init sets up in the guest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks.helpers import text
from zwizard.checks.rule import VM_IMAGE, Rule
from zwizard.checks.verdict import Severity, Verdict, failed, passed, unknown
from zwizard.image.executables.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.checks.services import Services
    from zwizard.image.tree import FileTree

# The stages of a boot, each by the names its service has had (24.3 renamed the second).
STAGES = (
    ("cloud-init-local",),
    ("cloud-init", "cloud-init-network"),
    ("cloud-config",),
    ("cloud-final",),
)
_SERVICES = (*(name for names in STAGES for name in names), "cloud-init-main")

# The release from which a network without set-name is found by its MAC (cloud-init 22.4).
_BY_MAC = (22, 4)

_INSTALL = (
    "Install the distribution's cloud-init: apt-get install cloud-init (Debian, Ubuntu),"
    " pacman -S cloud-init (Arch)."
)


# Files that cloud-init renders the network into, by what writes them.
_RENDERED = (
    ("/etc/netplan", re.compile(r"50-cloud-init\.yaml")),
    ("/etc/network/interfaces.d", re.compile(r"50-cloud-init(\.cfg)?")),
    ("/etc/NetworkManager/system-connections", re.compile(r"cloud-init-.*\.nmconnection")),
    ("/etc/systemd/network", re.compile(r"\d+-cloud-init-.*\.network")),
    ("/etc/udev/rules.d", re.compile(r"(70|85)-persistent-net.*\.rules")),
)
# Where networks are described, and how each says a fixed hardware address.
_DESCRIBED = (
    ("/etc/netplan", ".yaml"),
    ("/etc/systemd/network", ".network"),
    ("/etc/systemd/network", ".link"),
    ("/etc/network/interfaces.d", ""),
    ("/etc/NetworkManager/system-connections", ".nmconnection"),
    ("/etc/sysconfig/network-scripts", ""),
)
_MAC = re.compile(
    r"^[ \t]*(?:macaddress|MACAddress|hwaddress(?:[ \t]+ether)?|mac-address|HWADDR)"
    r"(?:[ \t]*[:=][ \t]*|[ \t]+)[\"']?((?:[0-9a-f]{2}:){5}[0-9a-f]{2})",
    re.MULTILINE | re.IGNORECASE,
)


@Rule(
    "cloud-init-network-clean",
    "No network settings of another machine are left",
    severity=Severity.SHOULD,
    modes=VM_IMAGE,
    source="cloud-init clean keeps the network settings that it wrote; with another machine's"
    " addresses the new one starts with a wrong network or none (cloud-init, cmd/clean.py).",
    fix="Remove those files (cloud-init clean --configs network, where it has that option), and"
    " every fixed hardware address.",
    reads=(
        *(f"{directory}/*" for directory, _ in _DESCRIBED),
        "/etc/network/interfaces",
        "/etc/udev/rules.d/*persistent-net*",
    ),
    keys=("system.run",),
)
def cloud_init_network_clean(context: CheckContext) -> Verdict:
    """No network file was written by cloud-init or contains a hardware address."""
    rendered = [
        entry.path
        for directory, name in _RENDERED
        for entry in context.guest.listing(directory)
        if name.fullmatch(entry.name)
    ]
    if rendered:
        return failed(f"written for another machine: {', '.join(rendered[:3])}")
    fixed = next(_fixed(context.guest), None)
    if fixed is not None:
        return failed(f"a fixed hardware address: {fixed}")
    return passed("no network files of cloud-init, no hardware address")


def _fixed(tree: FileTree) -> Iterator[str]:
    paths = ["/etc/network/interfaces"]
    paths += [
        entry.path
        for directory, ending in _DESCRIBED
        for entry in tree.listing(directory)
        if entry.name.endswith(ending)
    ]
    for path in paths:
        found = _MAC.search(text(tree, path) or "")
        if found is not None:
            yield f"{path} has {found[1]}"


@Rule(
    "network-renderer",
    "cloud-init can set up the network",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="Zero-OS gives fixed addresses only through cloud-init, which writes them for the first"
    " of ifupdown, sysconfig, netplan, NetworkManager and networkd that it finds (cloud-init,"
    " net/renderers.py).",
    fix="Install netplan.io; or enable one that is installed (systemctl enable systemd-networkd)"
    " and name it first in system_info: {network: {renderers: […]}}.",
    after="cloud-init-installed",
    keys=("source.packages", "system.services"),
)
def network_renderer(context: CheckContext) -> Verdict:
    """The first renderer that cloud-init finds is enabled and works."""
    order = context.cloud.renderers() or _ORDER
    chosen = next((name for name in order if name in _FOUND and _FOUND[name](context)), None)
    if chosen is None:
        return failed(f"none of {', '.join(order)} is installed")
    if chosen in _NEEDS_MAC:
        if context.cloud.version is None:
            return unknown(
                f"cloud-init uses {chosen}, and it is unknown whether cloud-init is 22.4 or newer"
            )
        if context.cloud.version < _BY_MAC:
            return failed(
                f"cloud-init uses {chosen}, and version {context.cloud.version[0]}."
                f"{context.cloud.version[1]} cannot find a network card by its address (22.4 can)",
                "Install netplan.io, or a newer cloud-init.",
            )
    trouble = _trouble(chosen, context.services)
    if trouble:
        return failed(f"cloud-init uses {chosen}, and {trouble}")
    return passed(f"{chosen}")


_ORDER = ("eni", "sysconfig", "netplan", "network-manager", "networkd")
_NEEDS_MAC = frozenset({"eni", "sysconfig", "networkd"})


def _eni(context: CheckContext) -> bool:
    programs = all(find_program(context.guest, name) for name in ("ifup", "ifdown", "ifquery"))
    return programs and context.guest.resolve("/etc/network/interfaces").file is not None


def _sysconfig(context: CheckContext) -> bool:
    paths = ("/etc/sysconfig/network-scripts/network-functions", "/etc/sysconfig/config")
    return find_program(context.guest, "ifup") is not None and any(
        context.guest.resolve(path).file is not None for path in paths
    )


def _netplan(context: CheckContext) -> bool:
    return find_program(context.guest, "netplan") is not None


def _network_manager(context: CheckContext) -> bool:
    return find_program(context.guest, "nmcli") is not None


def _networkd(context: CheckContext) -> bool:
    return all(find_program(context.guest, name) for name in ("ip", "systemctl"))


_FOUND = {
    "eni": _eni,
    "sysconfig": _sysconfig,
    "netplan": _netplan,
    "network-manager": _network_manager,
    "networkd": _networkd,
}


def _trouble(renderer: str, services: Services) -> str:
    """Why the settings of ``renderer`` are not applied, "" if they are."""
    match renderer:
        case "networkd" if not services.enabled("systemd-networkd"):
            return "systemd-networkd is not enabled"
        case "network-manager" if not services.enabled("NetworkManager"):
            return "NetworkManager is not enabled"
        case "eni" if not services.enabled("networking"):
            return "the service networking is not enabled"
        case "netplan" if not (
            services.exists("systemd-networkd") or services.exists("NetworkManager")
        ):
            return "neither systemd-networkd nor NetworkManager is installed to apply its settings"
    return ""
