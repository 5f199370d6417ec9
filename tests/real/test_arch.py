"""Arch Linux, from a mirror of its shape: built, built again, upgraded, refused, and booted."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.conftest import Built
from tests.real.pacman_mirror import Mirror
from tests.real.workplace import Workplace, is_root
from tests.support.executables import starts
from zwizard.boottest.stages import stages
from zwizard.host import tools
from zwizard.image.executables.kernel import read_kernel

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not is_root(), reason="the mirror is made as root"),
]

ANOTHER = "0123456789ABCDEF0123456789ABCDEF01234567"


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    """Where every user can read it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        made = Mirror(Path(directory))
        made.make()
        yield made
        made.close()


def build(place: Workplace, name: str, text: str, target: str = "vm") -> Built:
    """The recipe ``name``, built."""
    path = place.directory / f"{name}.toml"
    path.write_text(f'name = "{name}"\ntarget = "{target}"\n{text}', encoding="utf-8")
    return Built(place, name, place.run("build", path, "--json"))


@pytest.fixture(scope="module")
def arch(place: Workplace, mirror: Mirror) -> Built:
    """A VM."""
    built = build(place, "arch-vm", mirror.source)
    assert built.result.code == 0, built.result.output + built.result.errors
    return built


@pytest.fixture(scope="module")
def image(arch: Built, mirror: Mirror) -> Built:
    """A disk image, on the same base."""
    built = build(arch.place, "arch-image", mirror.source, "image")
    assert built.result.code == 0, built.result.output + built.result.errors
    return built


def unpacked(built: Built) -> Path:
    """The tree that is in its archive."""
    tree = built.place.directory / f"{built.name}.tree"
    tree.mkdir()
    subprocess.run(["tar", "-xpf", built.archive, "-C", tree], check=True)
    return tree


@pytest.fixture(scope="module")
def tree(arch: Built) -> Path:
    """What the VM's archive holds."""
    return unpacked(arch)


def log(built: Built, step: str) -> str:
    (found,) = (built.place.build_directory(built.name) / "logs").glob(f"*-{step}.log")
    return found.read_text("utf-8", "replace")


class TestAVm:
    def test_is_ready(self, arch: Built) -> None:
        assert arch.result.last("build-finished")["ready"] is True
        assert arch.place.traces() == []

    def test_has_an_elf_beside_the_packed_kernel_that_mkinitcpio_reads(self, tree: Path) -> None:
        boot = tree / "boot"
        assert (boot / "vmlinuz").readlink() == Path("vmlinux-linux")
        assert (boot / "initrd.img").readlink() == Path("initramfs-linux.img")
        assert starts((boot / "vmlinux-linux").read_bytes())
        with (boot / "vmlinuz-linux").open("rb") as packed:
            assert read_kernel(packed).bzimage

    def test_holds_nothing_of_the_build_or_of_one_machine(self, tree: Path) -> None:
        for empty in ("run", "var/lib/pacman/sync", "var/log"):
            assert list((tree / empty).glob("*")) == [], empty
        for gone in ("etc/pacman.d/gnupg", "etc/pacman.d/zwizard.conf", "var/cache/pacman/pkg"):
            assert not (tree / gone).exists()
        hooks = tree / "etc/pacman.d/hooks"
        assert [hook.name for hook in hooks.iterdir()] == ["zz-zos-kernel.hook"]
        assert (tree / "etc/machine-id").read_bytes() == b""
        servers = (tree / "etc/pacman.d/mirrorlist").read_text()
        assert re.fullmatch(r"Server = file:///\S+/\$repo/os/\$arch\n", servers)

    def test_an_ordinary_user_builds_the_same_bytes(
        self, arch: Built, mirror: Mirror, ordinary_place: Workplace
    ) -> None:
        again = build(ordinary_place, "arch-vm", mirror.source)
        assert again.result.code == 0, again.result.output + again.result.errors
        assert again.sha256 == arch.sha256
        assert ordinary_place.run("clean", "--all").code == 0

    def test_pacstrap_of_the_guide_makes_the_same_bytes(self, arch: Built, mirror: Mirror) -> None:
        source = mirror.source + 'bootstrap = "pacstrap"\n'
        again = build(arch.place, "arch-pacstrap", source)
        assert again.result.code == 0, again.result.output + again.result.errors
        assert "Creating install root" in log(again, "bootstrap")
        assert again.sha256 == arch.sha256

    def test_the_exported_script_makes_the_same_bytes(self, arch: Built, tmp_path: Path) -> None:
        script, archive = tmp_path / "build.sh", tmp_path / "by-hand.tar.gz"
        script.write_text(arch.place.run("plan", "arch-vm.toml", "--script").output)
        subprocess.run(
            ["bash", script, tmp_path / "tree", archive],
            env={"PATH": os.environ["PATH"], "DOWNLOADS": str(tmp_path)},
            check=True,
            capture_output=True,
        )
        assert archive.read_bytes() == arch.archive.read_bytes()


