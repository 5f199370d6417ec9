"""An imported root file system: what is refused, what is kept, how it is detected."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.support.archives import (
    ALPINE,
    DEBIAN,
    DEVICE,
    DIRECTORY,
    FIFO,
    HARD,
    LINK,
    MINT,
    Entry,
    entry,
    file,
    system,
    tar,
)
from tests.support.executables import program
from tests.support.faults import member
from tests.support.http_server import Server, sum_of
from zwizard.engine import builds, executor
from zwizard.image.archive.byte_stream import ArchiveError, plain
from zwizard.image.archive.tar_reader import members
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.sources.detect_distro import detect_distro, tree_sum
from zwizard.sources.inspection import LOCATION, report, takes_long
from zwizard.sources.resolve import import_settings
from zwizard.steps import render
from zwizard.steps.actions import Directory, Import
from zwizard.treetools.untar import MemberFilter, RefusedMemberError, sift, unpack
from zwizard.util.errors import UsageError
from zwizard.wizard.suggestion_service import SuggestionService

MIB = 2**20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty directory to unpack into; beside it there should never be anything."""
    root = tmp_path / "alone/tree"
    root.mkdir(parents=True)
    return root


def unpacked(tree: Path, archive: bytes) -> list[str]:
    """Unpack; the names of what is there."""
    path = tree.parents[1] / "given.tar"
    path.write_bytes(archive)
    unpack(str(path), tree)
    return sorted(str(found.relative_to(tree)) for found in tree.rglob("*"))


# --- what is hostile ----------------------------------------------------------------------------

OUTSIDE: dict[str, tuple[tuple[Entry, ...], str]] = {
    "climbs": ((file("../out"),), "../out leads out of the archive"),
    "climbs later": ((file("etc/../../out"),), "leads out of the archive"),
    "beneath a link": ((entry("x", LINK, "/tmp"), file("x/out")), "is below a link, /x"),
    "deep beneath a link": ((entry("a/x", LINK, ".."), file("a//x/../../out")), "leads out"),
    "beneath a link that was a directory": (
        (entry("x", DIRECTORY), entry("x", LINK, "/tmp"), file("x/out")),
        "below a link",
    ),
    "a hard link climbs": ((entry("h", HARD, "../../etc/passwd"),), "leads out"),
    "a hard link through a link": (
        (entry("x", LINK, "/etc"), entry("h", HARD, "x/passwd")),
        "x/passwd is below a link",
    ),
}


@pytest.mark.parametrize(("entries", "said"), OUTSIDE.values(), ids=OUTSIDE)
def test_an_archive_that_leads_outside_is_refused(
    tree: Path, entries: tuple[Entry, ...], said: str
) -> None:
    with pytest.raises(RefusedMemberError, match=said):
        unpacked(tree, tar(file("etc/first"), *entries))
    assert list(tree.parent.iterdir()) == [tree]


def test_a_name_below_a_link_within_the_tree_lands_where_the_link_leads(tree: Path) -> None:
    archive = tar(file("etc/first"), entry("x", LINK, "etc"), file("./x/second"))
    assert unpacked(tree, archive) == ["etc", "etc/first", "etc/second", "x"]


def test_an_absolute_name_lands_inside(tree: Path) -> None:
    assert unpacked(tree, tar(file("/etc/passwd", b"theirs"))) == ["etc", "etc/passwd"]
    assert (tree / "etc/passwd").read_bytes() == b"theirs"


def test_a_link_to_anywhere_is_only_a_link(tree: Path) -> None:
    assert unpacked(tree, tar(entry("shadow", LINK, "/etc/shadow"))) == ["shadow"]
    assert (tree / "shadow").readlink() == Path("/etc/shadow")


def test_devices_and_pipes_are_left_out_and_named(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tar(
        file("dev/file"),
        entry("dev/null", DEVICE),
        entry("dev/same", HARD, "dev/null"),
        entry("run/pipe", FIFO),
        file("run/pipe2"),
    )
    assert unpacked(tree, archive) == ["dev", "dev/file", "run", "run/pipe2"]
    assert capsys.readouterr().out.splitlines() == [
        "left out: dev/null, a character device",
        "left out: dev/same, a hard link to one left out",
        "left out: run/pipe, a fifo",
    ]


def test_an_archive_larger_than_the_free_space_is_refused_before_it_is_written(
    tree: Path,
) -> None:
    holes = member("huge")
    holes.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.size": str(2**60),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.map": "0,0",
    }
    with pytest.raises(RefusedMemberError, match=r"unpacks to more than .* free .*huge"):
        unpacked(tree, tar(file("first"), (holes, b"")))
    assert not (tree / "huge").exists()


