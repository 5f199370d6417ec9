"""Rules about cloud-init in the guest, which gives the machine its network, name and keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks import services as service_files
from zwizard.checks.cloud_config import READS, words
from zwizard.checks.helpers import files, program, text
from zwizard.checks.rule import VM_IMAGE, Severity, Verdict, failed, passed, rule, unknown
from zwizard.image.tree import EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.checks.services import Services
    from zwizard.image.tree import Entry, FileTree

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


@rule(
    "cloud-init-installed",
    "cloud-init is installed",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="“The image provided must be […] Cloud-init enabled.” (zmachine.md, “VM Image”); the"
    " guide for a VM of its own kernel installs it too.",
    remedy=_INSTALL,
    reads=(*READS, *service_files.READS),
    answers=("source.packages",),
)
def cloud_init_installed(image: CheckContext) -> Verdict:
    """The program, its Python package, and a service for each of its stages."""
    found = program(image.guest, "cloud-init")
    if found is None:
        return failed("there is no program cloud-init in the image")
    cloud = image.cloud
    if not cloud.package:
        return failed(f"{found.path} is there without its Python package cloudinit")
    missing = [
        " or ".join(names)
        for names in STAGES
        if not any(image.services.unit(name) for name in names)
    ]
    if missing:
        return failed(f"{found.path} is there, the service {', '.join(missing)} is not")
    version = "an unknown version" if cloud.version is None else "{}.{}".format(*cloud.version)
    return passed(f"{found.path}, {version}, {cloud.package}")


@rule(
    "cloud-init-enabled",
    "cloud-init runs when the machine starts",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="“The image used to the boot the VM must has cloud-init enabled on boot.” (zmachine.md,"
    " “VM Image”); it “takes care of setting up networking, hostname, root authorized_keys”.",
    remedy="systemctl enable cloud-init-local cloud-init cloud-config cloud-final, and remove"
    " what disables it.",
    after="cloud-init-installed",
    answers=("system.run",),
)
def cloud_init_enabled(image: CheckContext) -> Verdict:
    """Its services are wanted, by a target that is reached, and nothing switches it off."""
    off = next(_switched_off(image), None)
    if off is not None:
        return failed(off, f"Remove that: {off}.")
    services = image.services
    masked = [name for name in _SERVICES if services.masked(name)]
    if masked:
        return failed(f"masked: {', '.join(masked)}", f"systemctl unmask {' '.join(masked)}")
    running = services.pulled(_SERVICES)
    idle = [" or ".join(names) for names in STAGES if not running & set(names)]
    if services.exists("cloud-init-main") and "cloud-init-main" not in running:
        idle.insert(0, "cloud-init-main")  # since 24.3 the others only ask this one
    if idle:
        return failed(f"nothing starts {', '.join(idle)}")
    return _target(services)


def _target(services: Services) -> Verdict:
    """cloud-init.target, if it is what wants the services, is itself wanted or generated."""
    wanting = {by for name in _SERVICES for by in services.wanted.get(f"{name}.service", ())}
    if services.system != "systemd" or wanting - {"cloud-init.target"}:
        return passed(f"its services are started ({services.system})")
    generator = services.generator("cloud-init-generator")
    if generator is not None:
        return passed(f"cloud-init.target wants its services; {generator.path} starts that")
    if services.enabled("cloud-init.target"):
        return passed("cloud-init.target is enabled and wants its services")
    return failed(
        "its services are wanted by cloud-init.target, which nothing starts",
        "Install cloud-init whole (its generator is missing), or systemctl enable"
        " cloud-init.target.",
    )


def _switched_off(image: CheckContext) -> Iterator[str]:
    """What keeps cloud-init, or its network part, from running (cloud-init, “Disable”)."""
    if image.guest.lstat("/etc/cloud/cloud-init.disabled") is not None:
        yield "/etc/cloud/cloud-init.disabled switches it off"
    identify = text(image.guest, "/etc/cloud/ds-identify.cfg") or ""
    if re.search(r"^[ \t]*policy[ \t]*:[ \t]*disabled\b", identify, re.MULTILINE):
        yield "/etc/cloud/ds-identify.cfg has policy: disabled"
    last = image.cloud.last("network")
    if last is not None and re.search(r"config[\"']?\s*:\s*[\"']?disabled\b", last[1]):
        yield f"{last[0]} has network: {{config: disabled}}"


@rule(
    "cloud-init-nocloud",
    "cloud-init looks for the NoCloud disk",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="“Cloud-init receive its config over the NoCloud source.” (zmachine.md, “VM Image”):"
    " a disk with the label cidata.",
    remedy="Put datasource_list: [NoCloud, None] on one line into"
    " /etc/cloud/cloud.cfg.d/99-zero-os.cfg.",
    after="cloud-init-installed",
    answers=("system.run",),
)
def cloud_init_nocloud(image: CheckContext) -> Verdict:
    """``datasource_list``, if set, holds NoCloud; and no label but cidata is asked for."""
    identify = text(image.guest, "/etc/cloud/ds-identify.cfg") or ""
    forced = re.search(r"^[ \t]*datasource[ \t]*:[ \t]*(\S+)", identify, re.MULTILINE)
    if forced is not None and forced[1].strip("\"'") != "NoCloud":
        return failed(f"/etc/cloud/ds-identify.cfg asks for {forced[1]} only")
    label = _label(image)
    if label is not None:
        return failed(label)
    last = image.cloud.last("datasource_list")
    if last is None:
        return passed("datasource_list is not set: every source is tried, NoCloud first")
    path, value = last
    if "NoCloud" in words(value):
        return passed(f"{path} has {', '.join(words(value))}")
    return failed(f"{path} has datasource_list {', '.join(words(value)) or 'empty'}")


def _label(image: CheckContext) -> str | None:
    last = image.cloud.last("datasource")
    found = re.search(r"fs_label[\"']?\s*:\s*[\"']?(\w*)", last[1]) if last is not None else None
    if last is None or found is None or found[1].lower() == "cidata":
        return None
    return f"{last[0]} makes NoCloud look for the label {found[1]} instead of cidata"


@rule(
    "cloud-init-clean",
    "cloud-init has not run in this image",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="“to make sure we have clean setup: cloud-init clean” (zmachine.md, “Building an ubuntu"
    " VM flist”); “you always need to do cloud-init clean” after a boot.",
    remedy="cloud-init clean --logs in the image, or remove all in /var/lib/cloud but seed.",
    answers=("system.run",),
)
def cloud_init_clean(image: CheckContext) -> Verdict:
    """No instance, semaphores or data of an earlier boot; no seed that goes before the disk."""
    left = [
        entry.path
        for name in ("instance", "instances", "sem", "data")
        for entry in _left(image.guest, f"/var/lib/cloud/{name}")
    ]
    if left:
        return failed(f"of an earlier boot: {', '.join(left[:3])}")
    seeds = [
        entry.path
        for name in ("nocloud", "nocloud-net")
        for entry in files(image.guest, f"/var/lib/cloud/seed/{name}")
    ]
    if seeds:
        return failed(
            f"a seed of its own, which cloud-init takes instead of Zero-OS's disk: {seeds[0]}",
            "Remove /var/lib/cloud/seed.",
        )
    return passed("nothing of an earlier boot in /var/lib/cloud")


def _left(view: FileTree, path: str) -> Iterator[Entry]:
    entry = view.lstat(path)
    if entry is not None and entry.kind is not EntryType.DIRECTORY:
        yield entry
    elif entry is not None:
        yield from files(view, path)


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


@rule(
    "cloud-init-network-clean",
    "No network of another machine is left",
    severity=Severity.SHOULD,
    modes=VM_IMAGE,
    source="cloud-init clean leaves the network it rendered; with another machine's addresses the"
    " new one starts wrong, or not at all (cloud-init, cmd/clean.py).",
    remedy="Remove those files: cloud-init clean --configs network where it knows that, and"
    " any setting of a hardware address.",
    reads=(
        *(f"{directory}/*" for directory, _ in _DESCRIBED),
        "/etc/network/interfaces",
        "/etc/udev/rules.d/*persistent-net*",
    ),
    answers=("system.run",),
)
def cloud_init_network_clean(image: CheckContext) -> Verdict:
    """No file that cloud-init rendered, and no hardware address in any other."""
    rendered = [
        entry.path
        for directory, name in _RENDERED
        for entry in image.guest.listing(directory)
        if name.fullmatch(entry.name)
    ]
    if rendered:
        return failed(f"rendered for another machine: {', '.join(rendered[:3])}")
    fixed = next(_fixed(image.guest), None)
    if fixed is not None:
        return failed(f"a fixed hardware address: {fixed}")
    return passed("nothing rendered, no hardware address set")


def _fixed(view: FileTree) -> Iterator[str]:
    paths = ["/etc/network/interfaces"]
    paths += [
        entry.path
        for directory, ending in _DESCRIBED
        for entry in view.listing(directory)
        if entry.name.endswith(ending)
    ]
    for path in paths:
        found = _MAC.search(text(view, path) or "")
        if found is not None:
            yield f"{path} has {found[1]}"


@rule(
    "network-renderer",
    "cloud-init can set up the network",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="Zero-OS gives fixed addresses by cloud-init alone, which writes them for the first of"
    " ifupdown, sysconfig, netplan, NetworkManager and networkd that it finds (cloud-init,"
    " net/renderers.py).",
    remedy="Install netplan.io, or enable one that is there: systemctl enable systemd-networkd;"
    " and name it first in system_info: {network: {renderers: […]}}.",
    after="cloud-init-installed",
    answers=("source.packages", "system.services"),
)
def network_renderer(image: CheckContext) -> Verdict:
    """The first one that cloud-init would choose is one that then works."""
    order = image.cloud.renderers() or _ORDER
    chosen = next((name for name in order if name in _FOUND and _FOUND[name](image)), None)
    if chosen is None:
        return failed(f"none of {', '.join(order)} is in the image")
    if chosen in _NEEDS_MAC:
        if image.cloud.version is None:
            return unknown(f"{chosen} is chosen, and whether cloud-init is 22.4 is not said")
        if image.cloud.version < _BY_MAC:
            return failed(
                f"{chosen} is chosen, and cloud-init {image.cloud.version[0]}."
                f"{image.cloud.version[1]} needs 22.4 to find a card by its address",
                "Install netplan.io, or a newer cloud-init.",
            )
    trouble = _trouble(chosen, image.services)
    if trouble:
        return failed(f"{chosen} is chosen, and {trouble}")
    return passed(f"{chosen}")


_ORDER = ("eni", "sysconfig", "netplan", "network-manager", "networkd")
_NEEDS_MAC = frozenset({"eni", "sysconfig", "networkd"})


def _eni(image: CheckContext) -> bool:
    programs = all(program(image.guest, name) for name in ("ifup", "ifdown", "ifquery"))
    return programs and image.guest.resolve("/etc/network/interfaces").file is not None


def _sysconfig(image: CheckContext) -> bool:
    paths = ("/etc/sysconfig/network-scripts/network-functions", "/etc/sysconfig/config")
    return program(image.guest, "ifup") is not None and any(
        image.guest.resolve(path).file is not None for path in paths
    )


def _netplan(image: CheckContext) -> bool:
    return program(image.guest, "netplan") is not None


def _network_manager(image: CheckContext) -> bool:
    return program(image.guest, "nmcli") is not None


def _networkd(image: CheckContext) -> bool:
    return all(program(image.guest, name) for name in ("ip", "systemctl"))


_FOUND = {
    "eni": _eni,
    "sysconfig": _sysconfig,
    "netplan": _netplan,
    "network-manager": _network_manager,
    "networkd": _networkd,
}


def _trouble(renderer: str, services: Services) -> str:
    """Why what ``renderer`` writes would not be carried out, "" if it would."""
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
            return "neither systemd-networkd nor NetworkManager is there to do what it writes"
    return ""


RULES = (
    cloud_init_installed,
    cloud_init_enabled,
    cloud_init_nocloud,
    cloud_init_clean,
    cloud_init_network_clean,
    network_renderer,
)
