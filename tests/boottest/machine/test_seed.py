"""The seed disk: the files that a node writes, on a FAT disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support import disks
from zwizard.boottest.machine.seed import Seed, make_disk
from zwizard.image.disk.fat import FatTree
from zwizard.image.disk.ranges import FileRange

SEED = Seed(instance="proof-1", hostname="web", key="ssh-ed25519 AAAA proof")


def test_the_files_are_the_same_as_a_nodes() -> None:
    files = SEED.files()
    assert list(files) == ["meta-data", "network-config", "user-data", "zosrc"]
    assert files["meta-data"] == '#cloud-config\ninstance-id: "proof-1"\nlocal-hostname: "web"\n'
    assert files["network-config"] == (
        "#cloud-config\n"
        "version: 2\n"
        "ethernets:\n"
        "  eth0:\n"
        "    match:\n"
        # Unquoted, YAML 1.1 reads a MAC of digits as a number in base 60.
        '      macaddress: "54:43:83:13:37:01"\n'
        "    dhcp4: false\n"
        "    addresses:\n"
        "    - 10.1.3.77/24\n"
        "    gateway4: 10.1.3.1\n"
        "    nameservers:\n"
        "      addresses:\n"
        '      - "8.8.8.8"\n'
        '      - "1.1.1.1"\n'
        '      - "2001:4860:4860::8888"\n'
    )
    assert files["user-data"] == (
        "#cloud-config\n"
        "users:\n"
        "- name: root\n"
        "  ssh_authorized_keys:\n"
        '  - "ssh-ed25519 AAAA proof"\n'
    )
    assert files["zosrc"] == "export SSH_KEY='ssh-ed25519 AAAA proof'\n"


def test_zosrc_has_the_entrypoint_and_its_arguments() -> None:
    files = replace(SEED, entrypoint="/sbin/zinit init 'two words'").files()
    assert files["zosrc"].splitlines()[1:] == ["init=/sbin/zinit", "set -- init 'two words'"]


def test_the_disk_is_a_fat_of_2_mib_called_cidata_with_those_files(tmp_path: Path) -> None:
    disks.need_tools("mkfs.vfat", "mcopy")
    disk = tmp_path / "seed.img"
    make_disk(SEED, disk)
    assert disk.stat().st_size == 2 << 20
    assert b"cidata     " in disk.read_bytes()[:512]
    with disk.open("rb") as file, FatTree(disk, FileRange(file, 0, 2 << 20)) as view:
        found = {name: view.read(f"/{name}", 4096).decode() for name in SEED.files()}
    assert found == SEED.files()