def test_many_small_files_fill_a_disk_too() -> None:
    archive = tar(*(file(f"{number}", b"") for number in range(100)))
    with pytest.raises(RefusedMemberError, match=r"more than 200\.0 KiB"):
        sift(plain(io.BytesIO(archive)), io.BytesIO(), MemberFilter(200 * 1024, 1000, 1000))


def test_what_a_user_namespace_cannot_own_is_named() -> None:
    info, data = file("srv/data")
    info.uid = 100_000
    with pytest.raises(
        RefusedMemberError,
        match=r"srv/data belongs to id 100000, and your user namespace has 65537",
    ):
        sift(plain(io.BytesIO(tar((info, data)))), io.BytesIO(), MemberFilter(MIB, 65537, 65537))


def test_a_truncated_or_invalid_archive_is_reported(tree: Path) -> None:
    whole = gzip.compress(system())
    with pytest.raises(ArchiveError, match="truncated"):
        unpacked(tree, whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match="it is an ELF program, not a tar archive"):
        unpacked(tree, program())
    with pytest.raises(ArchiveError, match="the compressed data is a text file, not a tar"):
        unpacked(tree, gzip.compress(b"hello\n" * 200))


@pytest.mark.slow
def test_where_nothing_comes_the_reason_is_the_other_programs(tree: Path) -> None:
    command = ["bash", "-c", 'echo "no, because" >&2 | "$@"', "-", sys.executable]
    command += ["-m", "zwizard.treetools.untar", "-", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "no, because\n")
    cut = subprocess.run(command[4:], input=tar(file("a"))[:700], capture_output=True, check=False)
    assert re.match(rb"the root file system cannot be used: .*\b(cut|truncated)", cut.stderr)


