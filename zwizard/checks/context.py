"""What the rules judge: a tree, how it is meant, and what several rules read, read once."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

from zwizard.checks.boot_entry import BootEntry, grub_entry
from zwizard.checks.drivers import Drivers, read_drivers
from zwizard.checks.helpers import startup_arguments
from zwizard.checks.mode_detection import DISK_IMAGE, INITRD, KERNEL, Detection, detect
from zwizard.checks.root_mount import VIRTIOFS
from zwizard.checks.services import Services, read_services
from zwizard.checks.settings.cloud_config import CloudConfig, read_cloud_config
from zwizard.checks.verdict import Mode
from zwizard.image.disk.disk_image import DiskImage
from zwizard.image.executables.entrypoint import StartCheck, Starter, first_program
from zwizard.image.executables.initramfs import Initramfs, read_initramfs
from zwizard.image.executables.kernel import KernelImage, read_kernel
from zwizard.image.flist.listing import Listing, listings
from zwizard.image.single_file import SingleFileTree
from zwizard.image.tree import FileTree, UnreadableError


@dataclass
class CheckContext:
    """An image that is being checked.

    ``mode`` is what it is judged as, ``stated`` whether the user stated it; ``name`` is the
    archive's file name, for a directory the planned one; ``disk_size`` is in bytes.
    """

    tree: FileTree
    mode: Mode
    stated: bool
    name: str
    disk_size: int | None = None
    entrypoint: str | None = None
    _file: BinaryIO | None = field(default=None, init=False)
    _initramfs: Initramfs | None = field(default=None, init=False)

    @cached_property
    def disk(self) -> DiskImage:
        """The disk image; raises UnreadableError if there is none."""
        entry = self.tree.entry if isinstance(self.tree, SingleFileTree) else None
        entry = entry or self.tree.resolve(DISK_IMAGE).file
        if entry is None:
            raise UnreadableError(
                f"{DISK_IMAGE} does not exist, so its contents were not checked",
                "Pack the raw disk image as image.raw.",
            )
        self._file = self.tree.open_entry(entry)
        return DiskImage(self.tree.path, self._file, entry.size)

    def has_device(self, device: str) -> bool:
        """Whether ``device`` (``UUID=…``, ``/dev/vda2``) is one of the disk image's own."""
        return any(volume.named(device) for volume in self.disk.volumes)

    def close(self) -> None:
        """Close the disk image, and what was unpacked."""
        if self._initramfs is not None:
            self._initramfs.close()
        if self._file is not None:
            self._file.close()

    @cached_property
    def guest(self) -> FileTree:
        """The guest's own root file system; raises UnreadableError if it cannot be read."""
        if self.mode is Mode.IMAGE:
            return self.disk.system
        return self.tree

    @property
    def starts(self) -> str:
        """The program that is started first: the entrypoint's, else ``/sbin/init``."""
        return first_program(None if self.mode is Mode.IMAGE else self.entrypoint)

    @cached_property
    def starter(self) -> Starter:
        """What says whether a program of the guest can start."""
        return Starter(self.guest, libraries=self._libraries)

    @property
    def _libraries(self) -> str:
        """LD_LIBRARY_PATH of a container: Zero-OS takes it from a converted Docker image."""
        if self.mode is not Mode.CONTAINER:
            return ""
        try:
            environment = startup_arguments(self.tree).get("env")
        except UnreadableError:
            return ""
        value = environment.get("LD_LIBRARY_PATH") if isinstance(environment, dict) else ""
        return value if isinstance(value, str) else ""

    @cached_property
    def start(self) -> StartCheck:
        """Whether ``starts`` can start; raises UnreadableError."""
        return self.starter.check(self.starts)

    @cached_property
    def services(self) -> Services:
        """The guest's services; raises UnreadableError if its init system is not supported."""
        return read_services(self.guest)

    @cached_property
    def cloud(self) -> CloudConfig:
        """cloud-init's configuration in the guest; raises UnreadableError."""
        return read_cloud_config(self.guest)

    @cached_property
    def listings(self) -> dict[str, Listing]:
        """The listing that each directory gets in a flist, by its path."""
        return listings(self.tree)

    @cached_property
    def detection(self) -> Detection:
        """What Zero-OS starts it as."""
        return detect(self.tree)

    @cached_property
    def boot(self) -> BootEntry:
        """What starts, and with which root; raises UnreadableError if GRUB's menu is not found."""
        if self.mode is Mode.IMAGE:
            return grub_entry(self.disk)
        initrd = INITRD if self.tree.lstat(INITRD) is not None else ""
        return BootEntry(self.tree, KERNEL, initrd, "vroot", VIRTIOFS)

    @cached_property
    def kernel(self) -> KernelImage:
        """The kernel that starts; raises UnreadableError if nothing can be read there."""
        with self.boot.tree.open(self.boot.kernel) as file:
            return read_kernel(file)

    @cached_property
    def initramfs(self) -> Initramfs | None:
        """The initramfs beside it, None if there is none; raises UnreadableError."""
        if not self.boot.initrd:
            return None
        with self.boot.tree.open(self.boot.initrd) as file:
            self._initramfs = read_initramfs(file, self.tree.path)
            return self._initramfs

    @cached_property
    def drivers(self) -> Drivers:
        """Where the kernel's drivers are; raises UnreadableError."""
        return read_drivers(self.guest, self.kernel)
