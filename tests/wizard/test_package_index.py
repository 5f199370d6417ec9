"""An archive's index: read whole, believed only as far as its InRelease goes, kept for later."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard import package_index

pytestmark = pytest.mark.slow

MAIN = ("main",)
PART = package_index._PART.format("main")

STANZAS = """\
Package: htop
Version: 3.2.2-2
Description: interactive processes viewer

Package: postfix
Version: 3.7
Provides: mail-transport-agent, default-mta (= 3.7)
Description: mail transport agent
 This line is not the summary.

Package: \x1b]0;owned\x07
Version: 1
Description: a name that is none

Package: sly
Version: 1\x1b[2J
Description: clears \x1b[2J the screen \u202e
"""

Make = Callable[..., str]


@pytest.fixture
def mirror(tmp_path: Path) -> Make:
    """Makes a mirror of one suite in a directory; gives its URL."""

    def made(stanzas: str = STANZAS, *, packed: bytes = b"", release: str | None = None) -> str:
        packed = packed or lzma.compress(stanzas.encode())
        suite = tmp_path / "mirror/dists/bookworm"
        index = suite / "main/binary-amd64/Packages.xz"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_bytes(packed)
        line = f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {PART}"
        text = f"Suite: oldstable\nMD5Sum:\n x 1 {PART}\nSHA256:\n{line}\n"
        (suite / "InRelease").write_text(text if release is None else release)
        return f"file://{tmp_path}/mirror"

    return made


@pytest.fixture
def rolling(tmp_path: Path) -> Callable[..., str]:
    """Makes a mirror as pacman's are, of what core has; gives its URL."""

    def made(*entries: str, name: str = "core.db") -> str:
        place = tmp_path / "mirror/core/os/x86_64"
        place.mkdir(parents=True, exist_ok=True)
        with tarfile.open(place / name, "w:gz") as database:
            for number, entry in enumerate(entries):
                member = tarfile.TarInfo(f"p{number}-1-1/desc")
                member.size = len(entry.encode())
                database.addfile(member, io.BytesIO(entry.encode()))
        return f"file://{tmp_path}/mirror"

    return made


LINUX = "%FILENAME%\nl.pkg\n\n%NAME%\nlinux\n\n%VERSION%\n6.17.1-1\n\n%DESC%\nThe kernel\n\n"
VIRTUAL = "%NAME%\nvim\n\n%VERSION%\n9\n\n%DESC%\nVi\n\n%PROVIDES%\nxxd=9\nvi-plugin\n\n"


def test_pacmans_packages_are_read_from_its_databases(rolling: Make) -> None:
    url = rolling(LINUX, VIRTUAL, "%NAME%\n../evil\n\n%VERSION%\n1\n\n")
    for mirror in (url, f"{url}/$repo/os/$arch"):  # as it may be given
        found = package_index.fetch(mirror, "", ("core",))
        kernel = found.get("linux")
        assert kernel is not None
        assert kernel.means == "6.17.1-1  The kernel"
        assert found.get("xxd") is not None
        assert (found.count, found.suite) == (2, "the archive")
    kept = package_index.load(url, "", ("core",))
    assert kept is not None
    assert kept.lines == found.lines


def test_an_unreadable_pacman_database_is_reported(rolling: Make, tmp_path: Path) -> None:
    url = rolling(LINUX)
    file = tmp_path / "mirror/core/os/x86_64/core.db"
    for damage in (b"no database", file.read_bytes()[:100], b""):
        file.write_bytes(damage)
        with pytest.raises(ZwizardError):
            package_index.fetch(url, "", ("core",))
    with pytest.raises(ZwizardError):
        package_index.fetch(url, "", ("extra",))
    with pytest.raises(ZwizardError, match="grows beyond"):
        package_index.fetch(rolling("x" * (package_index._MOST_STANZA + 1)), "", ("core",))


def test_packages_are_read_with_version_and_summary(mirror: Make) -> None:
    found = package_index.fetch(mirror(), "bookworm", MAIN)
    htop = found.get("htop")
    assert htop is not None
    assert htop.means == "3.2.2-2  interactive processes viewer"
    assert found.get("mail-transport-agent") is not None  # apt-get installs what provides it
    assert found.get("default-mta") is not None
    assert found.get("hto") is None
    assert found.count == 3  # virtual ones are none


def test_text_of_an_archive_has_no_terminal_controls(mirror: Make) -> None:
    found = package_index.fetch(mirror(), "bookworm", MAIN)
    assert all(line.replace("\t", "").isprintable() for line in found.lines)
    assert not any("owned" in line for line in found.lines)


def test_it_is_kept_and_read_again_without_the_archive(mirror: Make, tmp_path: Path) -> None:
    url = mirror()
    assert package_index.load(url, "bookworm", MAIN) is None
    found = package_index.fetch(url, "bookworm", MAIN)
    (tmp_path / "mirror").rename(tmp_path / "gone")
    kept = package_index.load(url, "bookworm", MAIN)
    assert kept is not None
    assert (kept.lines, kept.read) == (found.lines, found.read)
    assert package_index.load(url, "trixie", MAIN) is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"[]\n", b'{"read": []}\n', b"\xff\xfe", b'{"read": 1}\nhtop\n', b"{}\n\x00"],
)
def test_a_damaged_cache_is_no_cache(mirror: Make, damage: bytes) -> None:
    url = mirror()
    package_index.fetch(url, "bookworm", MAIN)
    (file,) = (paths.cache() / "lists").iterdir()
    file.write_bytes(damage)
    assert package_index.load(url, "bookworm", MAIN) is None
    assert package_index.fetch(url, "bookworm", MAIN).count == 3


