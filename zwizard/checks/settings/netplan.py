"""netplan's configuration, read as far as decides whether it gives a machine a network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from zwizard.checks.helpers import texts
from zwizard.checks.settings.yaml_reader import YamlError, load_yaml
from zwizard.image.tree import FileTree

# Each directory's files replace those of the same name in the ones before.
READS = ("/lib/netplan/*.yaml", "/etc/netplan/*.yaml")

_CARD = "eth0"
_RENDERERS = frozenset({"networkd", "NetworkManager"})
_KINDS = frozenset({
    "bonds", "bridges", "dummy-devices", "ethernets", "modems", "nm-devices", "tunnels",
    "virtual-ethernets", "vlans", "vrfs", "wifis",
})  # fmt: skip
_NETWORK = _KINDS | {"version", "renderer", "openvswitch"}
_ETHERNET = frozenset({
    "accept-ra", "activation-mode", "addresses", "auth", "critical",
    "delay-virtual-functions-rebind", "dhcp-identifier", "dhcp4", "dhcp4-overrides",
    "dhcp6", "dhcp6-overrides", "embedded-switch-mode", "emit-lldp", "gateway4", "gateway6",
    "generic-receive-offload", "generic-segmentation-offload", "ignore-carrier",
    "infiniband-mode", "ipv6-address-generation", "ipv6-address-token", "ipv6-mtu",
    "ipv6-privacy", "large-receive-offload", "link", "link-local", "macaddress", "match",
    "mtu", "nameservers", "networkmanager", "openvswitch", "optional", "optional-addresses",
    "receive-checksum-offload", "renderer", "routes", "routing-policy", "set-name",
    "tcp-segmentation-offload", "tcp6-segmentation-offload", "transmit-checksum-offload",
    "virtual-function-count", "wakeonlan",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Netplan:
    """``renderer`` is what all files together choose for the card of a node, which cloud-init
    calls eth0; "" for netplan's own (networkd).

    ``fault`` is why netplan writes nothing at all; ``fixed`` what belongs to one machine: its
    addresses and hardware addresses, with their file.
    """

    renderer: str
    fault: str
    fixed: tuple[str, ...]


def read_netplan(tree: FileTree) -> Netplan:
    """The files of netplan in ``tree``; raises UnreadableError."""
    files = {path.rpartition("/")[2]: (path, content) for path, content in texts(tree, *READS)}
    renderer, card, fixed = "", "", list[str]()
    for _, (path, content) in sorted(files.items()):
        try:
            document = load_yaml(content, tabs=True) or {}
        except YamlError as error:
            return Netplan(renderer, f"{path} is not YAML: {error}", tuple(fixed))
        if fault := next(_faults(document), ""):
            return Netplan(renderer, f"{path}: {fault}", tuple(fixed))
        network = _mapping(_mapping(document).get("network"))
        renderer = str(network.get("renderer", renderer))
        cards = _mapping(network.get("ethernets"))
        if _CARD in cards:
            card = str(_mapping(cards[_CARD]).get("renderer") or card or cards.get("renderer", ""))
        fixed += [f"{path} has {what}" for what in _fixed(network)]
    return Netplan(card or renderer, "", tuple(fixed))


def _mapping(found: object) -> Mapping[str, object]:
    return found if isinstance(found, Mapping) else {}


def _faults(document: object) -> Iterator[str]:
    """What ``netplan generate`` refuses."""
    if not isinstance(document, Mapping):
        yield "it is not a mapping"
    for key in _mapping(document):
        if key != "network":
            yield f"unknown key {key}"
    network = _mapping(document).get("network") or {}
    if not isinstance(network, Mapping):
        yield "network is not a mapping"
    for key, value in _mapping(network).items():
        if key not in _NETWORK:
            yield f"unknown key {key}"
        if key == "version" and str(value) != "2":
            yield f"version {value}"
        if key == "renderer" and value not in _RENDERERS:
            yield f"unknown renderer {value}"
        if key in _KINDS and not isinstance(value or {}, Mapping):
            yield f"{key} is not a mapping"
    for name, device in _mapping(_mapping(network).get("ethernets")).items():
        if name != "renderer":
            yield from (f"{name}: {fault}" for fault in _device_faults(device))


def _device_faults(device: object) -> Iterator[str]:
    if not isinstance(device or {}, Mapping):
        yield "it is not a mapping"
    settings = _mapping(device)
    yield from (f"unknown key {key}" for key in settings if key not in _ETHERNET)
    if "set-name" in settings and "match" not in settings:
        yield "set-name needs match"
    for key in ("dhcp4", "dhcp6", "optional"):
        if not _is_flag(settings.get(key, True)):
            yield f"{key} is {settings[key]}"
    for address in _addresses(settings):
        if "/" not in address or not _parses(ip_interface, address):
            yield f"bad address {address}"
    for key in ("gateway4", "gateway6"):
        if key in settings and not _parses(ip_address, str(settings[key])):
            yield f"bad {key} {settings[key]}"


def _is_flag(value: object) -> bool:
    return str(value).lower() in {"true", "false", "yes", "no", "on", "off", "y", "n"}


def _parses(parse: object, value: str) -> bool:
    try:
        assert callable(parse)
        parse(value)
    except ValueError:
        return False
    return True


def _addresses(settings: Mapping[str, object]) -> list[str]:
    listed = settings.get("addresses")
    found = listed if isinstance(listed, list) else []
    return [
        str(next(iter(item), "")) if isinstance(item, Mapping) else str(item) for item in found
    ]


def _fixed(network: Mapping[str, object]) -> Iterator[str]:
    for kind in sorted(_KINDS):
        for device in _mapping(network.get(kind)).values():
            settings = _mapping(device)
            for owner in (settings, _mapping(settings.get("match"))):
                if isinstance(mac := owner.get("macaddress"), str):
                    yield mac
            yield from _addresses(settings)[:1]
