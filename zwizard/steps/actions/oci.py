"""Unpack a container image."""

from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall


@dataclass(frozen=True)
class UnpackOci(FunctionCall):
    """Unpack the root file system of the OCI or ``docker save`` image at ``location``.

    ``sha256``: of the file, or "".
    """

    location: str
    sha256: str
    programs = ("umoci",)
    scripts = ("fetch.sh", "oci.sh")
    modules = ("oci_layout",)
    function = "import_oci"
