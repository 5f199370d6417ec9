"""Arch's packagers: three of the master keys make one trusted, and nothing that a mirror says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from zwizard.steps import render
from zwizard.steps.actions import TrustPackagers

pytestmark = pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not here")

MASTERS = ("one", "two", "three", "four")


def gpg(home: Path, *arguments: str) -> bytes:
    argv = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", *arguments]
    return subprocess.run(argv, check=True, capture_output=True).stdout


class Keyring:
    """The keys of all these tests: ``home`` has them, unsigned."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True)
        self.keys = {name: self._key(home, name) for name in (*MASTERS, "packager", "stranger")}
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        self.home = home

    @staticmethod
    def _key(home: Path, name: str) -> str:
        """Make a key; its fingerprint."""
        user = f"{name}@example.org"
        gpg(home, "--passphrase", "", "--quick-generate-key", user, "ed25519", "sign,cert")
        listed = gpg(home, "--with-colons", "--list-keys", name).decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr"))


class Mirror:
    """An archive whose keyring package offers the keys of a keyring."""

    def __init__(self, place: Path, keyring: Keyring) -> None:
        self.home = place / "gnupg"
        shutil.copytree(keyring.home, self.home, ignore=shutil.ignore_patterns("S.*"))
        self.core = place / "core/os/x86_64"
        self.core.mkdir(parents=True)
        self.url = f"file://{place}"
        self.keys = keyring.keys

    def gpg(self, *arguments: str) -> bytes:
        return gpg(self.home, *arguments)

    def sign(self, signed: str, *by: str) -> None:
        for name in by:
            self.gpg("--local-user", self.keys[name], "--quick-sign-key", self.keys[signed])

    def publish(self, revoked: str = "") -> None:
        """The keyring, which says of itself that everybody in it is to be trusted."""
        keyrings = self.core / "usr/share/pacman/keyrings"
        keyrings.mkdir(parents=True)
        (keyrings / "archlinux.gpg").write_bytes(self.gpg("--export"))
        trusted = "".join(f"{key}:4:\n" for key in self.keys.values())
        (keyrings / "archlinux-trusted").write_text(trusted)
        (keyrings / "archlinux-revoked").write_text(f"{revoked}\n" if revoked else "")
        entry = self.core / "archlinux-keyring-7-1"
        entry.mkdir()
        (entry / "desc").write_text(
            "%NAME%\narchlinux-keyring\n\n%FILENAME%\nkeyring.pkg.tar.zst\n"
        )
        for name, options, what in (
            ("keyring.pkg.tar.zst", "--zstd", "usr"),
            ("core.db", "--gzip", entry.name),
        ):
            file = str(self.core / name)
            subprocess.run(["tar", "-C", str(self.core), options, "-cf", file, what], check=True)


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keyring") / "gnupg")


@pytest.fixture
def mirror(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """At a short path: gpg's sockets have at most 107 bytes."""
    return Mirror(tmp_path_factory.mktemp("m"), keyring)


@pytest.fixture
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At a short path, too."""
    return tmp_path_factory.mktemp("d")


def trust(mirror: Mirror, downloads: Path, *masters: str) -> subprocess.CompletedProcess[str]:
    with start(mirror, downloads, *masters) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def start(mirror: Mirror, downloads: Path, *masters: str) -> subprocess.Popen[str]:
    """In a session of its own, whose workspace is beside the downloads."""
    action = TrustPackagers("arch", "archlinux-keyring", mirror.url, masters)
    script = f"set -euo pipefail\n{render.functions(action)}\n{action.shell()}"
    variables = {
        "PATH": os.environ["PATH"],
        "DOWNLOADS": str(downloads),
        "ROOT": str(downloads / "work/root"),
    }
    (downloads / "work/root").mkdir(parents=True, exist_ok=True)
    argv = ["bash", "-c", script]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv, env=variables, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def validity(downloads: Path, fingerprint: str) -> str:
    """What gpg says of a key: f for fully valid, "" if there is none."""
    home = str(downloads / "arch/gnupg")
    argv = ["gpg", "--homedir", home, "--with-colons", "--list-keys", fingerprint]
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    return next((line.split(":")[1] for line in told.splitlines() if line[:3] == "pub"), "")


def masters(mirror: Mirror) -> list[str]:
    return [mirror.keys[name] for name in MASTERS]


@pytest.mark.parametrize(
    ("by", "expected"), [(MASTERS[:3], "f"), (MASTERS[:2], "m"), (("stranger",), "-")]
)
def test_three_master_keys_make_a_packager_trusted(
    mirror: Mirror, downloads: Path, by: tuple[str, ...], expected: str
) -> None:
    mirror.sign("packager", *by)
    mirror.publish()
    done = trust(mirror, downloads, *masters(mirror))
    assert done.returncode == 0, done.stderr
    assert validity(downloads, mirror.keys["packager"]) == expected
    assert validity(downloads, mirror.keys["stranger"]) == "-"


def test_a_revoked_packager_is_none_any_more(mirror: Mirror, downloads: Path) -> None:
    mirror.sign("packager", *MASTERS)
    mirror.publish(revoked=mirror.keys["packager"])
    assert trust(mirror, downloads, *masters(mirror)).returncode == 0
    assert validity(downloads, mirror.keys["packager"]) == ""


def test_a_keyring_without_any_of_the_master_keys_is_refused(
    mirror: Mirror, downloads: Path
) -> None:
    mirror.publish()
    done = trust(mirror, downloads, "0123456789ABCDEF0123456789ABCDEF01234567")
    assert done.returncode == 1
    assert "none of the known master keys" in done.stderr
    assert not (downloads / "arch/gnupg").exists()


def test_keys_of_today_are_not_fetched_again(mirror: Mirror, downloads: Path) -> None:
    mirror.publish()
    assert "trusted" in trust(mirror, downloads, *masters(mirror)).stdout
    shutil.rmtree(mirror.core)
    again = trust(mirror, downloads, *masters(mirror))
    assert (again.returncode, again.stdout) == (0, "")


def test_a_mirror_without_the_keyring_is_an_error(mirror: Mirror, downloads: Path) -> None:
    mirror.publish()
    subprocess.run(["tar", "-C", mirror.core, "-czf", mirror.core / "core.db", "usr"], check=True)
    done = trust(mirror, downloads, *masters(mirror))
    assert done.returncode == 1
    assert "has no package archlinux-keyring in core" in done.stderr


def test_a_killed_one_leaves_its_files_only_in_the_workspace(
    mirror: Mirror, downloads: Path
) -> None:
    os.mkfifo(mirror.core / "core.db")  # curl waits for somebody who writes to it
    with start(mirror, downloads, *masters(mirror)) as process:
        while not list(downloads.glob("work/keys.*")):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    outside = [
        path for path in downloads.rglob("*") if not path.is_relative_to(downloads / "work")
    ]
    assert {path.name for path in outside} == {"arch", "gnupg.lock"}
