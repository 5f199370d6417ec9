"""Unpack the kernels of a tree, or install the user's own."""

from dataclasses import dataclass

from zwizard.steps.actions.action import ROOT, Action, FunctionCall, Workplace, line
from zwizard.treetools import edit

_KERNEL = "/boot/vmlinuz"


@dataclass(frozen=True)
class LinkKernels(Action):
    """Run our ``script`` (absolute, in the tree) in its /boot, by this machine's tools.

    It takes the directory from ``ZOS_BOOT``. No file becomes larger than 1 GiB.
    """

    script: str
    programs = ("lz4", "xz", "zstd")
    modules = ("edit",)

    def shell(self) -> str:
        """One line of bash; a /boot that is a link might be this machine's."""
        run = f"ulimit -f 2097152 && . ..{self.script}"
        command = line(("env", "-C", f"{ROOT}/boot", "ZOS_BOOT=.", "sh", "-c", run))
        return f'[ ! -L "$ROOT"/boot ] && {command}'

    def perform(self, place: Workplace) -> None:
        """Run it where /boot is a directory of the tree and not a link out of it."""
        with edit.parent(place.root, _KERNEL):
            place.run_shell(self)


@dataclass(frozen=True)
class InstallKernel(FunctionCall):
    """Put the kernel at ``location`` (a path or URL), and an initramfs or "", into /boot.

    The SHA-256 sums are those of the files, or "".
    """

    location: str
    sha256: str
    initrd: str
    initrd_sha256: str
    scripts = ("fetch.sh", "kernel.sh")
    modules = ("edit",)
    function = "install_kernel"

    def perform(self, place: Workplace) -> None:
        """Run it where /boot is a directory of the tree and not a link out of it."""
        with edit.parent(place.root, _KERNEL):
            place.run_shell(self)
