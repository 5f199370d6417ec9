"""OCI images made by hand: layers of a few members, whiteouts among them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Members = list[tuple[str, Any]]
"""Names and what each is: bytes, None for a directory, a tuple of mode, uid, gid and bytes."""

CONFIG = {
    "Entrypoint": ["start.sh"],
    "Cmd": ["serve", "it's"],
    "Env": ["PATH=/opt/bin:/usr/bin:/bin", "LEVEL=a b"],
    "WorkingDir": "/srv/app",
    "User": "app",
    "Volumes": {"/data": {}},
    "ExposedPorts": {"80/tcp": {}},
}


def layer(members: Members) -> bytes:
    """A tar of these members, gzipped."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, what in members:
            info = tarfile.TarInfo(name)
            mode, info.uid, info.gid, data = what if isinstance(what, tuple) else (0, 0, 0, what)
            info.mode = mode or (0o755 if data is None else 0o644)
            if data is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return packed.getvalue()


class Layout:
    """An OCI layout being written to the directory ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._manifests: list[dict[str, Any]] = []

    def image(
        self,
        *layers: Members | bytes,
        architecture: str = "amd64",
        packs: Callable[[bytes], bytes] = gzip.compress,
        kind: str = "application/vnd.oci.image.layer.v1.tar+gzip",
        **config: Any,
    ) -> Layout:
        """Add an image of these layers, the lowest first; bytes are one packed already."""
        plain = [gzip.decompress(w if isinstance(w, bytes) else layer(w)) for w in layers]
        packed = [
            what if isinstance(what, bytes) else packs(data)
            for what, data in zip(layers, plain, strict=True)
        ]
        sums = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in plain]
        described = {
            "architecture": architecture,
            "os": "linux",
            "config": config or CONFIG,
            "rootfs": {"type": "layers", "diff_ids": sums},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob("application/vnd.oci.image.config.v1+json", described),
            "layers": [self._blob(kind, data) for data in packed],
        }
        entry = self._blob("application/vnd.oci.image.manifest.v1+json", manifest)
        entry["platform"] = {"architecture": architecture, "os": "linux"}
        self._manifests.append(entry)
        return self

    def attested(self) -> Layout:
        """Add an attestation of BuildKit's to the last image."""
        config = self._blob("application/vnd.oci.image.config.v1+json", {"os": "unknown"})
        statement = self._blob("application/vnd.in-toto+json", {"predicate": {}})
        manifest = {"schemaVersion": 2, "config": config, "layers": [statement]}
        entry = self._blob("application/vnd.oci.image.manifest.v1+json", manifest)
        entry["platform"] = {"architecture": "unknown", "os": "unknown"}
        entry["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
        self._manifests.append(entry)
        return self

    def unnamed(self) -> Layout:
        """The same without platforms, as skopeo writes it."""
        for entry in self._manifests:
            entry.pop("platform")
        return self

    def write(self) -> Path:
        """Write its index; the directory."""
        index = {"schemaVersion": 2, "manifests": self._manifests}
        (self.path / "index.json").write_text(json.dumps(index))
        return self.path

    def nested(self) -> Path:
        """The same, as registries' images of many architectures are: an index in the index."""
        kind = "application/vnd.oci.image.index.v1+json"
        inner = {"schemaVersion": 2, "mediaType": kind, "manifests": self._manifests}
        self._manifests = [self._blob(kind, inner)]
        return self.write()

    def _blob(self, kind: str, content: bytes | dict[str, Any]) -> dict[str, Any]:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def packed(directory: Path, tar: Path, prefix: str = "") -> Path:
    """An OCI layout as one tar."""
    with tarfile.open(tar, "w") as archive:
        for path in sorted(directory.rglob("*")):
            name = f"{prefix}{path.relative_to(directory).as_posix()}"
            archive.add(path, name, recursive=False)
    return tar


def saved(tar: Path, *layers: tuple[str, Members], prefix: str = "") -> Path:
    """What docker save and the like write: layers by name, uncompressed unless named .gz.

    A layer without members is a link to the one before it, as docker save had them.
    """
    files: dict[str, bytes | str] = {}
    sums: list[str] = []
    for name, members in layers:
        if not members:
            files[name] = f"../{list(files)[-1]}"
            sums.append(sums[-1])
            continue
        data = layer(members)
        files[name] = data if name.endswith(".gz") else gzip.decompress(data)
        sums.append(f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}")
    rootfs = {"type": "layers", "diff_ids": sums}
    config = {"architecture": "amd64", "os": "linux", "config": CONFIG, "rootfs": rootfs}
    manifest = [{"Config": "c.json", "RepoTags": ["web:latest"], "Layers": [n for n, _ in layers]}]
    files |= {
        "c.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(tar, "w") as archive:
        for name, what in files.items():
            info = tarfile.TarInfo(f"{prefix}{name}")
            if isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
                archive.addfile(info)
            else:
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
    return tar
