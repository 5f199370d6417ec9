"""Rules about /etc/fstab: what it mounts, and whether the machine starts without it."""

from zwizard.checks.context import CheckContext
from zwizard.checks.rule import VM_IMAGE, must, should
from zwizard.checks.settings.fstab import PATH, Mount, read_fstab
from zwizard.checks.verdict import Mode, Severity, Verdict, failed, passed

_FIX = (
    "Remove the line, or add nofail to its options; in a disk image name partitions by UUID=:"
    " genfstab -U."
)
_SEED_DISK = frozenset({"label=cidata"})
_TAG = "vroot"  # the virtiofs root of Zero-OS


@must(
    "The machine can mount what /etc/fstab requires",
    VM_IMAGE,
    source="A mount without nofail that fails stops the boot in emergency mode, without an SSH"
    " server (systemd.mount(5), local-fs.target). A VM with its own kernel has no disk of its own"
    " but its virtiofs root.",
    fix=_FIX,
    example="UUID=1234-ABCD /boot/efi vfat",
    reads=(PATH,),
    keys=("system.run",),
)
def fstab_mounts(context: CheckContext) -> Verdict:
    """Every line without nofail names a device, file or tag that the machine has."""
    mounts = list(read_fstab(context.guest))
    wrong = [mount.line for mount in mounts if mount.required and not _mountable(context, mount)]
    if not wrong:
        return passed(f"{len(mounts)} lines" if mounts else "no lines")
    evidence = f"/etc/fstab has: {'; '.join(wrong[:3])}"
    # Other init systems go on without it.
    stops = context.services.system == "systemd"
    return failed(evidence, severity=None if stops else Severity.SHOULD)


def _mountable(context: CheckContext, mount: Mount) -> bool:
    if mount.is_block:
        return _has_device(context, mount) or (
            # systemd does not wait for the device of a root that is mounted already.
            mount.point == "/" and context.mode is Mode.VM
        )
    if mount.kind in {"virtiofs", "9p"}:
        return mount.device == _TAG and context.mode is Mode.VM
    if mount.device.startswith("/"):
        return context.guest.resolve(mount.device).entry is not None
    return True


def _has_device(context: CheckContext, mount: Mount) -> bool:
    if mount.device.lower() in _SEED_DISK:
        return True
    return context.mode is Mode.IMAGE and context.has_device(mount.device)


@should(
    "/etc/fstab mounts only disks that exist",
    VM_IMAGE,
    source="systemd waits 90 seconds for a device that is missing (systemd.mount(5)). The root of"
    " a VM with its own kernel is virtiofs; that of a disk image is one of its own partitions.",
    fix=_FIX,
    example="/etc/fstab has: /dev/loop0p2 / ext4",
    keys=("system.run",),
)
def fstab(context: CheckContext) -> Verdict:
    """Block devices are the disk image's own or have nofail; none is a loop device."""
    mounts = [mount for mount in read_fstab(context.guest) if mount.is_block]
    wrong = [
        mount.line
        for mount in mounts
        if "/dev/loop" in mount.device or not (mount.optional or _has_device(context, mount))
    ]
    if wrong:
        return failed(f"/etc/fstab has: {'; '.join(wrong[:3])}")
    return passed(f"{len(mounts)} block devices, all available" if mounts else "no block devices")
