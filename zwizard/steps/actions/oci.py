"""Unpack a container image."""

from __future__ import annotations

from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall

# By the end of a file's name; gzip is everywhere.
_DECOMPRESSORS = {"xz": "xz", "lzma": "xz", "zst": "zstd", "bz2": "bzip2"}


@dataclass(frozen=True)
class UnpackOci(FunctionCall):
    """Unpack the root file system of the OCI or ``docker save`` image at ``location``.

    ``sha256``: of the file, or "".
    """

    location: str
    sha256: str
    programs = ("skopeo", "umoci")
    scripts = ("fetch.sh", "oci.sh")
    function = "import_oci"

    @property
    def tools(self) -> frozenset[str]:
        """With the program that decompresses the file."""
        found = (tool for end, tool in _DECOMPRESSORS.items() if self.location.endswith(end))
        return super().tools.union(found)
