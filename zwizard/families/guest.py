"""Steps for every guest: settings, the user's packages and commands, and the clean-up."""

from zwizard.distros.base import Distro
from zwizard.families import family
from zwizard.families.family import Family
from zwizard.recipe.model import Recipe
from zwizard.recipe.relevance import treatment
from zwizard.steps.actions import Action, InTree, Link, Remove, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB

# Read after the distributions' own 90_dpkg.cfg, which lists every source: with many, cloud-init
# disables itself unless it sees the disk at the very beginning.
_CLOUD_CONFIG = "/etc/cloud/cloud.cfg.d/99-zero-os.cfg"
_CLOUD = """\
# Zero-OS configures the machine from a NoCloud disk; nothing else is asked.
datasource_list: [NoCloud, None]
# The image has its locale.
locale: false
system_info:
  network:
    renderers: [{renderers}]
"""

HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""


_AT_UPGRADES = "A kernel hook does it after every upgrade too, which else compresses it again."
RESOLVED = Link("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
_OF_VM = "\"rm /etc/resolv.conf; echo 'nameserver 1.1.1.1' > /etc/resolv.conf\""
_OF_IMAGE = '"let\'s drop the root password all together"; "make sure we using resolved"'
_GUIDE_VM = "rm /etc/resolv.conf\necho 'nameserver 1.1.1.1' > /etc/resolv.conf"
_GUIDE_IMAGE = """\
passwd -d root
systemctl enable sshd systemd-networkd systemd-resolved cloud-init cloud-final
rm /etc/resolv.conf
ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"""


def kernel(hook: tuple[Action, ...], *unpack: Action) -> Step:
    """The kernel unpacked to ELF and linked, by ``unpack`` and a ``hook`` for later upgrades."""
    return Step(
        "kernel",
        "Unpack the kernel to ELF and link it in /boot",
        (
            '"the vmlinuz MUST be an EFI kernel (not compressed)"',
            '"If ZOS found the /boot/vmlinuz file, it will use this with the initrd.img"',
            *((_AT_UPGRADES,) if hook else ()),
        ),
        (*unpack, *hook),
        size=60 * MIB,
        guide=(
            "sudo ./extract-vmlinux ubuntu:jammy/boot/vmlinuz |"
            " sudo tee ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf > /dev/null\n"
            "sudo mv ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf"
            " ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic"
        ),
    )


def settings(recipe: Recipe, distro: Distro) -> Step:
    """Time zone, locale, name resolution and services; cloud-init sets the host name."""
    system = recipe.system
    image = recipe.target == "image"
    services = (*(distro.image_services if image else distro.vm_services), *system.services)
    actions: list[Action] = [
        cloud_config("netplan, networkd, eni"),
        RESOLVED if image else Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        Remove(("/etc/hostname",)),
        Write("/etc/hosts", HOSTS),
        *timezone(system.timezone, family.of(distro)),
        *localise(system.locale, family.of(distro)),
    ]
    if image:
        actions.append(InTree(("passwd", "-d", "root")))
    if services:
        actions.append(InTree(("systemctl", "enable", *services)))
    return Step(
        "system",
        "Set time zone, locale, name resolution and services",
        (
            _OF_IMAGE if image else _OF_VM,
            '"You don\'t have to set the hostname, this will be setup later on zos"',
        ),
        tuple(actions),
        answers=("system.timezone", "system.locale", "system.services"),
        size=4 * MIB,
        guide=_GUIDE_IMAGE if image else _GUIDE_VM,
    )


def cloud_config(renderers: str) -> Write:
    """Have cloud-init ask Zero-OS alone, and set the network up by the first of ``renderers``."""
    return Write(_CLOUD_CONFIG, _CLOUD.format(renderers=renderers))


def timezone(zone: str, of: Family) -> tuple[Action, ...]:
    """Have the time of ``zone``; it has to be known in the tree."""
    file = f"/usr/share/zoneinfo/{zone}"
    return (
        InTree(_must(f"test -f {file}", f"there is no time zone {zone} in this suite")),
        Link("/etc/localtime", file),
        *((Write(of.ZONE_FILE, f"{zone}\n"),) if of.ZONE_FILE else ()),
    )


def localise(locale: str, of: Family) -> tuple[Action, ...]:
    """Have ``locale``, made if it is not there from the beginning."""
    default = Write(of.LOCALE_FILE, f"LANG={locale}\n")
    if not is_generated(locale):
        return (default,)
    line = f"{locale} {charset(locale)}"
    return (
        InTree(
            _must(
                f"grep -qxF '{line}' /usr/share/i18n/SUPPORTED",
                f"there is no locale {locale} in this suite (see /usr/share/i18n/SUPPORTED)",
            )
        ),
        Write("/etc/locale.gen", f"{line}\n"),
        InTree(("locale-gen",)),
        default,
    )


def charset(locale: str) -> str:
    """The charset of a locale, from its name, as locale-gen needs it."""
    return locale.partition("@")[0].partition(".")[2] or "ISO-8859-1"


def _must(test: str, otherwise: str) -> tuple[str, ...]:
    return ("sh", "-c", f"{test} || {{ echo '{otherwise}' >&2; exit 1; }}")


def is_generated(locale: str) -> bool:
    """Whether ``locale`` must be generated: the C library has only C and POSIX built in."""
    return locale.partition(".")[0] not in {"C", "POSIX"}


def more_packages(recipe: Recipe, distro: Distro) -> tuple[Step, ...]:
    """The user's own packages, in a step of their own: changing them costs little."""
    names = tuple(dict.fromkeys((*_for_settings(recipe, distro), *recipe.source.packages)))
    if not names:
        return ()
    return (
        Step(
            "more-packages",
            "Install your packages",
            ('"continue installing the necessary packages needed and configure few things"',),
            family.of(distro).install(recipe, distro, names),
            answers=("source.packages",),
            network=True,
            size=(20 + 40 * len(names)) * MIB,
        ),
    )


def _for_settings(recipe: Recipe, distro: Distro) -> tuple[str, ...]:
    """The packages that the time zone and the locale of a new container need."""
    new = recipe.target == "container" and treatment(recipe.values()) == "installed"
    if distro.family != "apt" or not new:
        return ()  # the base has them
    return (
        *(("tzdata",) if recipe.system.timezone != "UTC" else ()),
        *(("locales",) if is_generated(recipe.system.locale) else ()),
    )


def commands(recipe: Recipe, distro: Distro) -> tuple[Step, ...]:
    """The user's own commands."""
    if not recipe.system.run:
        return ()
    return (
        Step(
            "commands",
            "Run your commands",
            ("Your own commands run last, in the image.",),
            family.of(distro).commands(recipe.system.run),
            answers=("system.run",),
            network=True,
            size=50 * MIB,
        ),
    )


def clean(distro: Distro, *, cloud_init: bool = True) -> Step:
    """Remove what belongs to the build or to one machine, not to the image."""
    return Step(
        "clean",
        "Clean up caches, keys and identities",
        (
            '"clean up cache"',
            *(('"to make sure we have clean setup: cloud-init clean"',) if cloud_init else ()),
            '"sudo rm -rf ubuntu:jammy/dev/*"',
            "Each machine makes its own SSH host keys and machine id; the logs are this build's.",
        ),
        (
            *((InTree(("cloud-init", "clean", "--logs")),) if cloud_init else ()),
            *family.of(distro).clean(),
            Remove(
                (
                    "/etc/ssh/ssh_host_*",
                    "/var/lib/dbus/machine-id",
                    "/var/log/*.log",
                    "/var/cache/ldconfig/aux-cache",
                    "/dev/*",
                    "/run/*",
                    "/tmp/*",  # noqa: S108 - the image's
                    "/var/tmp/*",  # noqa: S108
                )
            ),
            Write("/etc/machine-id", ""),
        ),
        size=1 * MIB,
        guide="cloud-init clean\n" * cloud_init + "apt-get clean\nsudo rm -rf ubuntu:jammy/dev/*",
    )
