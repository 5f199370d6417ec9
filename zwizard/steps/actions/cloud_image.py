"""Convert a cloud image."""

from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall


@dataclass(frozen=True)
class Convert(FunctionCall):
    """Convert the disk image at ``location`` (a path or URL) to raw.

    ``sha256``: of the file, or "". ``limit``: bytes of the disk to be rented, which the image
    must not exceed.
    """

    location: str
    sha256: str
    limit: int
    programs = ("qemu-img",)
    scripts = ("fetch.sh", "cloud.sh")
    function = "convert_image"
    leaves = "image"
