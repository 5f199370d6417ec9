"""The NoCloud seed disk, with the same files as Zero-OS writes them."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zwizard.boottest.machine.qemu import ADDRESS, GATEWAY, MAC
from zwizard.host import tools

_KIB = 2048  # of the disk, as in Zero-OS
_LABEL = "cidata"

# A node's network has no DHCP. The MAC is quoted: unquoted digits would be a number in base 60.
_NETWORK_CONFIG = f"""\
#cloud-config
version: 2
ethernets:
  eth0:
    match:
      macaddress: "{MAC}"
    dhcp4: false
    addresses:
    - {ADDRESS}
    gateway4: {GATEWAY}
    nameservers:
      addresses:
      - "8.8.8.8"
      - "1.1.1.1"
      - "2001:4860:4860::8888"
"""


@dataclass(frozen=True)
class Seed:
    """A deployment's settings: the workload's ID and name, root's SSH key, entrypoint."""

    instance: str
    hostname: str
    key: str
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """The four files by name (zosbase, pkg/vm/cloudinit)."""
        # JSON strings are YAML strings.
        instance, name, key = map(json.dumps, (self.instance, self.hostname, self.key))
        keys = f"users:\n- name: root\n  ssh_authorized_keys:\n  - {key}\n"
        return {
            "meta-data": f"#cloud-config\ninstance-id: {instance}\nlocal-hostname: {name}\n",
            "network-config": _NETWORK_CONFIG,
            "user-data": f"#cloud-config\n{keys}",
            "zosrc": self._zosrc(),
        }

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
