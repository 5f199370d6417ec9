"""The boot loader of an image.raw: GRUB for UEFI, at the path that every firmware tries."""

from zwizard.plan.disk import fstab
from zwizard.recipe.fields import Grub
from zwizard.recipe.model import Recipe
from zwizard.steps import programs
from zwizard.steps.actions import InTree, Layout, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB

_DEFAULTS = """\
# Written by zwizard. After a change: grub-mkconfig -o /boot/grub/grub.cfg
GRUB_DEFAULT=0
GRUB_TIMEOUT={timeout}
GRUB_DISTRIBUTOR="{distributor}"
GRUB_CMDLINE_LINUX_DEFAULT="{cmdline}"
GRUB_CMDLINE_LINUX=""
GRUB_TERMINAL=console
GRUB_DISABLE_OS_PROBER=true
"""


def defaults(settings: Grub, distributor: str) -> str:
    """The text of /etc/default/grub."""
    quoted = "".join(f"\\{sign}" if sign in '"\\$`' else sign for sign in settings.cmdline)
    return _DEFAULTS.format(timeout=settings.timeout, distributor=distributor, cmdline=quoted)


def grub(recipe: Recipe, where: Layout, distributor: str) -> Step:
    """GRUB's settings, its EFI program and its configuration, and /etc/fstab."""
    script = programs.script("grub.sh")
    return Step(
        "grub",
        "Install GRUB for UEFI",
        (
            '"GRUB_CMDLINE_LINUX_DEFAULT=\\"loglevel=3 console=tty console=ttyS0\\""',
            '"Also set the GRUB_TIMEOUT to 0 for a faster boot"',
            "Only grub2 has been tested and known to work.",
        ),
        (
            fstab(where),
            Write("/etc/default/grub", defaults(recipe.grub, distributor)),
            InTree(("sh", "-c", script, "grub", where.esp_mount, where.esp_id, where.root_id)),
        ),
        answers=("grub.cmdline", "grub.timeout", "disk.esp_mount"),
        size=20 * MIB,
        guide=(
            "genfstab -U /mnt >> /mnt/etc/fstab\n"
            "grub-install --target=x86_64-efi --efi-directory=esp --removable\n"
            "grub-mkconfig -o /boot/grub/grub.cfg"
        ),
    )