def test_a_file_with_another_checksum_is_refused(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(system())
    unpack(str(path), tree, sum_of(path).upper())
    with pytest.raises(RefusedMemberError, match="does not have the SHA-256 000"):
        unpack(str(path), tree, "0" * 64)


# --- what is kept -------------------------------------------------------------------------------


def zstd(data: bytes) -> bytes:
    return zstandard.compress(data)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "not": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
    "xz in two streams": lambda data: lzma.compress(data[:1000]) + lzma.compress(data[1000:]),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_it_may_be_packed_in_any_way(tree: Path, pack: Callable[[bytes], bytes]) -> None:
    found = unpacked(tree, pack(system(DEBIAN, file("n" * 180, b"long"))))
    assert found == [
        *("etc", "etc/os-release", "n" * 180, "usr", "usr/bin", "usr/bin/bash"),
        *("usr/lib", "usr/lib/os-release"),
    ]
    assert (tree / "usr/bin/bash").read_bytes() == program()


@needs_root
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_owners_modes_times_attributes_hard_links_and_holes_are_kept(
    tree: Path, tmp_path: Path, form: str
) -> None:
    given = tmp_path / "given"
    (given / "var").mkdir(parents=True)
    for name in ("owned", "linked", "marked", "sparse"):
        (given / f"var/{name}").write_bytes(b"data")
    os.chown(given / "var/owned", 33, 4242)
    (given / "var/owned").chmod(0o4751)
    (given / "var/again").hardlink_to(given / "var/linked")
    os.truncate(given / "var/sparse", 40 * MIB)
    os.utime(given / "var/linked", (1, 1_000_000_000))
    (given / "var").chmod(0o1777)
    attributes = ("--xattrs",) if form == "posix" else ()
    if attributes:
        os.setxattr(given / "var/marked", "user.mark", b"yes")
        os.setxattr(given / "var/marked", "user.overlay.opaque", b"y")
    packed = tmp_path / "given.tar"
    make_it = ("tar", "-cSf", packed, f"--format={form}", *attributes, "-C", given, ".")
    subprocess.run(make_it, check=True)
    unpack(str(packed), tree)
    owned = (tree / "var/owned").stat()
    assert (owned.st_uid, owned.st_gid, stat.S_IMODE(owned.st_mode)) == (33, 4242, 0o4751)
    assert (tree / "var/again").samefile(tree / "var/linked")
    assert (tree / "var/linked").stat().st_mtime == 1_000_000_000
    sparse = (tree / "var/sparse").stat()
    assert sparse.st_size == 40 * MIB
    assert sparse.st_blocks * 512 < MIB
    assert stat.S_IMODE((tree / "var").stat().st_mode) == 0o1777
    if attributes:
        assert os.listxattr(tree / "var/marked") == ["user.mark"]


def test_what_passes_is_passed_on_as_it_is() -> None:
    archive = system(MINT, file("x" * 200, b"y" * 5000))
    out = io.BytesIO()
    sift(plain(io.BytesIO(archive)), out, MemberFilter(MIB, 1000, 1000))
    names = [m.name for m in members(plain(io.BytesIO(out.getvalue())))]
    assert names == [m.name for m in members(plain(io.BytesIO(archive)))]


# --- the import, by the engine and by the script ------------------------------------------------


@pytest.fixture(params=["engine", "script"])
def brought(request: pytest.FixtureRequest, tree: Path, tmp_path: Path) -> Run:
    """Runs an import; what it says: the last line of what went wrong, or all that it told."""
    functions = executor.functions if request.param == "engine" else render.functions

    def run(action: Import) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{functions(action)}\n{action.shell()}"],
            env={
                "PATH": os.environ["PATH"],
                "ROOT": str(tree),
                "DOWNLOADS": str(tmp_path / "down"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else "✗ " + done.stderr.splitlines()[-1]

    return run


Run = Callable[[Import], str]


@pytest.fixture
def given(tmp_path: Path) -> Callable[[bytes], str]:
    def write(archive: bytes) -> str:
        path = tmp_path / "ubuntu:jammy.tar.gz"
        path.write_bytes(gzip.compress(archive))
        return str(path)

    return write


Given = Callable[[bytes], str]


@pytest.mark.slow
def test_a_tree_inside_one_directory_is_moved_up(brought: Run, given: Given, tree: Path) -> None:
    archive = system(DEBIAN, file("ubuntu:jammy/ubuntu:jammy/x"), inside="ubuntu:jammy/")
    told = brought(Import(given(archive), "", "debian", init=False))
    assert "moved up: everything was inside ubuntu:jammy/" in told
    assert sorted(path.name for path in tree.iterdir()) == ["etc", "ubuntu:jammy", "usr"]


@pytest.mark.slow
def test_a_tree_of_one_directory_that_is_no_system_stays(
    brought: Run, given: Given, tree: Path
) -> None:
    brought(Import(given(tar(file("srv/etc/x"), file("srv/app"))), "", "other", init=False))
    assert (tree / "srv/app").exists()


RELEASES = ((DEBIAN, "debian"), (MINT, "ubuntu"), (ALPINE, "other"), (b"", "other"))


@pytest.mark.slow
@pytest.mark.parametrize("named", ["debian", "ubuntu", "arch", "other"])
@pytest.mark.parametrize(
    ("brought", "release", "distro"),
    [
        ("engine", *RELEASES[1]),
        *(pytest.param("engine", *RELEASES[i], marks=pytest.mark.slow) for i in (0, 2, 3)),
        *(pytest.param("script", *release, marks=pytest.mark.slow) for release in RELEASES),
    ],
    indirect=["brought"],
)
def test_it_has_to_be_the_distribution_that_the_recipe_names(
    brought: Run, given: Given, release: bytes, distro: str, named: str
) -> None:
    told = brought(Import(given(system(release)), "", named, init=False))
    if named in {distro, "other"}:
        assert not told.startswith("✗")
    else:
        assert told.startswith("✗ its os-release says ID=")
        assert told.endswith(f'is not {named}: write distro = "{distro}" under [source]')


@pytest.mark.slow
def test_programs_for_another_processor_are_named(brought: Run, given: Given) -> None:
    arm = program()[:18] + b"\xb7\x00" + program()[20:]
    archive = tar(file("usr/bin/bash", arm), file("usr/lib/os-release", ALPINE))
    told = brought(Import(given(archive), "", "other", init=False))
    assert told == "✗ /usr/bin/bash is for ARM64; Zero-OS runs x86-64 (amd64)"


@pytest.mark.slow
def test_where_an_init_is_needed_and_none_is_there_it_is_refused(
    brought: Run, given: Given
) -> None:
    told = brought(Import(given(system(ALPINE)), "", "other", init=True))
    assert told.startswith("✗ there is no /sbin/init in it")
    whole = system(ALPINE, entry("sbin/init", LINK, "/bin/busybox"))
    assert "Alpine Linux v3.20" in brought(Import(given(whole), "", "other", init=True))


@pytest.mark.slow
def test_a_directory_is_taken_as_it_was_planned(brought: Run, tree: Path, tmp_path: Path) -> None:
    given = tmp_path / "a:directory"
    (given / "usr/lib").mkdir(parents=True)
    (given / "etc").mkdir()
    (given / "usr/lib/os-release").write_bytes(DEBIAN)
    os.mkfifo(given / "etc/pipe")
    summed = tree_sum(given)
    told = brought(Import(str(given), summed, "debian", init=False))
    assert "left out: " in told
    assert "etc/pipe" in told
    assert (tree / "usr/lib/os-release").read_bytes() == DEBIAN
    assert not os.path.lexists(tree / "etc/pipe")
    (given / "etc/new").touch()
    again = brought(Import(str(given), summed, "debian", init=False))
    assert again == f"✗ {given} has changed since the build was planned: build again"


@pytest.mark.slow
def test_a_url_is_downloaded_and_verified(brought: Run, server: Server, tree: Path) -> None:
    server.files["root.tar.zst"] = zstd(system())
    url = server.url("root.tar.zst")
    told = brought(Import(url, "0" * 64, "debian", init=False))
    assert told.startswith(f"✗ {url} does not have the checksum {'0' * 64}: it was changed")
    assert "Debian GNU/Linux 12" in brought(Import(url, "", "debian", init=False))
    assert (tree / "usr/bin/bash").exists()


@pytest.mark.slow
def test_an_os_release_is_read_and_never_run(brought: Run, given: Given, tmp_path: Path) -> None:
    evil = b'ID=$(touch "$ROOT/ran")\nID_LIKE="`touch /ran` debian"\nPRETTY_NAME="\x1b[31mred"\n'
    told = brought(Import(given(system(evil)), "", "debian", init=False))
    assert "\x1b" not in told
    assert not list(tmp_path.rglob("ran"))


# --- what it is told to be ----------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "ubuntu/"])
def test_it_is_recognised_in_an_archive_and_in_a_directory(
    tmp_path: Path, tree: Path, inside: str
) -> None:
    path = tmp_path / "given.tar.xz"
    path.write_bytes(lzma.compress(system(MINT, inside=inside)))
    assert (detect_distro(path).distro, detect_distro(path).title) == ("ubuntu", "Linux Mint 22")
    if not inside:
        unpack(str(path), tree)
        assert detect_distro(tree).distro == "ubuntu"


def test_unknown_distributions_and_other_processors_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(system(ALPINE, entry("sbin/init", LINK, "/bin/busybox")))
    found = detect_distro(path)
    assert (found.distro, found.title, found.init) == ("other", "Alpine Linux v3.20", True)
    arm = program()[:18] + b"\xb7\x00" + program()[20:]
    path.write_bytes(tar(file("bin/busybox", arm)))
    found = detect_distro(path)
    assert (found.distro, found.title, found.machine) == ("other", "", "ELF64, ARM64")
    assert not found.init


def test_a_directory_that_may_not_be_read_has_no_sum(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tree_sum(tmp_path / "missing")


# --- plans --------------------------------------------------------------------------------------


def recipe(target: str = "vm", **source: Any) -> Recipe:
    whole = {"kind": "rootfs", "location": "/x.tar"} | source
    return Recipe.from_dict({"target": target, "source": whole})


def names(made: Recipe) -> list[str]:
    return [step.name for step in make(made).steps]


def test_steps_without_a_package_manager_run_on_any_distribution() -> None:
    known, other = make(recipe()), make(recipe(distro="other"))
    assert [step.name for step in other.steps] == [step.name for step in known.steps]
    assert any("in_tree" in action.shell() for step in known.steps for action in step.actions)
    run = {step.name for step in other.steps for a in step.actions if "in_tree" in a.shell()}
    assert run == {"initramfs"}  # its own tool makes it
    (said,) = next(step for step in other.steps if step.name == "packages").actions
    assert said.shell().startswith(
        "echo 'not installed, as no package tool is known for it: cloud"
    )


def test_a_container_gets_what_zero_os_mounts_over() -> None:
    """Which trees by others often lack, as Docker makes it too."""
    clean = next(step for step in make(recipe("container")).steps if step.name == "clean")
    made = [action.path for action in clean.actions if isinstance(action, Directory)]
    assert made == ["/dev", "/proc", "/sys", "/run", "/tmp"]


def test_a_repair_is_import_fixes_and_pack() -> None:
    assert names(recipe(repair=["kernel-elf", "ssh-host-keys"])) == [
        *("import", "kernel", "clean", "pack"),
    ]
    assert names(recipe(repair=["archive-owners"])) == ["import", "pack"]
    assert names(recipe("container", repair=["resolv-conf"])) == ["import", "settings", "pack"]
    assert names(recipe(repair=["initrd-virtiofs"])) == ["import", "initramfs", "pack"]


def test_one_step_fixes_several_rules_once() -> None:
    made = make(recipe(repair=["kernel-elf", "kernel-link-relative", "kernel-upgrades"]))
    lines = [action.shell() for action in made.steps[1].actions]
    assert len(lines) == len(set(lines))
    assert "Fixes kernel-link-relative, kernel-elf, kernel-upgrades." in made.steps[1].why


@pytest.mark.parametrize(
    "source", [{"repair": ["setuid-files"]}, {"repair": ["ssh-server"], "distro": "other"}]
)
def test_a_rule_without_a_fix_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="no fix for") as caught:
        make(recipe(**source))
    assert caught.value.problems[0].key == "source.repair"


# --- what every face says of it -----------------------------------------------------------------


def answers(path: Path | str) -> dict[str, str]:
    return {"source.kind": "rootfs", "source.location": str(path)}


def test_typing_does_not_wait_for_the_inspection(tmp_path: Path) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(system(MINT))
    library, given = SuggestionService(), answers(path)
    assert library.current(given).files[LOCATION].summary == "Inspecting the file …"
    work = library.pending(given)
    assert work is not None
    work()
    assert (
        library.current(given).files[LOCATION].summary
        == "Linux Mint 22: missing packages are added with Ubuntu's tools"
    )
    assert not takes_long(given)
    path.write_bytes(system(DEBIAN, file("more")))  # another file by now
    assert takes_long(given)
    assert "Debian's tools" in SuggestionService(wait=True).current(given).files[LOCATION].summary


@pytest.mark.parametrize(
    ("archive", "wrong"),
    [
        (program(), "it is an ELF program, not a tar archive. A root file system is a directory"),
        (b"hello\n", "it is a text file, not a tar archive"),
        (tar(file("usr/bin/bash", program()[:18] + b"\xb7\x00" + program()[20:])), "ARM64"),
    ],
)
def test_an_unusable_file_is_reported_at_its_question(
    tmp_path: Path, archive: bytes, wrong: str
) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(archive)
    assert wrong in report(answers(path)).wrong
    with pytest.raises(UsageError, match="cannot be used"):
        builds.open_for(recipe(location=str(path)), tmp_path)


def test_only_the_distribution_of_the_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "given.tar").write_bytes(system(MINT))
    named = recipe(location="given.tar")
    assert import_settings(named, tmp_path).source.distro == "ubuntu"
    for kept in (recipe(location="given.tar", distro="other"), recipe(location="https://a.b/x")):
        assert import_settings(kept, tmp_path) == kept


def test_imported_settings_are_the_same_when_they_are_read_again(tmp_path: Path) -> None:
    """Else a build of it at work would be taken for one of another version of the recipe."""
    (tmp_path / "given.tar").write_bytes(system(MINT))
    settled = import_settings(recipe(location="given.tar"), tmp_path)
    assert Recipe.from_dict(settled.to_dict()) == settled


def test_a_system_without_init_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "given.tar"
    path.write_bytes(system(ALPINE))
    assert report(answers(path)).summary.endswith("no init system was found, which a VM needs")
    path.write_bytes(system(ALPINE, entry("sbin/init", LINK, "/bin/busybox"), file("more")))
    assert "nothing is installed in it" in report(answers(path)).summary


def test_a_directory_changed_since_is_another_source(tmp_path: Path) -> None:
    given = tmp_path / "given"
    (given / "etc").mkdir(parents=True)
    first = builds.open_for(recipe(location="given"), tmp_path).recipe().source.sha256
    assert builds.open_for(recipe(location="given"), tmp_path).recipe().source.sha256 == first
    (given / "etc/new").touch()
    assert builds.open_for(recipe(location="given"), tmp_path).recipe().source.sha256 != first
