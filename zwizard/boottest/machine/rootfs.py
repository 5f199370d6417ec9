"""The artefact as a node mounts it: a temporary tree or disk."""

import subprocess
from pathlib import Path

from zwizard.boottest.results import NotUpError
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.engine import sandbox
from zwizard.host import tools
from zwizard.host.privileges import in_user_namespace
from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.gzip_stream import GzipStream
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import size

_CHUNK = 1 << 20
_UNMAPPED = 65534  # the owner that a user namespace shows for users outside it
# Device nodes: no flist keeps them.
_HARMLESS = ("Cannot mknod", "Exiting with failure status")


def unpack(archive: Path, work: Path) -> Path:
    """Unpack ``archive`` with its owners into ``work/root``; raises ZwizardError if damaged."""
    root, log_file = work / "root", work / "tar.log"
    root.mkdir()
    command = ["tar", "--extract", "--preserve-permissions", "--numeric-owner"]
    with archive.open("rb") as packed, log_file.open("wb") as log:
        tar = subprocess.Popen(
            [*command, "--same-owner", f"--directory={root}"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        assert tar.stdin is not None
        try:
            with tar.stdin as entry:
                entry.writelines(GzipStream(packed).pieces())
        except BrokenPipeError:
            pass  # tar ended early; its log has the reason
        except ArchiveError as error:
            raise ZwizardError(f"{archive.name} cannot be unpacked: {error}") from None
        finally:
            tar.wait()
    errors = [line for line in log_file.read_text("utf-8", "replace").splitlines() if line]
    wrong = [line for line in errors if not any(harmless in line for harmless in _HARMLESS)]
    if tar.returncode != 0 and (wrong or not errors):
        first = wrong[0] if wrong else f"tar ended with {tar.returncode}"
        raise ZwizardError(f"{archive.name} cannot be unpacked: {first}")
    return root


def overlay_directory(directory: Path, work: Path) -> Path:
    """A writable view of ``directory`` at ``work/root`` that leaves it unchanged.

    An overlayfs, or else a copy. Call it in a private mount namespace.
    """
    root, lower = work / "root", work / "lower"
    for place in (root, lower, work / "upper", work / "overlay"):
        place.mkdir()
    if in_user_namespace() and directory.stat().st_uid == _UNMAPPED:
        raise UsageError(
            f"{directory} belongs to another user",
            "Pack it and boot the .tar.gz, or run zwizard boot as that user.",
        )
    # Bind-mounted, because overlayfs splits a path at colons and commas.
    subprocess.run(["mount", "--rbind", str(directory), str(lower)], check=True)
    if not sandbox.mount_overlay(work, ["lower"], work, upper="upper"):
        subprocess.run(["cp", "-a", "--reflink=auto", f"{lower}/.", str(root)], check=True)
    return root


def mount_as_flist(root: Path) -> None:
    """Remove what a mounted flist does not keep, and what Zero-OS removes first.

    Special files and the setuid, setgid and sticky bits are lost on the way (rfs 1.x); the SSH
    host keys are deleted before a root volume is first used (zosbase, prepContainer).
    """
    special = ("-type", "b", "-o", "-type", "c", "-o", "-type", "p", "-o", "-type", "s")
    tools.run("find", root, "-xdev", "(", *special, ")", "-delete")
    set_bits = ("!", "-type", "l", "-perm", "/7000")
    tools.run("find", root, "-xdev", *set_bits, "-exec", "chmod", "a-st", "{}", "+")
    keys = ["find", str(root / "etc/ssh"), "-maxdepth", "1", "-name", "ssh_host_*", "-delete"]
    subprocess.run(keys, capture_output=True, check=False)  # there may be no such directory


def write_disk(image: Path, disk: Path, length: int, *, ours: bool) -> None:
    """Create ``disk`` of ``length`` bytes that starts with ``image``, as a node does.

    ``ours``: ``image`` is a temporary file, and may become the disk itself. Raises NotUpError
    if the disk is too small.
    """
    if image.stat().st_size > length:
        message = (
            f"image size is bigger than disk: {size(image.stat().st_size)} and {size(length)}."
            " Rent a larger disk, and give its size with --disk-size."
        )
        raise NotUpError(BootFailureCause("start", message, "image-fits-disk"))
    if ours:
        image.rename(disk)
    else:
        tools.run("cp", "--reflink=auto", "--sparse=always", image, disk)
    disk.chmod(0o600)
    with disk.open("r+b") as file:
        file.truncate(length)
