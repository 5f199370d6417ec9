"""An archive's keys, fetched from the archive itself: only the fingerprints make them trusted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard.steps import render
from zwizard.steps.actions import TrustKeys

FILE, PACKAGE = "zwizard-tests.gpg", "zwizard-tests-keyring"


class Mirror:
    """An archive in a directory, whose keyring package offers the keys made here."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / "gnupg"
        self.home.mkdir(mode=0o700, parents=True)
        self.url = f"file://{place}"

    def gpg(self, *arguments: str) -> bytes:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def key(self, name: str) -> str:
        """Make a key; its fingerprint."""
        self.gpg("--passphrase", "", "--quick-generate-key", f"{name}@example.org", "ed25519")
        listed = self.gpg("--with-colons", "--list-keys", name).decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr"))

    def publish(self) -> None:
        """The package with all keys there are, and the index that names it."""
        tree = self.place / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {PACKAGE}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\n"
            "Description: keys\n"
        )
        (tree / "usr/share/keyrings").mkdir(parents=True)
        (tree / "usr/share/keyrings" / FILE).write_bytes(self.gpg("--export"))
        subprocess.run(["dpkg-deb", "--build", tree, self.place / "k.deb"], check=True)
        index = self.place / "dists/stable/main/binary-amd64/Packages"
        index.parent.mkdir(parents=True)
        index.write_text(f"Package: {PACKAGE}-not\nFilename: no\n\n")
        with index.open("a") as more:
            more.write(f"Package: {PACKAGE}\nFilename: k.deb\n\n")
        subprocess.run(["xz", index], check=True)


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    made = Mirror(tmp_path_factory.mktemp("m"))  # short: gpg's sockets have at most 107 bytes
    yield made
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=True)


def trust(
    mirror: Mirror, downloads: Path, *known: str, package: str = PACKAGE
) -> subprocess.CompletedProcess[str]:
    action = TrustKeys(FILE, package, mirror.url, "stable", known)
    script = f"{render.functions(action)}\n{action.shell()}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "DOWNLOADS": str(downloads), "ROOT": str(downloads.parent / "root")},
        capture_output=True,
        text=True,
        check=False,
    )


def fingerprints(ring: Path) -> list[str]:
    argv = ["gpg", "--batch", "--with-colons", "--show-keys", str(ring)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return [line.split(":")[9] for line in said.splitlines() if line.startswith("fpr")]


@pytest.mark.slow
def test_of_the_keys_offered_only_the_known_ones_are_taken(mirror: Mirror, tmp_path: Path) -> None:
    known = mirror.key("archive")
    mirror.key("stranger")
    mirror.publish()
    done = trust(mirror, tmp_path / "downloads", known, "0" * 40)
    assert done.returncode == 0, done.stderr
    assert "archive@example.org" in done.stdout
    assert "stranger" not in done.stdout
    (kept,) = (tmp_path / "downloads").rglob(FILE)
    assert fingerprints(kept) == [known]


@pytest.mark.slow
def test_a_mirror_with_other_keys_is_refused_and_nothing_is_kept(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.key("stranger")
    mirror.publish()
    done = trust(mirror, tmp_path / "downloads", "0" * 40)
    assert done.returncode == 1
    assert f"has none of the distribution's known keys: {'0' * 40}" in (done.stderr)
    assert [path for path in (tmp_path / "downloads").rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_a_mirror_without_the_package_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    known = mirror.key("archive")
    mirror.publish()
    done = trust(mirror, tmp_path / "downloads", known, package="another")
    assert done.returncode == 1
    assert f"{mirror.url} has no package another in stable" in done.stderr
