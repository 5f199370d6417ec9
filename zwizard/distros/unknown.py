"""Any other distribution: nothing is installed in it, as its package manager is not supported."""

from zwizard.distros.base import Distro, KernelPackage

OTHER = Distro(
    name="other",
    title="another distribution",
    family="none",
    suites=(),
    kernels=(KernelPackage("", "its own"),),
    bootstraps=(),
    vm_packages=("cloud-init", "an SSH server", "a network configuration for cloud-init"),
    minimal_packages=("an init system",),
    image_packages=(),
    image_services=(),
    esp_mount="/boot/efi",
)
