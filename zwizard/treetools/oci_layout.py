"""``python -m zwizard.treetools.oci_layout IMAGE PLACE``: a container image, ready for umoci.

An OCI layout with one image for linux/amd64 and its layers uncompressed, whichever program wrote
IMAGE. The checksums of its index, manifest, configuration and layers are verified.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream
from zwizard.image.oci import OciError, opened_layers
from zwizard.util.text import one_line

_KIND = "application/vnd.oci.image"


def write_layout(image: Path, place: Path) -> None:
    """Write the layout to ``place``, a new directory; raises OciError, ArchiveError, OSError."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    with opened_layers(image) as found:
        layers = [_layer(blobs, checksum, content) for checksum, content in found]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": _document(blobs, "config.v1+json", config),
        "layers": layers,
    }
    named = {"org.opencontainers.image.ref.name": "image"}
    entry = _document(blobs, "manifest.v1+json", manifest) | {"annotations": named}
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _layer(blobs: Path, checksum: str, content: ByteStream) -> dict[str, Any]:
    found, size = hashlib.sha256(), 0
    path = blobs / "layer"
    with path.open("wb") as file:
        for piece in content.pieces():
            found.update(piece)
            size += file.write(piece)
    if checksum != f"sha256:{found.hexdigest()}":
        raise OciError(f"damaged: a layer does not have the checksum {one_line(str(checksum))}")
    path.rename(blobs / found.hexdigest())
    return {"mediaType": f"{_KIND}.layer.v1.tar", "digest": checksum, "size": size}


def _document(blobs: Path, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    data = json.dumps(content).encode()
    checksum = hashlib.sha256(data).hexdigest()
    (blobs / checksum).write_bytes(data)
    return {"mediaType": f"{_KIND}.{kind}", "digest": f"sha256:{checksum}", "size": len(data)}


def main(arguments: list[str]) -> int:
    """Write the layout, as the arguments say; the exit status."""
    image, place = arguments
    try:
        write_layout(Path(image), Path(place))
    except (OciError, ArchiveError, OSError) as error:
        sys.stderr.write(f"{one_line(image)} cannot be used: {one_line(str(error))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
