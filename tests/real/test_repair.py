"""Images by others, broken as the document's readers break them: imported, mended, and ready."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard

from tests.real.test_boot import without_virtiofs
from tests.real.workplace import Workplace, is_root
from tests.support import disks
from tests.support.executables import VERSION, bzimage, program
from tests.support.faults import (
    Fault,
    appended,
    both,
    executable,
    link,
    member,
    remove,
    wrapped,
    write,
)
from tests.support.trees import packed, vm_tree
from zwizard.boottest import records
from zwizard.checks import check

pytestmark = pytest.mark.real

ID = b"0123456789abcdef0123456789abcdef\n"


def compressed(root: Path) -> None:
    """The kernel as the distribution ships it."""
    name = f"boot/{(root / 'boot/vmlinuz').readlink()}"
    data = (root / name).read_bytes()
    write(name, bzimage(zstandard.compress(data, 1), size=len(data)))(root)


def absolute_links(root: Path) -> None:
    for name in ("boot/vmlinuz", "boot/initrd.img"):
        link(name, f"/boot/{(root / name).readlink()}")(root)


def wrong_in(path: Path) -> dict[str, str]:
    return {f.slug: f.evidence for f in check(path, mode="vm").findings if f.wrong}


# --- a small tree: every mend that needs no package tool, a second each -------------------------

SMALL: dict[str, Fault] = {
    "kernel-elf": compressed,
    "kernel-link-relative": absolute_links,
    "cloud-init-nocloud": write("etc/cloud/cloud.cfg.d/99-zero-os.cfg", b"datasource_list: [Ec2]"),
    "cloud-init-clean": both(
        write("var/lib/cloud/seed/nocloud/user-data", b"x"),
        write("var/lib/cloud/sem/x.once", b"1"),
    ),
    "cloud-init-network-clean": write("etc/netplan/50-cloud-init.yaml", b"network: {version: 2}"),
    "ssh-host-keys": write("etc/ssh/ssh_host_rsa_key", b"key"),
    "machine-id": both(write("etc/machine-id", ID), write("var/lib/dbus/machine-id", ID)),
    "hostname": write("etc/hostname", b"buildbox\n"),
    "resolv-conf": link("etc/resolv.conf", "../run/nowhere"),
    "tree-mountpoints": both(remove("proc", "tmp", "run"), write("run", b"")),
    "package-cache": write("var/cache/apt/archives/vim.deb", b"x"),
    "dev-empty": write("dev/console", b""),
    "build-leftovers": both(
        write("proc/1/status", b""), executable("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
    ),
}


def test_every_repairable_rule_passes_after_the_repair(place: Workplace) -> None:
    given = place.directory / "given/ubuntu:jammy"
    both(*SMALL.values(), write("root/.bash_history", b"mysql -psecret\n"))(vm_tree(given))
    assert {*SMALL, "path-colon", "no-secrets"} <= set(wrong_in(given))
    before = records.digest(given)
    result = place.run("repair", given, "--json")
    assert result.code == 0, result.output + result.errors
    finished = result.last("build-finished")
    assert finished["ready"] is True
    assert finished["archive"] == str(given.with_name("ubuntu-jammy-repaired.tar.gz"))
    assert list(wrong_in(Path(finished["archive"]))) == ["no-secrets"]
    assert records.digest(given) == before
    planned = result.events[0]
    assert {fix["rule"] for fix in planned["fixed"]} >= {*SMALL, "path-colon"}
    assert [finding["rule"] for finding in planned["left"]] == ["no-secrets"]


def test_nothing_is_overwritten_and_unfixed_findings_are_listed(place: Workplace) -> None:
    given = vm_tree(place.directory / "given/again")
    both(SMALL["machine-id"], write("root/.bash_history", b"mysql -psecret\n"))(given)
    for name in ("again-repaired", "again-repaired-2"):
        result = place.run("repair", given)
        assert result.code == 0, result.output
        assert "Not fixed:\n  ✗ no-secrets: " in result.output
        assert given.with_name(f"{name}.tar.gz").exists()


@pytest.mark.parametrize("breaks", [wrapped, remove("boot/vmlinuz", "boot/initrd.img")])
def test_a_vm_that_would_start_as_a_container_is_recognised(
    place: Workplace, tmp_path: Path, breaks: Fault
) -> None:
    given = vm_tree(tmp_path / "given")
    both(SMALL["kernel-elf"], breaks)(given)
    result = place.run("repair", given)
    assert result.code == 0, result.output
    assert wrong_in(given.with_name("given-repaired.tar.gz")) == {}


def test_a_broken_archive_is_packed_again(place: Workplace) -> None:
    given = packed(vm_tree(place.directory / "given/archive"), place.directory / "a b.tar.gz")
    appended(
        member("/etc/absolute"), member("./etc/hosts", owner="joe"), member("dev/null", b"3")
    )(given)
    assert {"archive-paths", "archive-duplicates", "archive-owners"} <= set(wrong_in(given))
    result = place.run("repair", given)
    assert result.code == 0, result.output
    assert wrong_in(given.with_name("a-b-repaired.tar.gz")) == {}


def test_a_good_archive_is_left_alone(place: Workplace) -> None:
    given = vm_tree(place.directory / "given/good")
    result = place.run("repair", given)
    assert (result.code, result.output) == (0, "No problems found.\n\n")
    assert not given.with_name("good-repaired.tar.gz").exists()


def test_without_any_possible_fix_nothing_is_built(place: Workplace) -> None:
    given = vm_tree(place.directory / "given/old")
    remove(f"usr/lib/modules/{VERSION}/modules.dep")(given)
    result = place.run("repair", given)
    assert result.code == 3
    assert result.output.startswith("Nothing here can be fixed.\n\nNot fixed:\n")
    assert "kernel-version: " in result.output


def test_a_container_is_repaired_too(place: Workplace) -> None:
    given = place.directory / "given/service"
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        (given / name).mkdir(parents=True)
    write("bin/app", program())(given)
    (given / "bin/app").chmod(0o755)
    SMALL["resolv-conf"](given)
    SMALL["dev-empty"](given)
    result = place.run("repair", given, "--mode", "container", "--entrypoint", "/bin/app")
    assert result.code == 0, result.output
    made = given.with_name("service-repaired.tar.gz")
    report = check(made, mode="container", entrypoint="/bin/app")
    assert [f.slug for f in report.findings if f.wrong] == []


def test_the_entrypoint_comes_from_the_build_or_the_command_line(place: Workplace) -> None:
    tree = place.directory / "given/tree"
    write("bin/app", program())(tree)
    (tree / "bin/app").chmod(0o755)
    source = (
        f'[source]\nkind = "rootfs"\nlocation = "{tree}"\n'
        '[container]\nentrypoint = "/bin/app"\nargs = ["-v", "x y"]\nenv = { A = "b" }\n'
    )
    assert place.run("build", place.recipe("own", source, "container")).code == 0
    made = place.run("repair", place.directory / "own.tar.gz")
    assert (made.code, made.output) == (0, "No problems found.\n\n")
    result = place.run("repair", tree, "--mode", "container", "--entrypoint", "/bin/app -v 'x y'")
    assert result.code == 0, result.output + result.errors
    note = tree.with_name("tree-repaired.deploy.md").read_text()
    assert "- Entrypoint: `/bin/app -v 'x y'`" in note


def test_an_empty_directory_is_refused(place: Workplace) -> None:
    (place.directory / "given/nothing").mkdir(parents=True)
    result = place.run("repair", place.directory / "given/nothing")
    assert (result.code, "nothing is empty" in result.errors) == (2, True)


def test_the_output_of_a_repair_must_be_a_directory(place: Workplace) -> None:
    tree = vm_tree(place.directory / "given/tree")
    SMALL["machine-id"](tree)
    result = place.run("repair", tree, "--output", place.directory / "new.tar.gz")
    assert (result.code, "is not a directory" in result.errors) == (2, True)
    assert not (place.directory / "new.tar.gz").exists()


def test_a_damaged_archive_and_a_disk_image_are_refused(place: Workplace) -> None:
    given = packed(vm_tree(place.directory / "given/cut"), place.directory / "cut.tar.gz")
    os.truncate(given, given.stat().st_size // 2)
    result = place.run("repair", given)
    assert result.code == 2
    assert "is damaged: truncated" in result.errors
    (place.directory / "given/disk").mkdir()
    (place.directory / "given/disk/image.raw").write_bytes(bytes(1 << 20))
    result = place.run("repair", place.directory / "given/disk")
    assert result.code == 2
    assert "is a disk image, which cannot be repaired" in result.errors


# --- hostile trees ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "expected"), [("boot", 1), ("etc", 1), ("run", 0), ("dev", 1)])
def test_no_step_follows_a_link_out_of_the_tree(
    place: Workplace, name: str, expected: int
) -> None:
    outside = place.directory / "outside" / name
    outside.mkdir(parents=True)
    (outside / "vmlinuz-1").write_bytes(b"\x7fELF")
    given = vm_tree(place.directory / f"given/link-{name}")
    SMALL["ssh-host-keys"](given)
    SMALL["kernel-link-relative"](given)
    if name == "dev":
        write("etc/shadow", b"root:$y$j9T$abc$def:19518::::::\n")(given)  # mended in the tree
    shutil.move(given / name, given / f"the-{name}")
    link(name, str(outside))(given)
    before = records.digest(outside)
    result = place.run("repair", given, "--mode", "vm")
    assert result.code == expected, result.output
    assert records.digest(outside) == before


def test_a_link_where_zwizard_writes_is_replaced_and_not_followed(place: Workplace) -> None:
    given = vm_tree(place.directory / "given/prepared")
    compressed(given)
    kernel = (given / "boot/vmlinuz").readlink()
    victim = place.directory / "victim"
    victim.write_bytes(b"mine")
    for name in (f"boot/.{kernel}.elf", ".zos-kernel"):
        (given / name).symlink_to(victim)
    result = place.run("repair", given)
    assert result.code == 0, result.output
    assert victim.read_bytes() == b"mine"


class TestAnOrdinaryUser:
    def test_imports_without_root_and_keeps_owners(self, ordinary_place: Workplace) -> None:
        tree = vm_tree(ordinary_place.directory / "tree")
        if is_root():
            os.mknod(tree / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.chown(tree / "etc/hosts", 33, 4242)
            os.setxattr(tree / "etc/hosts", "user.mark", b"yes")
        given = ordinary_place.directory / "given.tar.zst"
        disks.run("tar", "--zstd", "--xattrs", "-cf", given, "-C", tree, ".")
        recipe = ordinary_place.recipe(
            "imported", f'[source]\nkind = "rootfs"\nlocation = "{given}"\n'
        )
        result = ordinary_place.run("build", recipe, "--json")
        assert result.code == 0, result.output + result.errors
        with tarfile.open(ordinary_place.directory / "imported.tar.gz") as archive:
            hosts = archive.getmember("./etc/hosts")
            assert (hosts.uid, hosts.gid) == ((33, 4242) if is_root() else (hosts.uid, hosts.gid))
            assert "./dev/null" not in archive.getnames()
        told = ordinary_place.run("log", "imported", "import").output
        assert "left out: ./dev/null, a character device" in told
        assert ordinary_place.traces() == []

    def test_makes_a_vm_of_a_cloud_image_without_root(self, ordinary_place: Workplace) -> None:
        here = ordinary_place.directory
        raw, image = here / "disk.raw", here / "disk.qcow2"
        disks.disk(raw, disks.image_tree(here / "on-disk"), disks.ROOT_PART)
        disks.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
        source = f'[source]\nkind = "cloud-image"\ndistro = "other"\nlocation = "{image}"\n'
        result = ordinary_place.run("build", ordinary_place.recipe("of-disk", source), "--json")
        assert result.code == 0, result.output + result.errors
        assert wrong_in(here / "of-disk.tar.gz") == {}
        assert ordinary_place.traces() == []

    @pytest.mark.skipif(not is_root(), reason="makes a tree of root's")
    def test_a_directory_of_roots_is_refused(self, ordinary_place: Workplace) -> None:
        tree = vm_tree(ordinary_place.directory / "roots")
        SMALL["machine-id"](tree)
        result = ordinary_place.run("repair", tree)
        assert result.code == 2  # before anything runs
        assert "import it as root" in result.errors


# --- a real one ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(vm_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real VM as the document's reader has made it: in ubuntu:jammy, with every mistake."""
    root = tmp_path_factory.mktemp("broken") / "ubuntu:jammy"
    root.mkdir()
    disks.run("tar", "-xpf", vm_archive, "-C", root)
    without_virtiofs(root)
    compressed(root)
    absolute_links(root)
    for slug in ("ssh-host-keys", "machine-id", "package-cache"):
        SMALL[slug](root)
    write("etc/fstab", b"UUID=1-2 /boot/efi vfat umask=0077 0 1\n")(root)
    return root