def test_a_cache_cut_short_is_no_cache(mirror: Make) -> None:
    url = mirror()
    package_index.fetch(url, "bookworm", MAIN)
    (file,) = (paths.cache() / "lists").iterdir()
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert package_index.load(url, "bookworm", MAIN) is None


REFUSED = {
    "not promised": {"release": "SHA256:\n"},
    "another sum": {"release": f"\nSHA256:\n {'0' * 64} 10 {PART}\n"},
    "enormous": {"release": f"\nSHA256:\n {'0' * 64} {2**40} {PART}\n"},
    "not xz": {"packed": b"<html>a portal's page</html>"},
    "cut short": {"packed": lzma.compress(STANZAS.encode() * 500)[:-30]},
    "no stanzas": {"packed": lzma.compress(b"x" * 2**21)},
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_an_index_with_another_sum_is_refused(mirror: Make, case: dict[str, str | bytes]) -> None:
    url = mirror(**case)
    with pytest.raises(ZwizardError):
        package_index.fetch(url, "bookworm", MAIN)
    assert package_index.load(url, "bookworm", MAIN) is None


def test_an_index_with_another_sum_than_the_release_names_is_refused(
    mirror: Make, tmp_path: Path
) -> None:
    """Of the promised length, and whole: only the SHA-256 tells it from the right one."""
    url = mirror()
    release = tmp_path / "mirror/dists/bookworm/InRelease"
    text = release.read_text()
    digest = re.findall("[0-9a-f]{64}", text)[0]
    release.write_text(text.replace(digest, hashlib.sha256(b"another").hexdigest()))
    with pytest.raises(ZwizardError, match="is not the one that InRelease names"):
        package_index.fetch(url, "bookworm", MAIN)
    assert package_index.load(url, "bookworm", MAIN) is None


def test_an_endless_index_is_refused(mirror: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_MOST_UNPACKED", 2**20)
    url = mirror(packed=lzma.compress(b"Package: a\n\n" * 2**18))
    with pytest.raises(ZwizardError, match="beyond any known"):
        package_index.fetch(url, "bookworm", MAIN)


def test_a_mirror_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ZwizardError, match="dists/bookworm"):
        package_index.fetch(f"file://{tmp_path}/nowhere", "bookworm", MAIN)
    with pytest.raises(ZwizardError, match="dists/bookworm"):
        package_index.fetch("https://joe:canary@127.0.0.1:1/debian", "bookworm", MAIN)


def test_a_process_of_its_own_fetches_the_same(mirror: Make) -> None:
    url = mirror()
    found = package_index.fetch_apart(url, "bookworm", MAIN)
    assert found.lines == package_index.fetch(url, "bookworm", MAIN).lines
    with pytest.raises(ZwizardError, match=r"127\.0\.0\.1:1/debian"):
        package_index.fetch_apart("http://127.0.0.1:1/debian", "bookworm", MAIN)


def test_a_cache_that_cannot_be_written_costs_nothing(
    mirror: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert package_index.fetch(mirror(), "bookworm", MAIN).count == 3


def test_every_component_is_read(mirror: Make, tmp_path: Path) -> None:
    url = mirror("Package: nginx\nVersion: 1\nProvides: httpd, tini\n")
    suite = tmp_path / "mirror/dists/bookworm"
    packed = lzma.compress(b"Package: tini\nVersion: 2\n")
    part = package_index._PART.format("universe")
    (suite / part).parent.mkdir(parents=True)
    (suite / part).write_bytes(packed)
    with (suite / "InRelease").open("a") as release:
        release.write(f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {part}\n")
    found = package_index.fetch(url, "bookworm", ("main", "universe"))
    assert [line.partition("\t")[0] for line in found.lines] == ["httpd", "nginx", "tini"]
    assert found.count == 2
    alone = package_index.fetch(url, "bookworm", MAIN)
    assert alone.count == 1
