"""Where the root file system comes from: bootstrap, and the packages on top."""

from __future__ import annotations

from zwizard.distros.distro import Distro, Suite
from zwizard.plan.actions import DOWNLOADS, ROOT, Action, Chroot, Host, Remove, TrustKeys, Write
from zwizard.plan.step import Step
from zwizard.recipe import Recipe

_MIB = 2**20
_POLICY = "/usr/sbin/policy-rc.d"

# Packages ask this program whether a service may start; in a chroot none may.
QUIET = Write(_POLICY, "#!/bin/sh\nexit 101\n", mode=0o755)
UNQUIET = Remove((_POLICY,))


def bootstrap(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """The base system, by mmdebstrap or debootstrap."""
    source = recipe.source
    tool = "mmdebstrap" if source.bootstrap == "auto" else source.bootstrap
    mirror = (source.mirror,) if source.mirror else ()
    options: tuple[str, ...] = (
        (f"--components={','.join(distro.components)}",) if distro.components else ()
    )
    keys: tuple[Action, ...] = ()
    if keyring := distro.keyring:
        options += ("--keyring", f"{DOWNLOADS}/{keyring.file}")
        keys = (
            TrustKeys(
                keyring.file,
                keyring.package,
                source.mirror or distro.mirror,
                suite.name,
                keyring.fingerprints,
            ),
        )
    command: tuple[str, ...]
    if tool == "debootstrap":
        command = ("debootstrap", *options, suite.name, ROOT, *mirror)
    else:
        variant = {"standard": "important", "minimal": "apt"}[source.variant]
        command = ("mmdebstrap", "--mode=root", "--format=directory", f"--variant={variant}")
        # The next step needs the lists again, and removes them at the end.
        command += ("--skip=cleanup/apt/lists", *options, suite.name, ROOT, *mirror)
    return Step(
        "bootstrap",
        f"Install the base system of {suite.title}",
        ('"this will create and download the basic rootfs"',),
        (*keys, Host(command)),
        answers=("source.suite", "source.variant", "source.bootstrap", "source.mirror"),
        network=True,
        size=(320 if source.variant == "standard" else 230) * _MIB,
        document="sudo debootstrap jammy ubuntu:jammy http://archive.ubuntu.com/ubuntu",
    )


def packages(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """What every VM on Zero-OS needs: kernel, cloud-init, SSH, a network; an image also GRUB."""
    kernel = recipe.kernel.package or distro.kernels[0].package
    minimal = recipe.source.variant == "minimal"
    image = recipe.target == "image"
    needed = (*distro.image_packages, *suite.image_packages) if image else distro.vm_packages
    names = (*needed, *(distro.minimal_packages if minimal else ()), kernel)
    host_keys = tuple(
        Write(f"/etc/ssh/ssh_host_{kind}_key", "", mode=0o600)
        for kind in ("rsa", "ecdsa", "ed25519")
    )
    # No initramfs yet: the next step makes it, once, with the modules it needs.
    install = ("env", "INITRD=No", *_install(names, recommends=not minimal))
    return Step(
        "packages",
        "Install kernel, cloud-init, SSH and network",
        (
            '"apt-get install cloud-init openssh-server curl"',
            '"Also really important that we install a kernel"',
            "Empty SSH host keys keep the package from making some that are removed again.",
        ),
        (
            *host_keys,
            QUIET,
            *(_GRUB_ANSWERS if image else ()),
            Chroot(_UPDATE),
            Chroot(install),
            UNQUIET,
        ),
        answers=("kernel.package",),
        network=True,
        size=300 * _MIB,
        document=(
            "apt-get update\napt-get install cloud-init openssh-server curl\n"
            "apt-get install linux-modules-extra-5.15.0-25-generic"
        ),
    )


# Asked when GRUB is installed and upgraded: its EFI program is where every firmware looks.
_GRUB_ANSWERS = (
    Chroot(
        (
            *("sh", "-c"),
            "printf 'grub-efi-amd64 grub2/%s\\n' 'update_nvram boolean false'"
            " 'force_efi_extra_removable boolean true' | debconf-set-selections",
        )
    ),
)


def more_packages(recipe: Recipe) -> tuple[Step, ...]:
    """The user's own packages: a step of its own, so that changing them costs little."""
    names = recipe.source.packages
    if not names:
        return ()
    actions: tuple[Action, ...] = (
        QUIET,
        Chroot(_UPDATE),
        Chroot(_install(names, recommends=recipe.source.variant != "minimal")),
        UNQUIET,
    )
    return (
        Step(
            "more-packages",
            "Install your packages",
            ('"continue installing the necessary packages needed and configure few things"',),
            actions,
            answers=("source.packages",),
            network=True,
            size=(20 + 40 * len(names)) * _MIB,
        ),
    )


# A mirror that does not answer is asked again, with growing pauses, before the step fails.
_RETRY = ("-o", "Acquire::Retries=3")

# Nobody reads the packages' descriptions here, least of all translated ones.
_UPDATE = (
    *("apt-get", "update", *_RETRY, "-o", "APT::Update::Error-Mode=any"),
    *("-o", "Acquire::Languages=none"),
)

# Each downloaded package is deleted once it is installed, so that no layer carries it.
_NO_DEBS = ("-o", "APT::Keep-Downloaded-Packages=false")


def _install(names: tuple[str, ...], *, recommends: bool) -> tuple[str, ...]:
    lean = () if recommends else ("--no-install-recommends",)
    return ("apt-get", "install", "--yes", *_RETRY, *_NO_DEBS, *lean, *names)