def test_a_real_vm_with_every_mistake_of_the_guide_is_repaired(
    place: Workplace, unpacked: Path
) -> None:
    result = place.run("repair", unpacked, "--json")
    assert result.code == 0, result.output + result.errors
    assert {fix["rule"] for fix in result.events[0]["fixed"]} >= {
        *("path-colon", "kernel-elf", "kernel-link-relative", "initrd-virtiofs"),
        *("ssh-host-keys", "machine-id", "package-cache", "fstab-mounts", "fstab"),
    }
    steps = ["import", "initramfs", "kernel", "settings", "clean", "pack"]
    assert result.steps("step-started") == steps
    report = check(Path(result.last("build-finished")["archive"]), mode="vm")
    assert {f.slug for f in report.findings if f.wrong} == {"setuid-files"}
    assert "ELF" in report.finding("kernel-elf").evidence
    assert place.traces() == []


def test_a_killed_import_resumes_without_the_network(place: Workplace, vm_archive: Path) -> None:
    recipe = place.recipe("whole", f'[source]\nkind = "rootfs"\nlocation = "{vm_archive}"\n')
    process = place.start("build", recipe, "--json")
    place.wait_for_step("whole", "import")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    place.run("cancel", "whole")
    place.wait_for(lambda: not _alive(place, "whole"), "the runner stays", 30)
    result = place.run("resume", "whole", "--json")
    assert result.code == 0, result.output + result.errors
    assert result.steps("step-started")[0] == "import"
    told = place.run("log", "whole", "packages").output
    assert "installed: cloud-init (/usr/bin/cloud-init)" in told
    assert not any(line.startswith("missing: ") for line in told.splitlines())
    again = place.run("build", recipe, "--json")
    assert again.steps("step-started") == []
    assert again.last("build-finished")["sha256"] == result.last("build-finished")["sha256"]


def _alive(place: Workplace, name: str) -> bool:
    told = json.loads(place.run("show", name, "--json").output)
    return bool(told["state"] == "running")
