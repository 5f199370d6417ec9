"""A distribution whose package tool is not known: what needs none is done, the rest is told."""

from __future__ import annotations

from zwizard.distros.base import Distro, Suite
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action, Chroot, Host, Remove, Write
from zwizard.steps.step import Step


def bootstrap(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """It is never installed fresh."""
    raise NotImplementedError


def packages(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """It is never installed fresh."""
    raise NotImplementedError


def install(
    recipe: Recipe,  # noqa: ARG001 - the other families need it
    distro: Distro,  # noqa: ARG001
    names: tuple[str, ...],
) -> tuple[Action, ...]:
    """Say what is not installed."""
    return (_say(f"not installed, as no package tool is known for it: {', '.join(names)}"),)


def complete(recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
    """Say what a VM needs: the checklist will tell what of it is lacking."""
    return install(recipe, distro, (*distro.vm_packages, *distro.minimal_packages))


def initramfs(modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:  # noqa: ARG001
    """Say what it has to hold."""
    wanted = " and ".join(modules)
    return (
        _say(
            f"not made: the initramfs; it has to hold {wanted}. With dracut: --no-hostonly --add"
            " virtiofs; with mkinitcpio: MODULES=(virtio_pci virtiofs)"
        ),
    )


def kernel() -> tuple[Action, ...]:
    """It is unpacked from outside; what comes at an upgrade is the machine's own affair."""
    return ()


def zone(name: str) -> tuple[Action, ...]:  # noqa: ARG001
    """/etc/localtime says it all."""
    return ()


def language(locale: str) -> Action:
    """As systemd reads it."""
    return Write("/etc/locale.conf", f"LANG={locale}\n")


def commands(lines: tuple[str, ...]) -> tuple[Action, ...]:
    """As they are."""
    return tuple(Chroot(("sh", "-c", line)) for line in lines)


def clean() -> tuple[Action, ...]:
    """What the package managers of this world keep."""
    return (
        Remove(("/var/cache/dnf/*", "/var/cache/apk/*", "/var/cache/zypp/*", "/var/cache/yum/*")),
    )


def _say(text: str) -> Action:
    return Host(("echo", text))
