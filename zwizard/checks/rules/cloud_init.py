"""Rules about cloud-init in the guest, which sets up its network, name and keys."""

from collections.abc import Iterator

from zwizard.checks import services as service_files
from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import files
from zwizard.checks.rule import VM_IMAGE, must
from zwizard.checks.services import Services
from zwizard.checks.settings.cloud_config import IDENTIFY, READS
from zwizard.checks.verdict import Severity, Verdict, failed, passed
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import Entry, EntryType, FileTree

# The stages of a boot, each by the names its service has had (24.3 renamed the second).
STAGES = (
    ("cloud-init-local",),
    ("cloud-init", "cloud-init-network"),
    ("cloud-config",),
    ("cloud-final",),
)
_SERVICES = (*(name for names in STAGES for name in names), "cloud-init-main")

_INSTALL = (
    "Install the distribution's cloud-init: apt-get install cloud-init (Debian, Ubuntu),"
    " pacman -S cloud-init (Arch)."
)


@must(
    "cloud-init is installed",
    VM_IMAGE,
    source="“The image provided must be […] Cloud-init enabled.” (Zmachine guide, “VM Image”); the"
    " guide also installs it in a VM with its own kernel.",
    fix=_INSTALL,
    example="the program cloud-init is not installed",
    reads=(*READS, *service_files.READS),
    keys=("source.packages",),
)
def cloud_init_installed(context: CheckContext) -> Verdict:
    """The program, its Python package and a service for each of its stages are installed."""
    found = find_program(context.guest, "cloud-init")
    if found is None:
        return failed("the program cloud-init is not installed")
    cloud = context.cloud
    if not cloud.package:
        return failed(f"{found.path} is installed, but its Python package cloudinit is missing")
    missing = [
        " or ".join(names)
        for names in STAGES
        if not any(context.services.unit(name) for name in names)
    ]
    if missing:
        return failed(
            f"{found.path} is installed, but the service {', '.join(missing)} is missing"
        )
    version = "an unknown version" if cloud.version is None else "{}.{}".format(*cloud.version)
    return passed(f"{found.path}, {version}, {cloud.package}")


@must(
    "cloud-init runs when the machine starts",
    VM_IMAGE,
    source="“The image used to the boot the VM must has cloud-init enabled on boot.” (Zmachine"
    " guide, “VM Image”); it “takes care of setting up networking, hostname, root"
    " authorized_keys”.",
    fix="systemctl enable cloud-init-local cloud-init cloud-config cloud-final, and remove what"
    " disables them.",
    example="/etc/cloud/cloud-init.disabled disables it",
    after="cloud-init-installed",
    keys=("system.run",),
)
def cloud_init_enabled(context: CheckContext) -> Verdict:
    """Its services are enabled, and nothing disables cloud-init."""
    off = next(_switched_off(context), None)
    if off is not None:
        return failed(off, f"Remove that: {off}.")
    services = context.services
    if end := services.early_end():
        return failed(
            f"default.target leads to {end}, where nothing starts cloud-init",
            "systemctl set-default multi-user.target",
        )
    masked = [name for name in _SERVICES if services.masked(name)]
    if masked:
        return failed(f"masked: {', '.join(masked)}", f"systemctl unmask {' '.join(masked)}")
    for name in _SERVICES:
        if condition := services.unmet(name):
            return failed(f"{name} is not started: {condition} never holds")
    running = services.pulled(_SERVICES)
    idle = [" or ".join(names) for names in STAGES if not running & set(names)]
    if services.exists("cloud-init-main") and "cloud-init-main" not in running:
        idle.insert(0, "cloud-init-main")  # since 24.3 the others only ask this one
    if idle:
        return failed(f"nothing starts {', '.join(idle)}")
    return _target(services)


def _target(services: Services) -> Verdict:
    """Whether cloud-init.target starts, if only that wants the services."""
    wanting = {by for name in _SERVICES for by in services.wanted.get(f"{name}.service", ())}
    if services.system != "systemd" or wanting - {"cloud-init.target"}:
        return passed(f"its services are enabled ({services.system})")
    generator = services.generator("cloud-init-generator")
    if generator is not None:
        return passed(
            f"cloud-init.target wants its services, and {generator.path} starts the target"
        )
    if services.enabled("cloud-init.target"):
        return passed("cloud-init.target is enabled and wants its services")
    return failed(
        "its services are wanted by cloud-init.target, which nothing starts",
        "Reinstall cloud-init (its generator is missing), or systemctl enable cloud-init.target.",
    )


_POLICIES = frozenset({"enabled", "disabled", "search", "report"})


def _switched_off(context: CheckContext) -> Iterator[str]:
    """What disables cloud-init or its network part (cloud-init, “Disable”)."""
    if context.guest.lstat("/etc/cloud/cloud-init.disabled") is not None:
        yield "/etc/cloud/cloud-init.disabled disables it"
    policy = context.cloud.identify.get("policy", "").split(",")
    if [word for word in policy if word in _POLICIES][-1:] == ["disabled"]:
        yield f"{IDENTIFY} has policy: disabled"
    # What the disk says of the network counts only if the image itself says nothing.
    network = context.cloud.get("network")
    inner = network.get("network", network) if isinstance(network, dict) else network
    path = context.cloud.origins.get("network", "")
    if isinstance(inner, dict) and inner.get("config") == "disabled":
        yield f"{path} has network: {{config: disabled}}"
    elif inner:
        yield f"{path} has a network of its own, which replaces that of Zero-OS's disk"