class TestUntrustedPackages:
    """Nothing is taken from a mirror because the mirror says so."""

    def failed(self, arch: Built, text: str) -> str:
        built = build(arch.place, "arch-refused", text)
        assert built.result.code == 1
        assert arch.place.traces() == []
        return str(built.result.last("build-failed")["cause"])

    def test_a_mirror_not_signed_with_arch_keys(self, arch: Built, mirror: Mirror) -> None:
        without = "".join(
            line for line in mirror.source.splitlines(keepends=True) if "keys" not in line
        )
        assert "source.keys" in self.failed(arch, without)

    def test_a_mirror_signed_with_another_key(self, arch: Built, mirror: Mirror) -> None:
        source = mirror.source.replace(mirror.fingerprint, ANOTHER)
        assert "source.keys" in self.failed(arch, source)

    def test_a_package_without_a_signature(self, arch: Built, mirror: Mirror) -> None:
        assert "unsigned" in self.failed(arch, mirror.source + 'packages = ["unsigned"]\n')

    def test_a_package_that_does_not_exist(self, arch: Built, mirror: Mirror) -> None:
        assert "no-such" in self.failed(arch, mirror.source + 'packages = ["no-such"]\n')


class TestAnImage:
    def test_is_ready_and_shares_the_vms_base(self, image: Built) -> None:
        assert image.result.last("build-finished")["ready"] is True
        assert image.result.steps("step-cached") == ["bootstrap"]

    @pytest.mark.skipif(
        bool(tools.missing(("qemu-system-x86_64", "OVMF", "mkfs.vfat", "mcopy", "ssh"))),
        reason="QEMU, OVMF, mtools or ssh are not here",
    )
    def test_boots_by_uefi_from_the_esp_at_boot(self, image: Built) -> None:
        booted = image.place.run("boot", image.archive, "--json")
        assert booted.code == 0, booted.output + booted.errors
        told = {e["stage"]: e["outcome"] for e in booted.events if e["event"] == "boot-test-stage"}
        assert told == {stage.name: "pass" for stage in stages("image")}


class TestAKernelUpgrade:
    """The last, as the mirror moves on."""

    def test_leaves_an_elf_and_an_initramfs(self, arch: Built, mirror: Mirror) -> None:
        mirror.upgrade_kernel()
        more = 'packages = ["htop"]\n[system]\nrun = ["pacman-key --finger >/root/keys"]\n'
        late = build(arch.place, "arch-late", mirror.source + more)
        assert late.result.code == 0, late.result.output + late.result.errors
        assert late.result.last("build-finished")["ready"] is True
        told = log(late, "more-packages")
        assert "upgrading linux" in told
        assert told.index("Image generation successful") < told.index("zos-kernel: unpacked")
        tree = unpacked(late)
        assert (tree / "boot/vmlinuz").readlink() == Path("vmlinux-linux")
        assert (tree / "var/lib/pacman/local/linux-2-1").is_dir()
        # The user's commands had pacman's keys, the archive has none.
        assert "packager" in (tree / "root/keys").read_text()
        assert not (tree / "etc/pacman.d/gnupg").exists()


@pytest.mark.skipif(
    "ZWIZARD_ARCH_MIRROR" not in os.environ,
    reason="ZWIZARD_ARCH_MIRROR names no mirror of Arch Linux to build from (some 600 MB)",
)
def test_arch_itself(place: Workplace) -> None:
    """By hand, now and then: Arch's own packages, signed by Arch's own keys."""
    mirror = os.environ["ZWIZARD_ARCH_MIRROR"]
    source = f'[source]\ndistro = "arch"\nvariant = "minimal"\nmirror = "{mirror}"\n'
    for target in ("vm", "image"):
        built = build(place, f"arch-itself-{target}", source, target)
        assert built.result.code == 0, built.result.output + built.result.errors
        assert built.result.last("build-finished")["ready"] is True
