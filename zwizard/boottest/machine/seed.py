"""The NoCloud seed disk, with the same files as Zero-OS writes them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path

from zwizard.host import tools

_KIB = 2048  # of the disk, as in Zero-OS
_LABEL = "cidata"
_NAMESERVERS = ("8.8.8.8", "1.1.1.1", "2001:4860:4860::8888")
_FIRST_LINE = "#cloud-config\n"


@dataclass(frozen=True)
class Seed:
    """A deployment's settings: the workload's ID and name, address, root's SSH key, entrypoint.

    ``address`` includes the prefix (``10.1.3.77/24``); a node's network has no DHCP.
    """

    instance: str
    hostname: str
    mac: str
    address: IPv4Interface
    gateway: str
    key: str
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """The four files by name (zosbase, pkg/vm/cloudinit)."""
        return {
            "meta-data": f"{_FIRST_LINE}{self._meta_data()}",
            "network-config": f"{_FIRST_LINE}{self._network_config()}",
            "user-data": f"{_FIRST_LINE}{self._user_data()}",
            "zosrc": self._zosrc(),
        }

    # JSON strings are YAML strings. An unquoted MAC of digits alone would be a number in base 60.

    def _meta_data(self) -> str:
        name = json.dumps(self.hostname)
        return f"instance-id: {json.dumps(self.instance)}\nlocal-hostname: {name}\n"

    def _network_config(self) -> str:
        servers = "".join(f"      - {json.dumps(server)}\n" for server in _NAMESERVERS)
        return (
            "version: 2\n"
            "ethernets:\n"
            "  eth0:\n"
            "    match:\n"
            f"      macaddress: {json.dumps(self.mac)}\n"
            "    dhcp4: false\n"
            "    addresses:\n"
            f"    - {self.address}\n"
            f"    gateway4: {self.gateway}\n"
            "    nameservers:\n"
            "      addresses:\n"
            f"{servers}"
        )

    def _user_data(self) -> str:
        return f"users:\n- name: root\n  ssh_authorized_keys:\n  - {json.dumps(self.key)}\n"

    def _zosrc(self) -> str:
        variables = {"SSH_KEY": self.key, **self.environment}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        if self.entrypoint:
            program, *arguments = shlex.split(self.entrypoint)
            lines.append(f"init={shlex.quote(program)}")
            lines.append(f"set -- {shlex.join(arguments)}".rstrip())
        return "".join(f"{line}\n" for line in lines)


def make_disk(seed: Seed, disk: Path) -> None:
    """Write the seed as the FAT disk ``disk``; ZwizardError if a tool fails."""
    place = disk.with_suffix(".files")
    place.mkdir()
    for name, text in seed.files().items():
        (place / name).write_text(text, "utf-8")
    # FAT of the type that fits this size: mtools cannot read a FAT32 as small as Zero-OS's.
    tools.run("mkfs.vfat", "-n", _LABEL, "-C", disk.name, str(_KIB), cwd=disk.parent)
    names = [f"{place.name}/{name}" for name in seed.files()]
    tools.run("mcopy", "-i", disk.name, *names, "::/", cwd=disk.parent)