@must(
    "cloud-init uses the NoCloud disk",
    VM_IMAGE,
    source="“Cloud-init receive its config over the NoCloud source.” (Zmachine guide, “VM Image”):"
    " a disk with the label cidata.",
    fix="Add the line datasource_list: [NoCloud, None] to /etc/cloud/cloud.cfg.d/99-zero-os.cfg.",
    example="/etc/cloud/cloud.cfg.d/90_dpkg.cfg has datasource_list Ec2, None",
    after="cloud-init-installed",
    keys=("system.run",),
)
def cloud_init_nocloud(context: CheckContext) -> Verdict:
    """``datasource_list``, if set, contains NoCloud; its disk is one with the label cidata."""
    cloud = context.cloud
    forced = cloud.identify.get("datasource", "")
    if forced not in {"", "NoCloud"}:
        return failed(f"{IDENTIFY} allows only {forced}")
    place = cloud.origins.get("datasource", "")
    settings = cloud.get("datasource", "NoCloud")
    settings = settings if isinstance(settings, dict) else {}
    label = settings.get("fs_label", "cidata")
    if not isinstance(label, str) or label.lower() != "cidata":
        return failed(f"{place} makes NoCloud look for the label {label} instead of cidata")
    if seed := settings.get("seedfrom"):
        return failed(
            f"{place} has seedfrom: {seed}, which replaces the user data of Zero-OS's disk",
            "Remove seedfrom.",
        )
    if "datasource_list" not in cloud.settings:
        return passed("datasource_list is not set: all sources are tried, NoCloud first")
    path, listed = cloud.origins["datasource_list"], cloud.names("datasource_list")
    if "NoCloud" in listed:
        return passed(f"{path} has {', '.join(listed)}")
    return failed(f"{path} has datasource_list {', '.join(listed) or 'empty'}")


_NEEDED = {
    "users_groups": "root's key is not installed",
    "ssh": "no SSH host keys are created",
    "mounts": "the disks of the deployment are not mounted",
    "set_hostname": "the machine keeps the image's name",
}
_FATAL = ("users_groups", "ssh")


def configuration_fault(context: CheckContext) -> Verdict | None:
    """What its configuration keeps cloud-init from, None for nothing (config/modules.py)."""
    cloud = context.cloud
    modules = cloud.modules()
    broken = "".join(f"; {path} is not YAML ({why})" for path, why in cloud.broken.items())
    missing = [name for name in _NEEDED if name not in modules]
    idle = [name for name in _FATAL if name in missing]
    if idle:
        return failed(f"it does not run {idle[0]}: {_NEEDED[idle[0]]}{broken}")
    allowed = cloud.get("allow_userdata")
    if allowed is not None and str(allowed).lower() not in {"true", "1", "on", "yes"}:
        return failed(
            f"{cloud.origins['allow_userdata']} has allow_userdata: false: root's key is discarded"
        )
    distro = cloud.get("system_info", "distro") or "ubuntu"
    if not context.guest.resolve(f"{cloud.package}/distros/{distro}.py").file:
        return failed(f"system_info has distro: {distro}, which this cloud-init does not know")
    if broken:
        return failed(f"settings are ignored{broken}", severity=Severity.SHOULD)
    if str(cloud.get("preserve_hostname")).lower() in {"true", "1", "on", "yes"}:
        return failed(
            f"{cloud.origins['preserve_hostname']} has preserve_hostname: the machine keeps the"
            " image's name",
            "Remove preserve_hostname.",
            Severity.SHOULD,
        )
    if missing:
        return failed(
            f"it does not run {missing[0]}: {_NEEDED[missing[0]]}", severity=Severity.SHOULD
        )
    return None


@must(
    "cloud-init has not run in this image",
    VM_IMAGE,
    source="“to make sure we have clean setup: cloud-init clean” (Zmachine guide, “Building an"
    " ubuntu VM flist”); “you always need to do cloud-init clean” after a boot.",
    fix="Run cloud-init clean --logs in the image, or remove everything in /var/lib/cloud except"
    " seed.",
    example="left from an earlier boot: /var/lib/cloud/instance",
    keys=("system.run",),
)
def cloud_init_clean(context: CheckContext) -> Verdict:
    """/var/lib/cloud has no instance, semaphores, data or seed."""
    left = [
        entry.path
        for name in ("instance", "instances", "sem", "data")
        for entry in _left(context.guest, f"/var/lib/cloud/{name}")
    ]
    if left:
        return failed(f"left from an earlier boot: {', '.join(left[:3])}")
    seeds = [
        entry.path
        for name in ("nocloud", "nocloud-net")
        for entry in files(context.guest, f"/var/lib/cloud/seed/{name}")
    ]
    if seeds:
        return failed(
            f"a seed that cloud-init uses instead of Zero-OS's disk: {seeds[0]}",
            "Remove /var/lib/cloud/seed.",
        )
    return passed("nothing from an earlier boot in /var/lib/cloud")


def _left(tree: FileTree, path: str) -> Iterator[Entry]:
    entry = tree.lstat(path)
    if entry is not None and entry.kind is not EntryType.DIRECTORY:
        yield entry
    elif entry is not None:
        yield from files(tree, path)
